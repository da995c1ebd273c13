"""Topics and their posts by REST, with as few topic reads as their lists allow.

New posts come fifty at a time from `/posts.json`, and those of the last week once more. The topic
lists then say how many posts and likes each topic has; a topic is read where that is not what is
held, or where its posts are suspected to differ all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipeline.records import Bookmarks, Part, Record
from pipeline.sources.discourse.marks import TopicMark, is_private_message, parse
from pipeline.sources.discourse.rest import (
    MOST_MISSING,
    OVERLAP_US,
    Site,
    micros,
    pages,
    some_of,
    unlisted,
)
from pipeline.sources.discourse.rest_newest_posts import newest_posts
from pipeline.sources.discourse.rest_posts import Posts
from pipeline.sources.discourse.rest_records import is_deleted, is_listed, topic_record
from pipeline.sources.discourse.rest_suspects import suspects, with_deleted
from pipeline.sources.discourse.rest_topic_reader import TopicReader

LIST_PAGE = 100
WHOLE_SWEEP = 20  # pages: a longer list is walked in a week's nights, a slice each
FEW = 3  # topics that are rather read one by one than asked for in a list first

_TOPIC = re.compile(r"/t/(?:[^/]*/)?(\d+)$")


class Topics:
    """Chooses the topics to read tonight, of the categories that may be read, and has them read.

    posts  the posts held and seen; after a read their `likes` are all that it has learnt of likes
    """

    def __init__(self, site: Site, bookmarks: Bookmarks, categories: Collection[Record]) -> None:
        self._site = site
        self._bookmarks = bookmarks
        self._topics = bookmarks["topics"]
        self._open = {record.payload["id"] for record in categories}
        self._descriptions = _descriptions(categories, bookmarks["categories"].marks())
        self.posts = Posts(bookmarks, self._open, "whispers" in site.settings.private)
        self._reader = TopicReader(site, self._topics, self.posts, self._open)
        self._suspects: set[int] = set()
        held = self._topics.marks().items() if site.keeps_messages else ()
        self._messages = {int(key) for key, mark in held if is_private_message(mark)}
        self._list_page = LIST_PAGE  # servers before 2026 know no per_page and give 30
        self._listed: set[int] = set()
        self._unread: dict[int, dict[str, Any]] = {}  # list items of topics that are to be read
        self._missing: list[int] = []  # topics held that no list names any more
        self._closed: dict[int, int] = {}  # topics in a private place now -> when that was seen

    def read(self) -> Iterator[Part]:
        """Every new and changed topic and post that lists and counts give away."""
        self._suspects = suspects(self._site, self._bookmarks, self._descriptions)
        self._look_at_deleted()
        self._suspects -= self._messages
        yield from newest_posts(self._site, self._bookmarks["posts"], self.posts)
        for page in self._lists():
            yield from self._compare(page)
        for page in self._by_id(self._unlisted_news()):
            yield from self._compare(page)
        for topic in sorted(self._unread, reverse=True):
            yield from self._reader.read(topic, self._unread[topic])
        for topic in self._unnamed():
            yield from self._reader.read(topic, None, is_missing=topic in self.posts.absent)
        for topic in self._missing:
            yield from self._reader.read(topic, None, is_missing=True)
        for topic, asked_at in self._closed.items():  # now it is known what was moved out of them
            yield self._reader.gone(topic, asked_at)
        yield from self._reader.strays()

    def _look_at_deleted(self) -> None:
        """Note some topics that are deleted, or have a deleted post, to be read again: they may be
        deleted for good by now. A deleted topic of a category that is private now is private."""
        deleted = {t: parse(TopicMark, m) for t, m in self._topics.marks().items() if is_deleted(m)}
        for topic, mark in deleted.items():
            if (mark.category or "").isdigit() and int(mark.category or 0) not in self._open:
                self._closed[int(topic)] = self._site.now()
        again = with_deleted(self._site, self._bookmarks) - self._closed.keys()
        self._missing += sorted(topic for topic in again if str(topic) in deleted)
        self._suspects |= {topic for topic in again if str(topic) not in deleted}

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
        """Tonight's slice of all topics, oldest first; afterwards it is known which are missing."""
        size = self._list_page
        number_of_pages = -(-held // size)
        tonight = self._site.slice(number_of_pages, WHOLE_SWEEP)
        to_the_end = tonight.stop >= number_of_pages
        number = tonight.start
        while to_the_end or number <= tonight.stop:  # one page over: nothing hides between slices
            page = self._page(number, order="created", ascending="true")
            if not page:
                break
            yield page
            number += 1
        apart = self._descriptions.keys() | self._messages
        missing = unlisted(self._topics, self._listed, tonight, page=size, apart=apart)
        yield from self._by_id(missing)
        missing = [topic for topic in missing if topic not in self._listed]
        self._missing += some_of(self._site, missing)

    def _by_id(self, topics: list[int]) -> Iterator[list[dict[str, Any]]]:
        """Lists of just these topics, which leave out none that stands, whatever its time; nothing
        of a few, which take no more requests one by one, or where the server gives others."""
        for first in range(0, len(topics) if len(topics) > FEW else 0, self._list_page):
            wanted = topics[first : first + self._list_page]
            page = self._page(0, topic_ids=",".join(map(str, wanted)), order="created")
            if not {item["id"] for item in page} <= set(wanted):
                return
            yield page

    def _unlisted_news(self) -> list[int]:
        """Topics of posts seen tonight that are not held and that no list has named: where many
        were made at one time, pages of a list may leave some out."""
        seen = {topic for topic, tally in self.posts.tallies.items() if tally.posts}
        known = self._listed | self._descriptions.keys()
        held = self._topics.marks()
        return sorted(topic for topic in seen - known if str(topic) not in held)

    def _page(self, page: int, **order: str) -> list[dict[str, Any]]:
        answer = self._site.client.latest_topics(page=page, per_page=LIST_PAGE, **order)
        self._list_page = answer["topic_list"].get("per_page") or LIST_PAGE
        topics: list[dict[str, Any]] = answer["topic_list"]["topics"]
        return topics

    def _compare(self, page: Iterable[dict[str, Any]]) -> Iterator[Part]:
        """Records of topics whose posts are all held; the others are noted as unread."""
        asked_at = self._site.now()
        items = {item["id"]: item for item in page if item["id"] not in self._listed}
        self._listed.update(items)
        marks = self._topics.marks(min(items), max(items)) if items else {}
        known = []
        for topic, item in items.items():
            record = topic_record(item, asked_at)
            held = marks.get(record.key)
            if item.get("category_id") not in self._open:
                if held is not None:
                    self._closed[topic] = asked_at
            elif self._is_suspect(item) and len(self._unread) < MOST_MISSING:
                self._unread[topic] = item
            elif held != record.mark or record.key in self.posts.touched:
                if self._is_explained(item, held):
                    known.append(record)
                else:
                    self._unread[topic] = item
        if known:
            yield Part(tuple(known))

    def _is_suspect(self, item: dict[str, Any]) -> bool:
        """Whether a topic is to be read though its counts are explained. The list of posts shows
        none of a topic that is not listed."""
        topic = item["id"]
        return topic in self._suspects or (topic in self.posts.absent and bool(item["visible"]))

    def _is_explained(self, item: dict[str, Any], held: str | None) -> bool:
        """Whether the posts held account for all the list says of this topic."""
        if not self.posts.tallies[item["id"]].explains(item):
            return False
        before = parse(TopicMark, held)
        was_bumped = before.bumped_at != str(item["bumped_at"])
        return held is None or not was_bumped or before.posts != str(item["posts_count"])

    def _unnamed(self) -> list[int]:
        """Topics to be read that no list has named tonight: of posts seen tonight, and what an open
        category names as its own description, where they are not held or suspect."""
        held = self._topics.marks()
        standing = {int(key) for key, mark in held.items() if not is_deleted(mark)}
        seen = {topic for topic, tally in self.posts.tallies.items() if tally.posts}
        unknown = {topic for topic in seen | self._descriptions.keys() if str(topic) not in held}
        hiding = {topic for topic in self.posts.absent if is_listed(held.get(str(topic)))}
        again = self._suspects | hiding | (self._descriptions.keys() & self.posts.news)
        wanted = unknown | (again & standing)
        named = self._listed | set(self._missing)
        return sorted(wanted - named, reverse=True)[:MOST_MISSING]


def _descriptions(categories: Iterable[Record], held: Mapping[str, str | None]) -> dict[int, bool]:
    """The topics that describe open categories, which no list names, with whether that category
    looks otherwise than it is held."""
    found = {}
    for record in categories:
        if topic := _TOPIC.search(record.payload.get("topic_url") or ""):
            found[int(topic[1])] = held.get(record.key) != record.mark
    return found
