"""The messages of each room: what is new, changed or gone, with one request a room and night.

    nightly    chat.syncMessages?lastUpdate: everything since, deletions too, in one answer
    whole      the same question asked from 1970, once a week and for a first fill: the answer
               names all that exists, so it also finds what vanished without a trace
    fill       a large room's first read: page by page in order of change, then the nightly
               question since before the walk began
    list       a large room's weekly check, and any room's whose counter fell without a reason: the
               same walk, for its ids alone

The cursor is never used for deletions: the server filters them by one time and sorts by another.
A first fill that was cut short goes on where it stopped. Until it ends, the one number in the
room's span is the server's time (ms) when it began, for what was deleted since.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import astuple, dataclass, field, replace
from itertools import chain

from pipeline.errors import BadAnswer, FixAccess
from pipeline.records import HIGHEST, Bookmarks, Part, Record, Span
from pipeline.sources.http import TooLarge
from pipeline.sources.rocketchat.client import Client, Doc, Refused, Reply, iso, rows_of, to_ms
from pipeline.sources.rocketchat.rights import Rights
from pipeline.sources.rocketchat.rooms import Inventory

OVERLAP_MS = 5 * 60_000  # several application servers stamp with their own clocks
DAY_MS = 86_400_000
WHOLE_ROOM = 5_000  # messages a room may have to be read in one answer, about 5 MB
PAGE = 1_000
LIST_PAGE = 5_000
LARGEST_PAGE = 1_000_000  # that many changes in one millisecond are not believed
WHOLE_EVERY_DAYS = 7
LARGE_ROOM = 50_000
LARGE_EVERY_DAYS = 28
TRASH_DAYS = 29  # the server forgets deletions after 30
REST_DAYS = 21  # under the limiter no room rests longer
ROOMS_A_NIGHT = 300  # under the limiter: an hour at its default and half of it ours


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last successful read of a room left in the mark of its `room_reads` record.

    asked_ms  the server's time of that read
    whole_ms  of the last one that named all that exists
    state     the room's counters then: the same ones mean that nothing was posted or deleted since
    skew_ms   ms that the server's clock was ahead of ours then
    access    what the last attempt came to, a read or not; empty if an older version noted it
    listed_ms the server's time when the room was last listed as one that may be read, before that
    """

    asked_ms: int = 0
    whole_ms: int = 0
    state: str = ""
    skew_ms: int = 0
    access: str = ""
    listed_ms: int = 0

    @property
    def is_read(self) -> bool:
        """Whether the last attempt read the room."""
        return self.access == "read" or bool(self.asked_ms and not self.access)

    @staticmethod
    def parse(mark: str | None) -> Memory:
        return Memory(*json.loads(mark)) if mark else Memory()

    def mark(self) -> str:
        return json.dumps(list(astuple(self)))


@dataclass
class RoomReader:
    """Reads the rooms of one inventory, as the bookmarks say."""

    client: Client
    bookmarks: Bookmarks
    inventory: Inventory
    _memories: dict[str, Memory] = field(init=False)
    _reached: dict[str, int] = field(init=False)
    _vanished: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        marks = self.bookmarks["room_reads"].marks()
        self._memories = {rid: Memory.parse(mark) for rid, mark in marks.items()}
        self._reached = dict(
            self.bookmarks["messages"].ask('SELECT container, max("at") // 1000 GROUP BY container')
        )

    def read(self) -> Iterator[Part]:
        """All that is due tonight, small rooms first, so that a night cut short has read most.

        Raises at the end FixAccess where a permission was lost or most rooms are closed that were
        read before, and TooLarge for rooms whose answers were too large however little was asked.
        """
        too_large: list[str] = []
        refused: list[str] = []
        for rid in sorted(self.due(), key=lambda rid: (self.size(rid), rid)):
            try:
                for part in self._room(rid):
                    if self._tells_of_privacy(rid, part) and self._is_private_now(rid):
                        yield self.access(rid, "private")
                        break
                    yield part
            except TooLarge:
                too_large.append(rid)
            except Refused as refusal:
                if not refusal.denied:
                    raise
                refused.append(rid)
        self._check_rights(refused)
        self._check_refused(set(refused))
        yield from (self.access(rid, "lost") for rid in refused)
        if too_large:
            raise TooLarge(
                f"{self.client.transport.source}/messages: the answers of these rooms are too "
                f"large even page by page: {', '.join(too_large)}; all other rooms were read"
            )

    def _tells_of_privacy(self, rid: str, part: Part) -> bool:
        """Whether a room that was listed as public says that this changed since."""
        since_ms = self.inventory.server_ms - OVERLAP_MS
        return self.inventory.rooms[rid]["t"] == "c" and any(
            record.payload.get("t") == "room_changed_privacy"
            and to_ms(record.payload["ts"]) >= since_ms
            for record in part.records
        )

    def _is_private_now(self, rid: str) -> bool:
        """Whether a room is no public one any more; true where nothing is said of it."""
        try:
            return bool(self.client.get("rooms.info", roomId=rid).value["room"]["t"] != "c")
        except Refused:
            return True

    def lose(self, rids: Collection[str]) -> Iterator[Part]:
        """That these rooms, which no list names any more, are closed to the account. Raises
        FixAccess before any is written down as lost, where a permission was lost."""
        listed = self.inventory.rooms
        self._vanished |= {rid for rid in rids if rid not in listed and self.was_read(rid)}
        self._check_rights(rids)
        yield from (self.access(rid, "lost") for rid in rids)

    def _check_rights(self, rids: Collection[str]) -> None:
        """Raise FixAccess where the account's roles do not grant what these rooms need: it may have
        been taken from them since the plan was made. Rooms known as lost say nothing new."""
        fresh = {rid for rid in rids if self._memory(rid).access not in ("lost", "private")}
        if not fresh:
            return
        rights, listed = Rights.ask(self.client), self.inventory.rooms
        groups = {rid for rid in fresh if rid in listed and listed[rid]["t"] != "c"}
        lacking = rights.lack_rooms() if fresh - groups else None
        if lacking is None and any(map(self.was_read, groups)):
            lacking = rights.lack_groups()
        if lacking:
            raise FixAccess(
                f"{self.client.transport.source}/messages: {len(fresh)} rooms are closed to the "
                f"account now: {lacking}. What was read before stays as it was"
            )

    def _check_refused(self, refused: set[str]) -> None:
        """Raise FixAccess where most of what the account read before is closed now, or all where it
        has read nothing yet. A private group that is refused is one it was sent away from, and says
        nothing of the others."""
        public = {rid for rid in self.due() if self.inventory.rooms[rid]["t"] == "c"}
        before = set(filter(self.was_read, public)) | self._vanished
        closed = (refused | self._vanished) & (before or public)
        if closed and 2 * len(closed) > len(before or public):
            raise FixAccess(
                f"{self.client.transport.source}/messages: {len(closed)} of "
                f"{len(before or public)} rooms are closed to the account now; grant view-c-room "
                "and view-room-administration to its role. What was read before stays as it was"
            )

    def due(self) -> set[str]:
        """Every room, unless our calls are counted. Then: those not read whole yet, those with new
        or deleted messages, those that rested long; and of the others, which may hold edits and
        reactions that no counter shows, the longest unasked as far as an hour goes."""
        rooms = set(self.inventory.rooms)
        if not self.inventory.limited or len(rooms) <= ROOMS_A_NIGHT:
            return rooms
        must = {rid for rid in rooms if self._has_news(rid)}
        rest = sorted(rooms - must, key=lambda rid: (self._memory(rid).asked_ms, rid))
        return must | set(rest[: max(0, ROOMS_A_NIGHT - len(must))])

    def access(self, rid: str, answer: str) -> Part:
        """That a room could not be read: "lost" (we were sent away, or nothing tells of it), or
        "private" (it has become so, and stays so when nothing tells of it). Its messages stay as
        they were, and the rest of its memory too; but what was read of it after it was last listed
        as public may have been written behind doors, and is let go."""
        memory = self._memory(rid)
        let_go: list[Record] = []
        now = time.time_ns() // 1000
        if rid in self.inventory.withheld and memory.access == "read" and memory.listed_ms:
            let_go = self._emptied(rid, memory.listed_ms, now)
            # To have it back, should the room be opened
            memory = replace(memory, asked_ms=min(memory.asked_ms, memory.listed_ms))
        if answer == "lost" and memory.access == "private":
            answer = "private"
        memory = replace(memory, access=answer)
        return Part((*let_go, self._read_record(rid, memory, now)))

    def _emptied(self, rid: str, after_ms: int, seen_at: int) -> list[Record]:
        """A room's messages that changed after this time, hidden and without their content."""
        rows = self.bookmarks["messages"].ask(
            'SELECT key, "at" WHERE container = ? AND "at" > ?', rid, after_ms * 1000
        )
        return [
            Record("messages", mid, {"_id": mid, "rid": rid, "_hidden": True}, seen_at, at, rid)
            for mid, at in rows
        ]

    def _has_news(self, rid: str) -> bool:
        memory = self._memory(rid)
        rested = abs(self.inventory.server_ms - memory.asked_ms) >= REST_DAYS * DAY_MS
        shut = memory.access in ("lost", "private")  # it may be open again
        return rested or shut or memory.state != self._state(rid)

    def _room(self, rid: str) -> Iterator[Part]:
        known, since = self.is_complete(rid), self._since_ms(rid)
        whole = not known or since <= 0 or self._whole_is_due(rid)
        if whole and self.size(rid) <= WHOLE_ROOM:
            try:
                yield self._ask(rid, 0, whole=True)
                return
            except TooLarge:  # the room's counter is only a hint
                pass
        if not known:
            yield from self._fill(rid)
            return
        try:
            news = self._ask(rid, since)
        except TooLarge:
            yield from self._catch_up(rid, since)
            return
        yield news
        if whole or self._lacks_more(rid, news):
            yield self._list(rid, after=news)

    def _ask(self, rid: str, since_ms: int, *, whole: bool = False, filled: bool = False) -> Part:
        """One answer with all that changed or went after `since_ms`; from 0, all there is."""
        reply = self.client.get("chat.syncMessages", roomId=rid, lastUpdate=iso(max(0, since_ms)))
        updated, deleted = _result(reply, "updated"), _result(reply, "deleted")
        gone_ms = {row["_id"]: to_ms(row["_deletedAt"]) for row in deleted}
        there = [m for m in updated if to_ms(m["_updatedAt"]) > gone_ms.get(m["_id"], -1)]
        records = [_message(rid, message, reply) for message in there]
        keys = dict.fromkeys(message["_id"] for message in there)
        records += [
            _deletion(rid, mid, at_ms, reply) for mid, at_ms in gone_ms.items() if mid not in keys
        ]
        memory = self._now(rid, reply, whole=whole or filled)
        records.append(self._read_record(rid, memory, reply.asked_at))
        listed = tuple(keys) if whole else None
        complete = Span("messages", reply.asked_at, container=rid, keys=listed)
        return Part(tuple(records), (complete,) if whole or filled else ())

    def _lacks_more(self, rid: str, news: Part) -> bool:
        """Whether the room's counter fell by more than the news account for: a server that keeps
        hidden copies deletes without a word. Only what it surely counted is expected of it."""
        asked_ms, counted = self._memory(rid).asked_ms, self._memory(rid).state.partition("/")[0]
        expected = int(counted or 0)
        for record in (one for one in news.records if one.stream == "messages"):
            kind = record.payload.get("t")
            if record.gone or kind == "rm":
                expected -= 1
            elif not kind:
                at_ms = to_ms(record.payload["ts"])
                expected += asked_ms < at_ms <= self.inventory.server_ms
        return 0 < self.size(rid) < expected

    def _fill(self, rid: str) -> Iterator[Part]:
        """A large room from its first message on, or from where an earlier fill stopped."""
        begun = self.bookmarks["messages"].covered(rid)
        began_ms = begun[0][0] if begun else 0
        for reply in self._walk(rid, self._watermark_ms(rid) - 1 if begun else 0, PAGE):
            spans: tuple[Span, ...] = ()
            if not began_ms:
                began_ms = reply.server_ms
                spans = (Span("messages", reply.asked_at, began_ms, began_ms, rid),)
            yield Part(tuple(_message(rid, m, reply) for m in _result(reply, "updated")), spans)
        try:
            yield self._ask(rid, began_ms - OVERLAP_MS, filled=True)
        except TooLarge:
            yield from self._catch_up(rid, began_ms - OVERLAP_MS, filled=True)

    def _catch_up(self, rid: str, since_ms: int, *, filled: bool = False) -> Iterator[Part]:
        """What `_ask` would bring, where that is too much for one answer.

        Deletions first, by a list, and nothing newer than the list before the last question: a
        watermark beyond the list would hide what was deleted since, if we were cut short. Where
        that question's answer is too large as well, the room counts as asked when it was listed.
        """
        listed = self._list(rid)
        yield listed
        listed_ms = (listed.records[0].at or 0) // 1000
        yield from self._changed(rid, since_ms, before_ms=listed_ms)
        try:
            yield self._ask(rid, listed_ms - OVERLAP_MS, filled=filled)
        except TooLarge:
            yield from self._changed(rid, listed_ms - OVERLAP_MS)
            if filled:
                yield Part((), (replace(listed.spans[0], keys=None, covers=True),))

    def _changed(self, rid: str, since_ms: int, *, before_ms: int = HIGHEST) -> Iterator[Part]:
        """The messages changed after one time and before another, by pages; not the deletions."""
        for reply in self._walk(rid, since_ms, PAGE):
            rows = _result(reply, "updated")
            some = [m for m in rows if to_ms(m["_updatedAt"]) < before_ms]
            yield Part(tuple(_message(rid, message, reply) for message in some))

    def _list(self, rid: str, *, after: Part | None = None) -> Part:
        """The ids of all that exists, found by a walk, so that those not named are known gone.

        After the news of a night, also the messages we do not hold. What changed between the news
        and the list is not among these, so the room counts as asked when the news were."""
        walk = self._walk(rid, 0, LIST_PAGE)
        first = next(walk)
        held = self.bookmarks["messages"].keys(rid)
        keys: dict[str, None] = {}
        news: list[Record] = []
        for reply in chain([first], walk):
            found = _result(reply, "updated")
            keys |= dict.fromkeys(message["_id"] for message in found)
            if after is not None:
                news += [_message(rid, m, reply) for m in found if m["_id"] not in held]
        memory = self._now(rid, first, whole=True)
        if after is not None:
            asked = Memory.parse(after.records[-1].mark)
            memory = replace(memory, asked_ms=asked.asked_ms, skew_ms=asked.skew_ms)
        span = Span("messages", first.asked_at, container=rid, keys=tuple(keys), covers=False)
        return Part((*news, self._read_record(rid, memory, first.asked_at)), (span,))

    def _walk(self, rid: str, after_ms: int, page: int) -> Iterator[Reply]:
        """Answers with all messages changed after `after_ms`, in order of change.

        The server's cursor skips what shares a millisecond with the end of a page, so each page
        begins one millisecond before; one that lies within a single millisecond is asked again,
        larger, and one that is too large for an answer smaller. What changes meanwhile moves to the
        end and is met again. Raises TooLarge where neither helps.
        """
        cursor, count, most = max(0, after_ms), page, LARGEST_PAGE
        while True:
            try:
                reply = self.client.get(
                    "chat.syncMessages", roomId=rid, type="UPDATED", next=str(cursor), count=count
                )
            except TooLarge:
                page = count = most = count // 2
                if count:
                    continue
                raise
            yield reply
            following = (reply.value["result"].get("cursor") or {}).get("next")
            if following is None or not _result(reply, "updated"):
                return
            if to_ms(following) - 1 > cursor:
                cursor, count, most = to_ms(following) - 1, page, LARGEST_PAGE
            elif count < most:
                count *= 2
            else:
                raise TooLarge(f"{self.client.transport.source}: a room's cursor stands still")

    def is_complete(self, rid: str) -> bool:
        """Whether all of this room has been read once."""
        return any(low < 0 for low, _ in self.bookmarks["messages"].covered(rid))

    def _watermark_ms(self, rid: str) -> int:
        """The highest server time received of this room. Reads cut short count: within a room no
        part brings a change and leaves an earlier one to a later part."""
        return self._reached.get(rid, 0)

    def _since_ms(self, rid: str) -> int:
        """From when on to ask. Not later than when we last asked: one message stamped by a server
        whose clock is ahead must not hide those that others stamp after it. Where the server's
        clock was set back since, as ours tells, it stamps times once more that it had stamped then.
        """
        reached, memory = self._watermark_ms(rid), self._memory(rid)
        set_back_ms = max(0, memory.skew_ms - self.inventory.skew_ms)
        return min(reached, memory.asked_ms or reached) - OVERLAP_MS - set_back_ms

    def _whole_is_due(self, rid: str) -> bool:
        """Once a week on the room's own weekday, or when more time has passed; and always after a
        pause longer than the server's memory of deletions. A clock that was far ahead counts as one
        that is far behind, or the room would rest until then."""
        memory, now = self._memory(rid), self.inventory.server_ms
        every = WHOLE_EVERY_DAYS if self.size(rid) <= LARGE_ROOM else LARGE_EVERY_DAYS
        turn = int(hashlib.sha256(rid.encode()).hexdigest()[:8], 16) % every
        days = abs(now - memory.whole_ms) / DAY_MS
        mine = now // DAY_MS % every == turn and days >= 1
        return mine or days >= every or abs(now - memory.asked_ms) >= TRASH_DAYS * DAY_MS

    def _now(self, rid: str, reply: Reply, *, whole: bool) -> Memory:
        whole_ms = reply.server_ms if whole else self._memory(rid).whole_ms
        state, listed_ms = self._state(rid), self.inventory.server_ms
        return Memory(reply.server_ms, whole_ms, state, reply.skew_ms, "read", listed_ms)

    def was_read(self, rid: str) -> bool:
        """Whether the room was open to the account when it was last asked for."""
        return self._memory(rid).is_read

    def _memory(self, rid: str) -> Memory:
        return self._memories.get(rid, Memory())

    def size(self, rid: str) -> int:
        """Messages the room has by the server's counter, which drifts."""
        return int(self.inventory.rooms[rid].get("msgs") or 0)

    def _state(self, rid: str) -> str:
        return f"{self.size(rid)}/{self.inventory.active_ms.get(rid, 0)}"

    def _read_record(self, rid: str, memory: Memory, asked_at: int) -> Record:
        payload = {"access": memory.access, "asked_at": iso(memory.asked_ms)}
        payload["whole_at"] = iso(memory.whole_ms)
        at = memory.asked_ms * 1000
        return Record("room_reads", rid, payload, asked_at, at, rid, memory.mark())


def _result(reply: Reply, name: str) -> list[Doc]:
    result = reply.value.get("result")
    if not isinstance(result, dict):
        raise BadAnswer("chat.syncMessages answered without a result; is the server 7.1 or newer?")
    at = "_updatedAt" if name == "updated" else "_deletedAt"
    return rows_of(replace(reply, value=result), name, "_id", at)


def _message(rid: str, message: Doc, reply: Reply) -> Record:
    at = to_ms(message["_updatedAt"]) * 1000
    return Record("messages", message["_id"], message, reply.asked_at, at, rid)


def _deletion(rid: str, mid: str, at_ms: int, reply: Reply) -> Record:
    return Record("messages", mid, {}, reply.asked_at, at_ms * 1000, rid, gone=True)
