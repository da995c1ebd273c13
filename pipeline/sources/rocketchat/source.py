"""The source itself: what can be read with the account's permissions, and the reading."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pipeline.errors import FixAccess, FixSettings
from pipeline.records import Bookmarks, Part, Record, Span, StreamPlan
from pipeline.settings import RocketChatSettings
from pipeline.sources import Estimate, Finding
from pipeline.sources.http import Transport, Usage
from pipeline.sources.rocketchat.client import MOST_CALLS_A_MINUTE, Client, Refused
from pipeline.sources.rocketchat.health import examine
from pipeline.sources.rocketchat.messages import (
    LARGE_EVERY_DAYS,
    LARGE_ROOM,
    PAGE,
    WHOLE_EVERY_DAYS,
    WHOLE_ROOM,
    Memory,
    RoomReader,
)
from pipeline.sources.rocketchat.people import read_people
from pipeline.sources.rocketchat.posting import Poster
from pipeline.sources.rocketchat.reports import ReportReader
from pipeline.sources.rocketchat.rights import Rights
from pipeline.sources.rocketchat.rooms import ALL_ROOMS, Inventory, inventory

_PUBLIC = " public"  # behind a mark of a room that is public through and through
_BLIND_SPOTS = (
    "Text that was edited between two nights: only the last version is seen.",
    "Reactions carry no time and no id: a reaction taken back before the next night is not seen, "
    "and people are known by the name they had when reacting, which is nobody's where several may "
    "have borne it since the message was written.",
    "A message deleted while the server keeps hidden copies leaves no trace in the feed: where the "
    f"room's counter does not betray it, it is noticed within {WHOLE_EVERY_DAYS} days, in rooms "
    f"above {LARGE_ROOM:,} messages within {LARGE_EVERY_DAYS}.",
    "Direct messages, and private groups that are not named in hearth.toml.",
    "Who is a member of a room: only joins and leaves, as the room announces them, and a count.",
    "The text of encrypted rooms.",
    "Who wrote what stays of a deleted account whose messages the server unlinked: it counts as a "
    "person's, but nobody's in particular.",
    "A report that was made and dealt with between two nights, and reports of profiles.",
)


class RocketChat:
    """One workspace. Streams: rooms, room_reads, messages; users, roles; reports.

    room_reads has one record a room: when it was last read, and whether we still may
    (`access`: "read"; "lost", we were sent away or no list names it any more; "private", it is no
    public room any more, which it stays until it is listed as one). The mark of a rooms record is
    the endpoint that listed it, and whether it was public then.
    """

    platform = "rocketchat"

    def __init__(self, settings: RocketChatSettings, name: str, transport: Transport) -> None:
        self.name = name
        self._settings = settings
        self._client = Client(transport, settings.share)
        self._gaps: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """What reading has cost so far."""
        return self._client.transport.usage

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the last read found that it may not see, one sentence each."""
        return self._gaps

    @property
    def writer(self) -> Poster:
        """What writes to the workspace, for digests."""
        return Poster(self._client)

    def plan(self) -> list[StreamPlan]:
        """The units of work, two requests. What the account's roles do not grant is named."""
        rights = Rights.ask(self._client)
        return [
            StreamPlan(
                "messages",
                "sync",
                yields=("rooms", "room_reads", "messages"),
                unavailable=rights.lack("messages"),
                blind_spots=_BLIND_SPOTS,
            ),
            StreamPlan("users", "rest", ("users", "roles"), unavailable=rights.lack("users")),
            StreamPlan("reports", "rest", ("reports",), unavailable=rights.lack("reports")),
        ]

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this unit of work that is new, changed or gone since the bookmarks.

        Raises FixAccess where a permission was lost since the plan was made."""
        try:
            yield from self._read(stream, bookmarks)
        except Refused as refusal:
            if refusal.denied:
                raise FixAccess(f"{refusal}; `hearth doctor` names what is missing") from refusal
            raise

    def _read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        if stream == "messages":
            yield from self._read_rooms(bookmarks)
        elif stream == "users":
            yield from read_people(self._client, self._settings.emails)
        elif stream == "reports":
            tonight = cache(lambda: self._inventory(bookmarks))  # not asked for without reports
            reader = ReportReader(self._client, bookmarks, lambda rid: rid in tonight().rooms)
            yield from reader.read()
        else:
            raise FixSettings(f"{self.name}: a Rocket.Chat workspace has no stream {stream!r}")

    def probe(self) -> list[Finding]:
        """What an operator should know of this workspace and account."""
        return examine(self._client, self._settings)

    def estimate(self, bookmarks: Bookmarks, stream: str | None = None) -> Estimate:
        """What the next read costs: one request a room, and pages for large rooms not read yet."""
        if stream in ("users", "reports"):
            return Estimate(2, 0)
        rooms = self._inventory(bookmarks)
        reader = RoomReader(self._client, bookmarks, rooms)
        messages = sum(self._requests(reader, rid) for rid in reader.due())
        by_stream = {"messages": 2 + messages, "users": 2, "reports": 2}
        total = sum(by_stream.values())
        a_minute = 10 * self._settings.share if rooms.limited else MOST_CALLS_A_MINUTE
        return Estimate(total, messages / a_minute * 60, by_stream)

    @staticmethod
    def _requests(reader: RoomReader, rid: str) -> int:
        size = reader.size(rid)
        if reader.is_complete(rid) or size <= WHOLE_ROOM:
            return 1
        return 1 + -(-size // PAGE)

    def _inventory(self, bookmarks: Bookmarks) -> Inventory:
        marks = bookmarks["rooms"].marks()
        return inventory(
            self._client,
            self._settings.private,
            listed_all=any(_listed_by(mark) == ALL_ROOMS for mark in marks.values()),
            once_public=_once_public(bookmarks),
        )

    def _read_rooms(self, bookmarks: Bookmarks) -> Iterator[Part]:
        rooms = self._inventory(bookmarks)
        self._gaps = rooms.gaps
        reader = RoomReader(self._client, bookmarks, rooms)
        marks = bookmarks["rooms"].marks()
        known = marks.keys() | bookmarks["room_reads"].marks().keys()
        missing = sorted(known - rooms.rooms.keys() - rooms.withheld)
        found = {rid: "deleted" if rid in rooms.removed else self._find(rid) for rid in missing}
        read = [rid for rid in missing if found[rid] == "open" and reader.was_read(rid)]
        self._check_lists(rooms, [rid for rid in read if _listed_by(marks.get(rid)) == ALL_ROOMS])
        records = [
            Record("rooms", rid, room, rooms.asked_at, mark=_mark(rooms, rid))
            for rid, room in rooms.rooms.items()
        ]
        yield Part(tuple(records))
        for rid in sorted(known & rooms.withheld):
            yield reader.access(rid, "private")
        for rid in missing:
            if found[rid] == "deleted":
                yield _deleted_room(rid, rooms.asked_at, marks.get(rid), reader.was_read(rid))
        yield from reader.lose([rid for rid in missing if found[rid] != "deleted"])
        yield from reader.read()

    def _find(self, rid: str) -> str:
        """What became of a room that no list names: "deleted", "closed" to us, or "open"."""
        try:
            self._client.get("rooms.info", roomId=rid)
        except Refused as refusal:
            return "deleted" if refusal.code == "error-room-not-found" else "closed"
        return "open"

    def _check_lists(self, rooms: Inventory, unlisted: list[str]) -> None:
        """Raise FixAccess where rooms that stand open are in no list any more, because the account
        may not list all rooms as it did before. Nothing is told of rooms below them either."""
        if unlisted and rooms.listed_by != ALL_ROOMS:
            raise FixAccess(
                f"{self.name}/messages: {len(unlisted)} rooms that were read before are in no list "
                "any more: the account's roles do not grant view-room-administration; add it to "
                "the account's role, or the account to these rooms. What was read before stays as "
                "it was"
            )


def _mark(rooms: Inventory, rid: str) -> str:
    return f"{rooms.listed_by}{_PUBLIC}" if rid in rooms.public else rooms.listed_by


def _listed_by(mark: str | None) -> str:
    return (mark or "").removesuffix(_PUBLIC)


def _once_public(bookmarks: Bookmarks) -> dict[str, bool]:
    """The rooms that were public when last listed, true for those deleted since. A room that was
    closed to us after that is none of them, nor one that an older version saw deleted."""
    reads = bookmarks["room_reads"].marks()
    rows = bookmarks["rooms"].ask("SELECT key, gone WHERE ends_with(mark, ?)", _PUBLIC)
    return {rid: gone for rid, gone in rows if gone or Memory.parse(reads.get(rid)).is_read}


def _deleted_room(rid: str, seen_at: int, mark: str | None, was_read: bool) -> Part:
    """A room that was deleted takes its messages with it. Its mark stays where it was open until
    then, for the discussions it leaves behind."""
    records = (
        Record("rooms", rid, {}, seen_at, mark=mark if was_read else None, gone=True),
        Record("room_reads", rid, {}, seen_at, container=rid, gone=True),
    )
    return Part(records, (Span("messages", seen_at, container=rid, keys=(), covers=False),))
