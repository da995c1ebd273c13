"""Who liked what, by REST: asked only where a post's number of likes is not what is held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipeline.records import Bookmarks, Part, Record, Span
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.marks import PostMark, sql_is_number, sql_number, state
from pipeline.sources.discourse.rest import LIKE, Site, likes_range, micros, pages
from pipeline.sources.discourse.tables import PAIR

LIKES_GIVEN = 1  # user_actions.action_type
ACTIONS_PAGE = 30
LIKERS_PAGE = 200
MOST_AT_FIRST = 2000  # posts to ask for on a first fill
MOST_NEW = 40  # posts to ask for a night, of those seen in it
MOST_OLD = 20  # and of all others
MOST_HIDDEN = 20  # profiles; with more, this way is closed on this forum
RECORDS = 5_000  # in a part


class Likes:
    """Reads the likes of posts that may be read: of those held, but for those `buried` tonight, and
    of those seen tonight; `seen` is post -> number of likes, of those that have or had some."""

    def __init__(
        self,
        site: Site,
        bookmarks: Bookmarks,
        seen: Mapping[int, int],
        buried: Collection[int] = (),
    ) -> None:
        self._site = site
        self._client = site.client
        self._likes = bookmarks["likes"]
        self._asked = bookmarks["like_counts"]
        self._posts = bookmarks["posts"]
        self._users = bookmarks["users"]
        self._seen = seen
        self._buried = buried

    def read(self) -> Iterator[Part]:
        """First by giver where that is cheaper, which also tells when; then post by post. Likes
        held of posts that are not are forgotten."""
        held: dict[int, int] = dict(
            self._likes.ask(
                f"SELECT (CAST(key AS BIGINT) + {PAIR // 2}) // {PAIR}, count(*)"
                " WHERE NOT gone GROUP BY 1"
            )
        )
        yield from self._forgotten(held)
        expected = self._expected(held)
        left = self._left_behind()
        wanted = {
            post: likes
            for post, likes in expected.items()
            if likes != held.get(post, 0) or post in left
        }
        is_first = not held
        if is_first and len(wanted) > LIKERS_PAGE:
            for part in self._by_giver(wanted):
                for record in part.records:
                    post = record.payload["post_id"]
                    held[post] = held.get(post, 0) + 1
                yield part
        asked = self._asked.marks()
        open_questions = [
            post
            for post, likes in sorted(wanted.items(), reverse=True)
            if post in left or (likes != held.get(post, 0) and asked.get(str(post)) != str(likes))
        ]
        for post in self._affordable(open_questions, is_first and not asked):
            yield from self._of_post(post, wanted[post])

    def _affordable(self, posts: list[int], is_first: bool) -> list[int]:
        """Those to ask for tonight, newest first; the others wait for the nights that follow."""
        if is_first:
            return posts[:MOST_AT_FIRST]
        new = [post for post in posts if post in self._seen]
        old = [post for post in posts if post not in self._seen]
        return new[:MOST_NEW] + old[:MOST_OLD]

    def _forgotten(self, held: dict[int, int]) -> Iterator[Part]:
        """Likes of posts that are not held are gone, and so is what was told of them. They leave
        `held`. Older versions kept those of private messages, restricted categories and whispers.
        """
        asked_at = self._site.now()
        posts = self._posts.ask(
            "SELECT CAST(key AS BIGINT) AS post WHERE NOT gone"
            " AND post IN (SELECT unnest(CAST(? AS BIGINT[])))",
            list(held),
        )
        private = held.keys() - {post for (post,) in posts} - self._seen.keys()
        likes = self._likes.ask("SELECT key WHERE NOT gone") if private else ()
        lost = [key for (key,) in likes if _post_of(int(key)) in private]
        for post in private:
            del held[post]
        for first in range(0, len(lost), RECORDS):
            keys = lost[first : first + RECORDS]
            emptied = (Record("likes", key, {}, asked_at) for key in keys)
            gone = (Record("likes", key, {}, asked_at, gone=True) for key in keys)
            yield Part((*emptied, *gone))

    def _left_behind(self) -> set[int]:
        """Posts with a like of an account that is gone: when two are merged, it is the other's."""
        gone = {int(user) for (user,) in self._users.ask("SELECT key WHERE gone")}
        likes = self._likes.ask("SELECT CAST(key AS BIGINT) WHERE NOT gone") if gone else ()
        return {like // PAIR for (like,) in likes if like % PAIR in gone}

    def _expected(self, held: Iterable[int]) -> dict[int, int]:
        """Post -> its number of likes, of posts that may be read and have some, and of those with
        likes held: a read may have been cut short after it brought that the last one was taken
        back."""
        known = dict(
            self._posts.ask(
                "SELECT CAST(key AS BIGINT) AS post,"
                f" {sql_number(PostMark, 'likes')} AS likes"
                f" WHERE NOT gone AND {sql_is_number(PostMark, 'likes')}"
                " AND (likes > 0 OR post IN (SELECT unnest(CAST(? AS BIGINT[]))))",
                list(held),
            )
        )
        readable = {**known, **self._seen}
        return {post: likes for post, likes in readable.items() if post not in self._buried}

    def _by_giver(self, wanted: Mapping[int, int]) -> Iterator[Part]:
        """Likes given to these posts, person by person, if that takes fewer requests than post by
        post. An admin is shown those of private messages and restricted categories, too."""
        likes = sum(wanted.values())
        givers = dict(self._givers())
        requests = sum(1 + given // ACTIONS_PAGE for given in givers.values())
        if not givers or requests + likes // ACTIONS_PAGE > len(wanted):
            return
        refused = 0
        for (user, name), given in givers.items():
            found = 0
            while found < given:
                asked_at = self._site.now()
                try:
                    page = self._client.user_actions(name, LIKES_GIVEN, offset=found)
                except Refused:  # a hidden profile; its likes are asked for post by post
                    refused += 1
                    if refused > MOST_HIDDEN:
                        return
                    break
                if not page:
                    break
                told = [like for like in page if like.get("post_id") in wanted]
                yield Part(tuple(self._given(user, like, asked_at) for like in told))
                found += len(page)

    def _givers(self) -> Iterator[tuple[tuple[int, str], int]]:
        """(id, name) of people -> likes given, from the directory; none where that is off."""
        try:
            for page in pages(self._directory_page):
                for person in page:
                    if person.get("likes_given"):
                        yield (person["id"], person["user"]["username"]), person["likes_given"]
        except Refused:
            return

    def _directory_page(self, page: int) -> list[dict[str, Any]]:
        answer = self._client.fetch(
            "/directory_items.json", period="all", order="likes_given", page=page
        )
        items: list[dict[str, Any]] = answer["directory_items"]
        return items

    def _given(self, user: int, like: dict[str, Any], asked_at: int) -> Record:
        payload = {"post_id": like["post_id"], "user_id": user, "created_at": like["created_at"]}
        key = like["post_id"] * PAIR + user
        at = micros(like["created_at"])
        return Record("likes", str(key), payload, asked_at, at=at, mark=state("liked"))

    def _of_post(self, post: int, likes: int) -> Iterator[Part]:
        """All who like one post now; who is no longer among them took the like back.

        Also notes with how many likes it was asked: counters drift, and people are deleted, so
        their number may never agree.
        """
        asked_at = self._site.now()
        people: list[dict[str, Any]] = []
        try:
            for page in pages(lambda number: self._likers_page(post, number)):
                people += page
                if likes <= len(people) < LIKERS_PAGE:
                    break
        except Refused:  # hidden or private by now; the likes stay as they are held
            return
        keys = [post * PAIR + person["id"] for person in people]
        low, high = likes_range(post)
        held = self._likes.marks(low, high)
        asked = {"post_id": post, "likes": likes}
        records = [Record("like_counts", str(post), asked, asked_at, mark=str(likes))]
        for key in keys:
            if str(key) not in held:
                payload = {"post_id": post, "user_id": key - post * PAIR}
                records.append(Record("likes", str(key), payload, asked_at, mark=state("liked")))
        span = Span("likes", asked_at, low, high, keys=tuple(map(str, keys)))
        yield Part(tuple(records), (span,))

    def _likers_page(self, post: int, page: int) -> list[dict[str, Any]]:
        answer = self._client.post_action_users(post, LIKE, page=page, limit=LIKERS_PAGE)
        people: list[dict[str, Any]] = answer["post_action_users"]
        return people


def _post_of(like: int) -> int:
    """The post of a like's key, as `likes_range` has them: whoever gave it, ids may be below 0."""
    return (like + PAIR // 2) // PAIR
