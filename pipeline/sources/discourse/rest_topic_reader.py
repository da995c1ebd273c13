"""One topic by REST with all its posts, and what became of a topic or post that vanished.

A topic's own record lands together with the last of its posts, so that a kill between the two is
made good the next night.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from pipeline.errors import FixAccess
from pipeline.records import Bookmark, Part, Record, Span
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.rest import MESSAGE, MOST_MISSING, Site, differing, likes_range
from pipeline.sources.discourse.rest_posts import Posts
from pipeline.sources.discourse.rest_records import topic_record

BULKY = (
    "post_stream",
    "timeline_lookup",
    "suggested_topics",
    "related_topics",
    "thumbnails",
    "actions_summary",
    "bookmarks",
    "draft",
    "draft_key",
    "draft_sequence",
)


class TopicReader:
    """Reads topics one by one; `posts` is told of every post that they show."""

    def __init__(
        self, site: Site, held: Bookmark, posts: Posts, open_categories: Collection[int]
    ) -> None:
        self._site = site
        self._client = site.client
        self._held = held
        self._posts = posts
        self._open = open_categories
        self._prints = True  # servers may count print views, or forbid them
        self._sees_all: bool | None = None
        self._strays: set[int] = set()  # posts held of a topic that its read did not bring

    def read(
        self, topic: int, item: dict[str, Any] | None, is_missing: bool = False
    ) -> Iterator[Part]:
        """All posts of a topic, and its own record with the last of them.

        A topic that is refused is left as it is held: that is no proof of a deletion, unless a list
        that named it, or its posts, does so no more (`is_missing`). Without a list item the record
        is made of the topic's own answer.
        """
        seen: set[int] = set()
        own: dict[str, Any] = {}
        number = 1
        while True:
            asked_at, printed = self._site.now(), self._prints
            try:
                answer = self._page(topic, number)
            except Refused as refused:
                if own and refused.is_missing:  # past the end, on servers that say so
                    yield self._last(topic, own, seen, (), asked_at)
                elif is_missing and self._is_proof(refused):
                    yield self.gone(topic, asked_at)
                return
            if own and printed != self._prints:  # pages are shorter from now on
                seen.clear()
                number = 1
                continue
            shown = {name: answer[name] for name in answer if name not in BULKY}
            if not self._may_be_read(shown):  # a list named it some time ago, and other pages
                yield self._closed(topic, shown, asked_at)
                return
            own = item or shown
            stream = answer["post_stream"]
            new = [post for post in stream["posts"] if post["id"] not in seen]
            seen.update(post["id"] for post in new)
            records = self._posts.see(new, asked_at)
            number += 1
            if not new or ("stream" in stream and seen.issuperset(stream["stream"])):
                yield self._last(topic, own, seen, records, asked_at)
                return
            yield Part(records)

    def _may_be_read(self, topic: dict[str, Any]) -> bool:
        return topic.get("archetype") != MESSAGE and topic.get("category_id") in self._open

    def _closed(self, topic: int, own: dict[str, Any], asked_at: int) -> Part:
        """What becomes of a topic that stands in no open category: it is gone; but a private
        message, where those may be kept, stays, and is one from now on."""
        is_message = own.get("archetype") == MESSAGE or own.get("category_id") is None
        if not is_message or not self._site.keeps_messages:
            return self.gone(topic, asked_at)
        is_held = bool(self._held.marks(topic, topic))
        return Part(differing([topic_record(own, asked_at)], self._held) if is_held else ())

    def gone(self, topic: int, asked_at: int) -> Part:
        """Tombstones of a topic that is deleted for good, or private from now on, and of all that
        is held of it or was new in it tonight; not of posts seen in another topic since."""
        new = {post for post, seen_in in self._posts.fresh.items() if seen_in == topic}
        posts = self._buried((self._all_of(topic) - self._posts.moved) | new, asked_at)
        own = Record("topics", str(topic), {}, asked_at, gone=True)
        return Part((own, *posts.records), posts.spans)

    def strays(self) -> Iterator[Part]:
        """What became of posts held that the topics read did not bring: moved, deleted for good, or
        private now. They are asked for one by one, at most MOST_MISSING a night; those seen in
        another topic are not."""
        for post in sorted(self._strays - self._posts.moved, reverse=True)[:MOST_MISSING]:
            asked_at = self._site.now()
            try:
                moved = self._client.post_by_id(post)
            except Refused as refused:
                if self._is_proof(refused):
                    yield self._buried({post}, asked_at)
                continue
            if self._posts.is_open(moved):
                yield Part(self._posts.see([moved], asked_at))
            elif moved["category_id"] is not None or not self._site.keeps_messages:
                yield self._buried({post}, asked_at)

    def _last(
        self,
        topic: int,
        own: dict[str, Any],
        seen: set[int],
        records: tuple[Record, ...],
        asked_at: int,
    ) -> Part:
        """The last records of a topic, and its own; what is held of it and was not seen strayed."""
        self._strays |= self._all_of(topic) - seen
        return Part((*records, *differing([topic_record(own, asked_at)], self._held)))

    def _all_of(self, topic: int) -> set[int]:
        """All posts held of a topic, deleted ones and whispers too."""
        return self._posts.of_topic(topic) | self._posts.of_topic(-topic)

    def _buried(self, posts: Iterable[int], asked_at: int) -> Part:
        """Tombstones of posts, of all likes they had and of the asking for them, as a post may
        return; and of the answers they were."""
        gone = sorted(posts)
        self._posts.buried.update(gone)
        spans: list[Span] = []
        for post in gone:
            spans.append(Span("likes", asked_at, *likes_range(post), keys=(), covers=False))
            spans.append(Span("like_counts", asked_at, post, post, keys=(), covers=False))
        posts_gone = (Record("posts", str(post), {}, asked_at, gone=True) for post in gone)
        answers_gone = self._posts.unsolved(map(str, gone), asked_at)
        return Part((*posts_gone, *answers_gone), tuple(spans))

    def _page(self, topic: int, number: int) -> dict[str, Any]:
        """A page of a topic, deleted posts included. Raises Refused where it may not be read."""
        wish: dict[str, Any] = {"include_raw": "true", "show_deleted": "true"}
        if self._prints:
            wish["print"] = "true"  # a thousand posts instead of twenty
        if number > 1:
            wish["page"] = str(number)
        try:
            answer: dict[str, Any] = self._client.fetch(f"/t/{topic}.json", **wish)
        except Refused as refused:
            if not self._prints or refused.status not in {403, 422}:
                raise
            self._prints = False
            return self._page(topic, number)
        except FixAccess as error:
            self._client.get_site_info()  # raises again where it is the key that is not accepted
            raise Refused(f"{self._site.name}/topics {topic}", 403, str(error)) from None
        return answer

    def _is_proof(self, refused: Refused) -> bool:
        """Whether this says that a thing is deleted: a forum hides from all but admins what they
        may not read by the same 404."""
        if not refused.is_missing:
            return False
        if self._sees_all is None:
            self._sees_all = self._site.is_admin()
        return self._sees_all
