"""Posts by REST: what is held of them, kept up with what tonight's answers show.

Nothing is asked of the forum here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.records import Bookmark, Bookmarks, Record
from pipeline.sources.discourse.marks import (
    PostMark,
    SolutionMark,
    beginning,
    parse,
    sql,
    sql_begins_with_numbers,
    sql_number,
)
from pipeline.sources.discourse.rest_records import WHISPER, post_record, shown_in


@dataclass(slots=True)
class Tally:
    """What is held of a topic: readable posts, their likes, the highest number, accepted ones."""

    posts: int = 0
    likes: int = 0
    highest: int = 0
    accepted: int = 0

    def explains(self, item: dict[str, Any]) -> bool:
        """Whether these posts account for all the counts that a topic list gives."""
        listed = (
            item["posts_count"],
            item["like_count"],
            item["highest_post_number"],
            bool(item.get("has_accepted_answer")),
        )
        return listed == (self.posts, self.likes, self.highest, self.accepted > 0)


class Posts:
    """The posts held, and what has been learnt tonight of those that answers showed. Whispers are
    private unless `whispers`.

    tallies  topic -> what is held of it, posts seen tonight included; zeros for an unknown topic
    likes    post -> its number of likes, of posts seen tonight that have or had some
    moved    posts seen tonight in another topic than before
    touched  topics (as text) that these left or entered: their counts may be as before
    news     topics of posts seen tonight that are not as they are held
    absent   topics with a post that the list of posts should have shown and did not
    fresh    posts seen tonight that differ from what is held -> their topic; none in a first fill
    buried   posts told as gone tonight that were not seen since
    """

    def __init__(
        self, bookmarks: Bookmarks, open_categories: Collection[int], whispers: bool
    ) -> None:
        self._held = bookmarks["posts"]
        self._open = open_categories
        self._whispers = whispers
        self._solved = _solved(bookmarks["solutions"])
        self.tallies = _tallies(self._held)
        for topic in self._solved.values():
            self.tallies[topic].accepted += 1
        self.likes: dict[int, int] = {}
        self.moved: set[int] = set()
        self.touched: set[str] = set()
        self.news: set[int] = set()
        self.absent: set[int] = set()
        self.fresh: dict[int, int] = {}
        self.buried: set[int] = set()

    def is_open(self, post: dict[str, Any]) -> bool:
        """Whether a post may be read: of an open category, and no whisper if these are private."""
        if post["post_type"] == WHISPER and not self._whispers:
            return False
        return "category_id" not in post or post["category_id"] in self._open

    def of_topic(self, topic: int) -> set[int]:
        """Posts held as readable posts of this topic; of a negative one, its deleted posts and
        whispers."""
        begins = beginning(PostMark, topic=topic)
        rows = self._held.ask("SELECT key WHERE NOT gone AND starts_with(mark, ?)", begins)
        return {int(key) for (key,) in rows}

    def see(self, posts: Iterable[dict[str, Any]], asked_at: int) -> tuple[Record, ...]:
        """Records of posts that may be read and differ from what is held; all that may be read are
        counted. One that is not held counts each time it is seen."""
        records = [post_record(post, asked_at) for post in posts if self.is_open(post)]
        ids = [int(record.key) for record in records]
        held = self._held.marks(min(ids), max(ids)) if ids else {}
        for record in records:
            self._count(record, held.get(record.key))
        new = [record for record in records if held.get(record.key) != record.mark]
        self.news |= {record.payload["topic_id"] for record in new}
        if self._held.rows is not None:
            self.fresh.update((int(record.key), record.payload["topic_id"]) for record in new)
        self.buried.difference_update(ids)
        refused = (r.key for r in records if not r.payload.get("accepted_answer"))
        return (*new, *self.unsolved(refused, asked_at))

    def unsolved(self, posts: Iterable[str], asked_at: int) -> tuple[Record, ...]:
        """Tombstones of what Data Explorer once told of these posts (keys) as accepted answers."""
        solved = (post for post in posts if post in self._solved)
        return tuple(Record("solutions", post, {}, asked_at, gone=True) for post in solved)

    def miss(self, low: int, high: int, listed: Collection[int]) -> None:
        """Note the topics of posts between these ids that are held as posts which the list of posts
        shows, and that it did not show: they are hidden now, or deleted."""
        for key, mark in self._held.marks(low, high).items():
            if int(key) not in listed and (topic := shown_in(mark)) is not None:
                self.absent.add(topic)

    def _count(self, record: Record, held: str | None) -> None:
        post = int(record.key)
        topics, counts = [], []
        for mark, sign in ((held, -1), (record.mark, 1)):
            state = parse(PostMark, mark)
            topic, likes = state.topic or "", int(state.likes or 0)
            topics.append(topic)
            counts.append(likes)
            if topic.isdigit():
                tally = self.tallies[int(topic)]
                tally.posts += sign
                tally.likes += sign * likes
                tally.highest = max(tally.highest, int(state.number or 0))
                tally.accepted += sign * (state.accepted == "1")  # a time, by Data Explorer
        if any(counts):
            self.likes[post] = counts[-1]
        if held is not None and topics[0] != topics[1]:
            self.touched.update(topics)
            if topics[0].lstrip("-") != topics[1].lstrip("-"):
                self.moved.add(post)


def _tallies(posts: Bookmark) -> defaultdict[int, Tally]:
    """Topic -> what is held of it, by the marks of its posts."""
    found: defaultdict[int, Tally] = defaultdict(Tally)
    for topic, *tally in posts.ask(
        f"SELECT {sql_number(PostMark, 'topic')} AS topic, count(*),"
        f" sum({sql_number(PostMark, 'likes')}),"
        f" max({sql_number(PostMark, 'number')}),"
        f" count(*) FILTER ({sql(PostMark, 'accepted')} = '1')"
        f" WHERE NOT gone AND {sql_begins_with_numbers(PostMark, 'likes')}"
        " GROUP BY topic"
    ):
        found[topic] = Tally(*(int(number) for number in tally))
    return found


def _solved(solutions: Bookmark) -> dict[str, int]:
    """Accepted answer (as text) -> its topic, of those that Data Explorer told of before it was
    switched off."""
    return dict(solutions.ask(f"SELECT key, {sql_number(SolutionMark, 'topic')} WHERE NOT gone"))
