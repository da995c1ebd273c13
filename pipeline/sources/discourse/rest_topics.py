"""Topics and their posts by REST, with as few topic reads as their lists allow.

New posts come fifty at a time from `/posts.json`, and those of the last week once more. The topic
lists then say how many posts and likes each topic has; a topic is read where that is not what is
held, or where its posts are suspected to differ all the same. A topic's own record lands together
with its posts, so that a kill between the two is made good the next night.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import FixAccess
from pipeline.records import Bookmarks, Part, Record, Span, merge_ranges, uncovered
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.rest import (
    DAY_US,
    MOST_MISSING,
    NIGHTS,
    OVERLAP_US,
    Site,
    differing,
    likes_range,
    micros,
    pages,
    unlisted,
)
from pipeline.sources.discourse.rest_people import category_records
from pipeline.sources.discourse.rest_records import (
    WHISPER,
    is_deleted,
    is_listed,
    is_shown,
    post_record,
    topic_record,
)
from pipeline.sources.discourse.rest_suspects import suspects

PAGE = 50  # posts in an answer of /posts.json
LIST_PAGE = 100
WHOLE_SWEEP = 20  # pages: a longer list is walked in a week's nights, a slice each
OF_LATE_US = NIGHTS * DAY_US
MOST_OF_LATE = 20  # pages of posts to look through again each night
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


_TOPIC = re.compile(r"/t/(?:[^/]*/)?(\d+)$")


@dataclass(slots=True)
class Tally:
    """What is held of a topic: readable posts, their likes, the highest number, accepted ones."""

    posts: int = 0
    likes: int = 0
    highest: int = 0
    accepted: int = 0


@dataclass(slots=True)
class Found:
    """What a read of the topics has learnt so far.

    likes    post -> its number of likes, of posts seen tonight that have or had some
    moved    posts seen tonight in another topic than before
    touched  topics (as text) that these left or entered: their counts may be as before
    news     topics of posts seen tonight that are not as they are held
    absent   topics with a post that the list of posts should have shown and did not
    unread   topic -> its list item, for topics whose posts are to be read
    missing  topics held that no list names any more
    strays   posts held of a topic that its read did not bring
    """

    tallies: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    likes: dict[int, int] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    news: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    unread: dict[int, dict[str, Any]] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    missing: list[int] = field(default_factory=list)
    strays: set[int] = field(default_factory=set)


class Topics:
    """Reads topics and posts; what it learns of likes is in `found` afterwards."""

    def __init__(self, site: Site, bookmarks: Bookmarks) -> None:
        self._site = site
        self._client = site.client
        self._bookmarks = bookmarks
        self._topics = bookmarks["topics"]
        self._posts = bookmarks["posts"]
        self._whispers = "whispers" in site.settings.private
        self._open: set[int] = set()
        self._descriptions: dict[int, bool] = {}  # topics that no list names: of open categories
        self._prints = True  # servers may count print views, or forbid them
        self._solved: set[str] = set()
        self._suspects: set[int] = set()
        self._sees_all: bool | None = None
        self._list_page = LIST_PAGE  # servers before 2026 know no per_page and give 30
        self.found = Found()

    def read(self) -> Iterator[Part]:
        """Every new and changed topic and post that lists and counts give away."""
        categories = category_records(self._site, self._bookmarks)
        self._open = {record.payload["id"] for record in categories}
        held = self._bookmarks["categories"].marks()
        for record in categories:
            if found := _TOPIC.search(record.payload.get("topic_url") or ""):
                self._descriptions[int(found[1])] = held.get(record.key) != record.mark
        for topic, *tally in self._posts.ask(
            "SELECT CAST(split_part(mark, '|', 1) AS BIGINT) AS topic, count(*),"
            " sum(CAST(split_part(mark, '|', 3) AS BIGINT)),"
            " max(CAST(split_part(mark, '|', 2) AS BIGINT)),"
            " count(*) FILTER (split_part(mark, '|', 4) = '1')"
            " WHERE NOT gone AND regexp_matches(mark, '^[0-9]+\\|[0-9]+\\|[0-9]+\\|')"
            " GROUP BY topic"
        ):
            self.found.tallies[topic] = Tally(*(int(number) for number in tally))
        self._count_solutions()
        self._suspects = suspects(self._site, self._bookmarks, self._descriptions)
        yield from self._new_posts()
        for page in self._lists():
            yield from self._listed(page)
        for topic in sorted(self.found.unread, reverse=True):
            yield from self._read(topic, self.found.unread[topic])
        for topic in self._unnamed():
            yield from self._read(topic, None, is_missing=topic in self.found.absent)
        for topic in self.found.missing:
            yield from self._read(topic, None, is_missing=True)
        yield from self._strays()

    def _count_solutions(self) -> None:
        """Accepted answers that Data Explorer told of, before it was switched off."""
        for post, topic in self._bookmarks["solutions"].ask(
            "SELECT key, CAST(split_part(mark, '|', 1) AS BIGINT) WHERE NOT gone"
        ):
            self._solved.add(post)
            self.found.tallies[topic].accepted += 1

    def _new_posts(self) -> Iterator[Part]:
        """`/posts.json` from the newest downwards: over what was written of late, for its edits
        show there and what was hidden since does not, and over what is not covered yet."""
        covered = self._posts.covered()
        late = range(MOST_OF_LATE)
        before: int | None = None
        by_rank = False
        while True:
            asked_at = self._site.now()
            page = self._client.latest_posts(before)["latest_posts"]
            page = [post for post in page if before is None or post["id"] < before]
            ids = [post["id"] for post in page]
            # Servers before 2024 give a window of 50 ids, which may be empty half-way
            by_rank = by_rank or (len(ids) == PAGE and max(ids) - min(ids) >= PAGE)
            if (by_rank and len(ids) < PAGE) or (not ids and before is None):
                low = 1
            else:
                low = min(ids) if ids else max(1, (before or 1) - PAGE)
            high = max(ids, default=0) if before is None else before - 1
            self._miss(low, 2**62 if before is None else high, set(ids))
            if high >= low:
                records = self._records(page, asked_at)
                if records or any(uncovered(covered, low, high)):
                    yield Part(records, (Span("posts", asked_at, low, high),))
                covered = merge_ranges([*covered, (low, high)])
            late = late[1:]
            gap = next(uncovered(covered, 1, low), None)
            if late and len(ids) == PAGE and self._is_of_late(page):
                before = low
            elif gap is None or high < low:
                return
            else:
                before = gap[1] + 1

    def _is_of_late(self, page: Iterable[dict[str, Any]]) -> bool:
        since = self._site.now() - OF_LATE_US
        return any((micros(post["created_at"]) or 0) > since for post in page)

    def _miss(self, low: int, high: int, listed: set[int]) -> None:
        """Note the topics of posts between these ids that are held as posts which the list of posts
        shows, and that it did not show: they are hidden now, or deleted."""
        for key, mark in self._posts.marks(low, high).items():
            if int(key) not in listed and is_shown(mark):
                self.found.absent.add(int((mark or "").partition("|")[0]))

    def _records(self, posts: Iterable[dict[str, Any]], asked_at: int) -> tuple[Record, ...]:
        """Posts that may be read and differ from what is held; all of them are counted."""
        records = [post_record(post, asked_at) for post in posts if self._is_open(post)]
        ids = [int(record.key) for record in records]
        held = self._posts.marks(min(ids), max(ids)) if ids else {}
        for record in records:
            self._count(record, held.get(record.key))
        new = [record for record in records if held.get(record.key) != record.mark]
        self.found.news |= {record.payload["topic_id"] for record in new}
        new += [
            Record("solutions", record.key, {}, asked_at, gone=True)
            for record in records
            if record.key in self._solved and not record.payload.get("accepted_answer")
        ]
        return tuple(new)

    def _count(self, record: Record, held: str | None) -> None:
        post = int(record.key)
        topics, counts = [], []
        for mark, sign in ((held, -1), (record.mark, 1)):
            topic, number, likes, accepted, *_ = (mark or "|||").split("|")
            topics.append(topic)
            counts.append(int(likes or 0))
            if topic.isdigit():
                tally = self.found.tallies[int(topic)]
                tally.posts += sign
                tally.likes += sign * int(likes)
                tally.highest = max(tally.highest, int(number))
                tally.accepted += sign * (accepted == "1")  # a time, by Data Explorer
        if any(counts):
            self.found.likes[post] = counts[-1]
        if held is not None and topics[0] != topics[1]:
            self.found.moved.add(post)
            self.found.touched.update(topics)

    def _lists(self) -> Iterator[list[dict[str, Any]]]:
        """Pages of topic lists: all of them on a first fill; later what was bumped, and a slice of
        all, so that likes and deletions are seen, too."""
        held = len(self._topics.marks())
        since = self._topics.at()
        if not held or since is None:
            yield from pages(lambda page: self._page(page, order="created"))
            return
        if held > WHOLE_SWEEP * LIST_PAGE:
            for page in pages(self._page):
                yield page
                unpinned = [item for item in page if not item.get("pinned")]
                if unpinned and (micros(unpinned[-1]["bumped_at"]) or 0) < since - OVERLAP_US:
                    break
        yield from self._sweep(held)

    def _sweep(self, held: int) -> Iterator[list[dict[str, Any]]]:
        """Tonight's slice of all topics, oldest first; afterwards `missing` is known."""
        number_of_pages = -(-held // self._list_page)
        tonight = self._site.slice(number_of_pages, WHOLE_SWEEP)
        to_the_end = tonight.stop >= number_of_pages
        listed: set[int] = set()
        number = tonight.start
        while to_the_end or number <= tonight.stop:  # one page over: nothing hides between slices
            page = self._page(number, order="created", ascending="true")
            if not page:
                break
            yield page
            listed.update(item["id"] for item in page)
            number += 1
        self.found.missing += unlisted(
            self._site, self._topics, listed, tonight, number_of_pages, apart=self._descriptions
        )

    def _page(self, page: int, **order: str) -> list[dict[str, Any]]:
        answer = self._client.latest_topics(page=page, per_page=LIST_PAGE, **order)
        self._list_page = answer["topic_list"].get("per_page") or LIST_PAGE
        topics: list[dict[str, Any]] = answer["topic_list"]["topics"]
        return topics

    def _listed(self, page: Iterable[dict[str, Any]]) -> Iterator[Part]:
        """Records of topics whose posts are all held; the others are noted as unread."""
        asked_at = self._site.now()
        items = {item["id"]: item for item in page if item["id"] not in self.found.listed}
        self.found.listed.update(items)
        marks = self._topics.marks(min(items), max(items)) if items else {}
        known = []
        for topic, item in items.items():
            record = topic_record(item, asked_at)
            held = marks.get(record.key)
            if item.get("category_id") not in self._open:
                if held is not None:
                    yield self._gone(topic, asked_at)
            elif self._is_suspect(item) and len(self.found.unread) < MOST_MISSING:
                self.found.unread[topic] = item
            elif held != record.mark or record.key in self.found.touched:
                if self._is_explained(item, held):
                    known.append(record)
                else:
                    self.found.unread[topic] = item
        if known:
            yield Part(tuple(known))

    def _is_suspect(self, item: dict[str, Any]) -> bool:
        """Whether a topic is to be read though its counts are explained. The list of posts shows
        none of a topic that is not listed."""
        topic = item["id"]
        return topic in self._suspects or (topic in self.found.absent and bool(item["visible"]))

    def _unnamed(self) -> list[int]:
        """Topics to be read that no list has named tonight: of posts seen tonight, and what an open
        category names as its own description, where they are not held or suspect."""
        held = self._topics.marks()
        standing = {int(key) for key, mark in held.items() if not is_deleted(mark)}
        seen = {topic for topic, tally in self.found.tallies.items() if tally.posts}
        unknown = {topic for topic in seen | self._descriptions.keys() if str(topic) not in held}
        hiding = {topic for topic in self.found.absent if is_listed(held.get(str(topic)))}
        again = self._suspects | hiding | (self._descriptions.keys() & self.found.news)
        wanted = unknown | (again & standing)
        named = self.found.listed | set(self.found.missing)
        return sorted(wanted - named, reverse=True)[:MOST_MISSING]

    def _is_explained(self, item: dict[str, Any], held: str | None) -> bool:
        """Whether the posts held account for all the list says of this topic."""
        tally = self.found.tallies[item["id"]]
        counts = (item["posts_count"], item["like_count"], item["highest_post_number"])
        if counts != (tally.posts, tally.likes, tally.highest):
            return False
        if bool(item.get("has_accepted_answer")) != (tally.accepted > 0):
            return False
        before = (held or "").split("|")
        was_bumped = before[1:2] != [str(item["bumped_at"])]
        return held is None or not was_bumped or before[2:3] != [str(item["posts_count"])]

    def _read(
        self, topic: int, item: dict[str, Any] | None, is_missing: bool = False
    ) -> Iterator[Part]:
        """All posts of a topic, and its own record with the last of them.

        A topic that is refused is left as it is held: that is no proof of a deletion, unless a list
        that named it, or its posts, does so no more. Without a list item the record is made of the
        topic's own answer.
        """
        seen: set[int] = set()
        own: dict[str, Any] = {}
        number = 1
        while True:
            asked_at, printed = self._site.now(), self._prints
            try:
                answer = self._topic_page(topic, number)
            except Refused as refused:
                if own and refused.status == 404:  # past the end, on servers that say so
                    yield self._last(topic, own, seen, (), asked_at)
                elif is_missing and self._is_proof(refused):
                    yield self._gone(topic, asked_at)
                return
            if own and printed != self._prints:  # pages are shorter from now on
                seen.clear()
                number = 1
                continue
            own = item or {name: answer[name] for name in answer if name not in BULKY}
            if own.get("category_id") not in self._open:
                yield self._gone(topic, asked_at)
                return
            stream = answer["post_stream"]
            new = [post for post in stream["posts"] if post["id"] not in seen]
            seen.update(post["id"] for post in new)
            records = self._records(new, asked_at)
            number += 1
            if not new or ("stream" in stream and seen.issuperset(stream["stream"])):
                yield self._last(topic, own, seen, records, asked_at)
                return
            yield Part(records)

    def _last(
        self,
        topic: int,
        own: dict[str, Any],
        seen: set[int],
        records: tuple[Record, ...],
        asked_at: int,
    ) -> Part:
        """The last records of a topic, and its own; what is held of it and was not seen strayed."""
        self.found.strays |= self._of_topic(topic) - seen
        return Part((*records, *differing([topic_record(own, asked_at)], self._topics)))

    def _topic_page(self, topic: int, number: int) -> dict[str, Any]:
        """A page of a topic, deleted posts included. Raises Refused where it may not be read."""
        wish = {"include_raw": "true", "show_deleted": "true"}
        if self._prints:
            wish["print"] = "true"  # a thousand posts instead of twenty
        if number > 1:
            wish["page"] = str(number)
        try:
            answer: dict[str, Any] = self._client._get(f"/t/{topic}.json", **wish)
        except Refused as refused:
            if not self._prints or refused.status not in {403, 422}:
                raise
            self._prints = False
            return self._topic_page(topic, number)
        except FixAccess as error:
            self._client.get_site_info()  # raises again where it is the key that is not accepted
            raise Refused(f"{self._site.name}/topics {topic}", 403, str(error)) from None
        return answer

    def _of_topic(self, topic: int) -> set[int]:
        """Posts held as readable posts of this topic; of a negative one, its deleted posts and
        whispers."""
        rows = self._posts.ask("SELECT key WHERE NOT gone AND starts_with(mark, ?)", f"{topic}|")
        return {int(key) for (key,) in rows}

    def _gone(self, topic: int, asked_at: int) -> Part:
        """Tombstones of a topic that is deleted for good, or private from now on, and of all that
        is held of it."""
        posts = _gone_posts(self._of_topic(topic) | self._of_topic(-topic), asked_at)
        own = Record("topics", str(topic), {}, asked_at, gone=True)
        return Part((own, *posts.records), posts.spans)

    def _strays(self) -> Iterator[Part]:
        """Posts that left a topic: moved, deleted for good, or private now."""
        for post in sorted(self.found.strays - self.found.moved, reverse=True)[:MOST_MISSING]:
            asked_at = self._site.now()
            gone = _gone_posts({post}, asked_at)
            try:
                moved = self._client.post_by_id(post)
            except Refused as refused:
                if self._is_proof(refused):
                    yield gone
                continue
            yield Part(self._records([moved], asked_at)) if self._is_open(moved) else gone

    def _is_proof(self, refused: Refused) -> bool:
        """Whether this says that a thing is deleted: a forum hides from all but admins what they
        may not read by the same 404."""
        if refused.status not in {404, 410}:
            return False
        if self._sees_all is None:
            self._sees_all = self._site.is_admin()
        return self._sees_all

    def _is_open(self, post: dict[str, Any]) -> bool:
        """Whether a post may be read: of an open category, and no whisper unless they are named."""
        if post["post_type"] == WHISPER and not self._whispers:
            return False
        return "category_id" not in post or post["category_id"] in self._open


def _gone_posts(posts: Iterable[int], asked_at: int) -> Part:
    """Tombstones of posts, of all likes they had and of the asking for them: a post may return."""
    gone = sorted(posts)
    spans: list[Span] = []
    for post in gone:
        spans.append(Span("likes", asked_at, *likes_range(post), keys=(), covers=False))
        spans.append(Span("like_counts", asked_at, post, post, keys=(), covers=False))
    posts_gone = (Record("posts", str(post), {}, asked_at, gone=True) for post in gone)
    return Part(tuple(posts_gone), tuple(spans))
