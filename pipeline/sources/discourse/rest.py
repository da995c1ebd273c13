"""Plain REST: what a forum shows to anybody's client, where Data Explorer is off.

An admin key sees everything, so what is private is dropped here before it becomes a record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pipeline.errors import BadAnswer, FixAccess
from pipeline.records import Bookmark, Bookmarks, Part, Record, Span
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse.client import ForumClient, Refused
from pipeline.sources.discourse.marks import is_out_of_sight
from pipeline.sources.discourse.tables import PAIR

NIGHTS = 7
MOST_MISSING = 100  # things a night to look for one by one
LAZY_CHILDREN = 5
HASTY_S = 20.0  # no night waits longer for what a forum can be read without
LIKE = 2  # post_action_type_id
MESSAGE = "private_message"  # archetype of a topic
MESSAGES = "private_messages"  # in `private`
DAY_US = 86_400_000_000
OVERLAP_US = 600_000_000  # clocks differ
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BLIND_SPOTS = (
    "Posts that are older than a week or not among the newest 1,000: edits by their author, "
    "hiding, and another accepted answer. They are seen when the topic is next read: after a like, "
    "a deletion, a move, or an edit of its last post or by somebody else (not after a reply), or "
    "in turn; each of the 280 topics with the newest posts is read once a week.",
    "When a post was edited, if it was hidden later: the time of hiding is given instead.",
    "What is written and deleted between two nights.",
    "When a post was edited, if it was moved later or its author merged into another: the time of "
    "that is given instead.",
    "An unlike and a like on one post that cancel out. On a large forum a new like may take a week "
    "to be seen.",
    "Former texts of edited posts, and what was deleted before the first night.",
    "Who liked what, at once: at most 40 posts of a night and 20 of earlier ones are asked for.",
    "What was deleted for good, where the key's user is no admin; or after it was deleted: of the "
    "topics that this may be true of, five are looked at a night.",
    "On a forum of more than 2,000 topics, for up to a week which older ones were deleted, and for "
    "longer where more than a hundred have gone of a seventh of them.",
    "Older topics that are not listed, for some nights, where many were made at one time.",
    "Whose posts and likes are, for a night after an account was merged or deleted: they stay with "
    "it until it is known to be gone.",
    "Who gave reactions other than likes, and when a like was given where only its giver is told.",
)
MESSAGES_BLIND_SPOT = (
    "Private messages, though `private` names them: plain REST reads none. What Data Explorer told "
    "of them stays as it was."
)
USERS_BLIND_SPOTS = (
    "On a forum of more than 500 accounts, for up to a week, which older ones were deleted or "
    "switched off; for longer where their ids are in another order than their times.",
    "Accounts in no list (switched off, a bot's) that have written nothing.",
)
REPORTS_BLIND_SPOTS = (
    "Once a report is resolved, that its topic has another category, or became private or public.",
)
STAFF_BLIND_SPOTS = (
    "Whom an entry of the staff's log belongs to, after two accounts were merged.",
)
CHAT_BLIND_SPOTS = (
    "Channels in which the key's user may not write.",
    "For up to a week, edits, deletions and reactions of older chat messages, and replies to older "
    "threads; edits and reactions in a thread that nobody has answered for two weeks.",
    "When a chat message was edited, and who reacted to it.",
    "For up to a week, chat messages that were destroyed with their author's account; those as "
    "old as the oldest that stand, and in a thread that nobody has answered for two weeks, always.",
    "Replies in a chat thread whose first message was destroyed before they were read.",
    "Chat messages of accounts that were merged into others: who wrote them, and which were "
    "deleted.",
)
UNAVAILABLE = {
    "revisions": "each one takes a request and comes as a coloured HTML comparison",
    "reactions": "only their numbers are told, in the posts",
    "chat_message_reactions": "only their numbers are told, in the messages",
    "solutions": "the accepted post says so itself, without when and by whom",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What all REST readers share. `now` gives µs since 1970 UTC."""

    client: ForumClient
    name: str
    settings: DiscourseSettings
    now: Callable[[], int]

    @property
    def keeps_messages(self) -> bool:
        """Whether private messages may be kept, of which Data Explorer alone tells."""
        return MESSAGES in self.settings.private

    def categories(self, bookmarks: Bookmarks) -> list[dict[str, Any]]:
        """Categories that may be read. An unknown one counts as private.

        Raises BadAnswer where the forum names none, public or private, though some are held.
        """
        listed: list[dict[str, Any]] = []
        with suppress(Refused):
            listed = self.client.get_site_info().get("categories") or []
        listed = listed or self._lazy_categories()
        if not listed and bookmarks["categories"].marks():
            raise BadAnswer(
                f"{self.name}: the forum names no category, though some are held; nothing is taken "
                "for deleted. See its front page, and run again"
            )
        named = {name.lower() for name in self.settings.private}
        return [
            category
            for category in listed
            if not category.get("read_restricted")
            or {str(category.get("slug")).lower(), str(category.get("name")).lower()} & named
        ]

    def _lazy_categories(self) -> list[dict[str, Any]]:
        """Page by page, as large sites do (lazy_load_categories); with a parent come at most five
        children, so those of a parent with five are asked for by themselves."""
        found: dict[int, dict[str, Any]] = {}
        wishes: list[dict[str, int]] = [{}]
        for wish in wishes:
            for page in pages(partial(self._lazy_page, wish), 1):
                for category, children in _flat(page):
                    found[category["id"]] = category
                    more = {"parent_category_id": category["id"]}
                    if children >= LAZY_CHILDREN and more not in wishes:
                        wishes.append(more)
        return list(found.values())

    def _lazy_page(self, wish: Mapping[str, int], page: int) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.client.categories(
            include_subcategories="true", page=page, **wish
        )
        return listed

    def is_admin(self) -> bool:
        """Whether the acting user sees all there is, so that a 404 proves a deletion; false where
        the key may not even ask."""
        try:
            user = self.client.fetch(f"/u/{self.settings.username}.json")["user"]
        except (Refused, FixAccess):
            return False
        return bool(user.get("admin"))

    def night(self) -> int:
        """The number of this night, for what takes turns."""
        return self.now() // DAY_US

    def slice(self, pages: int, whole: int) -> range:
        """Numbers of the pages of a list to read tonight: all of a short list (up to `whole`
        pages), a week's share of a long one, each night another."""
        if pages <= whole:
            return range(pages)
        each = -(-pages // NIGHTS)
        first = each * (self.night() % NIGHTS)
        return range(min(first, pages), min(first + each, pages))


def _flat(categories: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """These categories and those nested in them, each by itself (a nested one may be private),
    with how many were nested in it."""
    for category in categories:
        children = category.get("subcategory_list") or ()
        yield (
            {name: category[name] for name in category if name != "subcategory_list"},
            len(children),
        )
        yield from _flat(children)


def micros(written: str | None) -> int | None:
    """A time of the API as µs since 1970 UTC."""
    if not written:
        return None
    at = datetime.fromisoformat(written)
    return (at.replace(tzinfo=at.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def likes_range(post: int) -> tuple[int, int]:
    """First and last key that a like of this post can have, whoever gave it: ids may be below 0."""
    return post * PAIR - PAIR // 2, post * PAIR + PAIR // 2 - 1


def only(payload: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """These fields, of those there are: the others are private or change at every look."""
    return {name: payload[name] for name in names if name in payload}


def differing(records: Iterable[Record], bookmark: Bookmark) -> tuple[Record, ...]:
    """Those whose state is not the one held."""
    listed = list(records)
    keys = [int(record.key) for record in listed]
    held = bookmark.marks(min(keys), max(keys)) if keys else {}
    return tuple(record for record in listed if held.get(record.key) != record.mark)


def unlisted(
    bookmark: Bookmark,
    listed: Collection[int],
    tonight: range,
    *,
    page: int,
    apart: Collection[int] = (),
) -> list[int]:
    """Keys held that lists should name and have not named tonight, ascending: of all keys, as they
    fill the pages (of that size) that are read tonight, so that each has its turn in a week. Those
    `apart` are in no list.

    Where things are not listed in order of their ids (after a split or an import, or with ties) the
    pages may name others than these, so one of these that stands may be among them.
    """
    standing = sorted(
        int(key)
        for key, mark in bookmark.marks(1).items()
        if int(key) not in apart and not is_out_of_sight(mark)
    )
    share = standing[tonight.start * page : tonight.stop * page]
    return [key for key in share if key not in listed]


def some_of(site: Site, missing: list[int]) -> list[int]:
    """As many as are looked for one by one in a night; of more, others each night."""
    first = site.night() * MOST_MISSING % max(1, len(missing))
    return [*missing[first:], *missing[:first]][:MOST_MISSING]


def whole(
    site: Site, records: list[Record], bookmark: Bookmark, asked_at: int, stream: str
) -> Part:
    """What differs of a complete list; what it does not name is gone, if an admin asked: others
    see less."""
    keys = tuple(record.key for record in records)
    is_proof = bookmark.marks().keys() <= set(keys) or site.is_admin()
    spans = (Span(stream, asked_at, keys=keys),) if is_proof else ()
    return Part(differing(records, bookmark), spans)


def pages(ask: Callable[[int], list[dict[str, Any]]], first: int = 0) -> Iterator[list[Any]]:
    """Pages of a list until one brings nothing new: how long a page is differs by version. `ask`
    is given a page's number."""
    seen: set[int] = set()
    number = first
    while True:
        page = ask(number)
        new = [item for item in page if item["id"] not in seen]
        if new:
            yield new
        if not new:
            return
        seen.update(item["id"] for item in new)
        number += 1


def newest_first(
    ask: Callable[[int], tuple[list[dict[str, Any]], Part]],
    written: str,
    bookmark: Bookmark,
    overlap: int = DAY_US,
) -> Iterator[Part]:
    """Parts of a list that begins with the newest, down to what a read that ended has brought.

    `ask` is given how many items to skip and returns the items listed and what is new among them;
    `written` names the time a list is ordered by. A read that was cut short has brought the top of
    the list and not what lies below, so what it brought ends no other read. Where the forum's clock
    was set back, what is new stands among what is older: up to `overlap` (µs) below it.
    """
    known = bookmark.settled() - overlap
    seen: set[int] = set()
    while True:
        listed, part = ask(len(seen))
        if part.records:
            yield part
        fresh = {item["id"] for item in listed} - seen
        if not fresh or (not part.records and (micros(listed[-1][written]) or 0) <= known):
            return
        seen |= fresh
