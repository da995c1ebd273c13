"""Everything in which the forum differs from what is held, read with few questions.

First the digests of all buckets, then only the buckets that differ: small differences at once, big
ones state by state to find the rows. Nothing else is needed for a first fill, a quiet night, a
resumed fill or a sweep; they differ only in how much differs.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline.errors import BadAnswer, HearthError, SourceDown
from pipeline.records import (
    HIGHEST,
    LOWEST,
    Bookmark,
    Bookmarks,
    Part,
    Record,
    Span,
)
from pipeline.sources.discourse.explorer import LIMIT, Explorer, TooLong, TooMuch, TooSlow
from pipeline.sources.discourse.marks import ChatMark, sql

FEW = 1_000  # rows: rather read them all than ask which have changed
PAGE_BYTES = 12_000_000  # of JSON in one answer; some times that in memory
PAGE_ROWS = LIMIT - 500  # rows may be added between digest and read
PAGE_BUCKETS = 400
PAGE_IDS = 2_000
NEAR = 4096  # buckets from 0 that are asked for first where all are too many
ROW_BYTES = {"posts": 4_000, "revisions": 3_000, "chat_messages": 1_000}  # until we know better
CHANNELS, TALK = "chat_channels", "chat_messages"
SAID_IN = f"list_contains(CAST(? AS VARCHAR[]), {sql(ChatMark, 'channel')})"  # one of some channels
NEVER_EMPTY = ("users", "topics", "posts")  # every forum has its system user and a welcome topic


class Bucket(NamedTuple):
    """Ids of a stream from `low` to `high`, and how many rows the forum and we have there."""

    stream: str
    number: int
    low: int
    high: int
    there: int
    here: int


Digests = Mapping[int, tuple[int, str]]  # bucket -> how many rows, and the state of them all


class Differences:
    """Reads one forum through its (opened) Data Explorer. `now` gives µs since 1970 UTC."""

    def __init__(self, explorer: Explorer, name: str, now: Callable[[], int]) -> None:
        self._explorer = explorer
        self._name = name
        self._now = now
        self._row_bytes = dict(ROW_BYTES)

    def read(self, bookmarks: Bookmarks) -> Iterator[Part]:
        """Records of all that is new, changed or gone; newest first within a stream.

        What was said in a channel that may not be read any more is not gone: it is as private as
        its channel, and waits for it. What is deleted meanwhile is found once it can be read again.
        """
        waiting = _Waiting(bookmarks)
        for part in self._read(bookmarks):
            yield waiting.spared(part)

    def _read(self, bookmarks: Bookmarks) -> Iterator[Part]:
        asked_at = self._now()
        differing = self.find(bookmarks)
        gone = [bucket for bucket in differing if not bucket.there]
        few, many = self._sorted(bucket for bucket in differing if bucket.there)
        yield from self._bodies(few)
        if gone:
            yield Part(spans=tuple(_span(bucket, asked_at, ()) for bucket in gone))
        for stream, buckets in many.items():
            new = [bucket for bucket in buckets if not bucket.here]
            changed = [bucket for bucket in buckets if bucket.here]
            if sum(bucket.there for bucket in changed) <= FEW:
                yield from self._bodies(sorted(buckets, key=lambda b: -b.number))
                continue
            yield from self._bodies(new)
            yield from self._changed(stream, changed, bookmarks[stream])

    def find(self, bookmarks: Bookmarks) -> list[Bucket]:
        """Buckets in which the forum differs from what is held, newest first within a stream.

        Raises BadAnswer where the forum seems to have lost everything: no deletion is believed.
        """
        there = self._digests(list(self._explorer.tables), LOWEST, HIGHEST)
        closed = _closed(bookmarks)
        found = []
        for stream, table in self._explorer.tables.items():
            waiting = (SAID_IN, closed) if stream == TALK and closed else ()
            ours, theirs = bookmarks[stream].digests(table.width, *waiting), there.get(stream, {})
            if ours and not theirs and stream in NEVER_EMPTY:
                raise BadAnswer(
                    f"{self._name}/{stream}: the forum shows none of the {stream} we hold; nothing "
                    "was marked as gone. If it was emptied on purpose, start with a new `home`"
                )
            found += _differing(stream, table.width, theirs, ours)
        return found

    def estimate(self, differing: Sequence[Bucket]) -> dict[str, int]:
        """Requests by stream that reading these buckets would take."""
        few, many = self._sorted(bucket for bucket in differing if bucket.there)
        wanted = {"small differences of all streams": 1} if few else {}
        for stream, buckets in many.items():
            rows = sum(bucket.there for bucket in buckets)
            wanted[stream] = 1 + rows // self._page(stream)
        return wanted

    def _digests(
        self, streams: Sequence[str], low: int, high: int
    ) -> dict[str, dict[int, tuple[int, str]]]:
        """Stream -> bucket -> count and state, asked for in as few parts as the forum can bear."""
        smaller = self._smaller_digests(streams, low, high)
        try:
            rows = self._explorer.run(
                "digest", hasty=bool(smaller), streams=",".join(streams), low=low, high=high
            )
            if len(rows) >= LIMIT:
                raise TooMuch("more buckets than an answer holds")
        except TooMuch as error:
            if not smaller:
                raise self._hopeless(streams[0], f"the few rows from {low} on", error) from None
        else:
            smaller = []
        found: dict[str, dict[int, tuple[int, str]]] = {}
        for stream, number, entries, state in rows if not smaller else ():
            found.setdefault(stream, {})[int(number)] = (int(entries), state)
        for part in smaller:
            for stream, buckets in self._digests(*part).items():
                found.setdefault(stream, {}).update(buckets)
        return found

    def _smaller_digests(
        self, streams: Sequence[str], low: int, high: int
    ) -> list[tuple[Sequence[str], int, int]]:
        """The same in parts, each smaller than the whole; none of a single bucket. The part that
        holds most ids comes first, so that it soon shows whether any can be read."""
        if len(streams) > 1:
            half = len(streams) // 2
            return [(streams[:half], low, high), (streams[half:], low, high)]
        width = self._explorer.tables[streams[0]].width
        if low == LOWEST and high == HIGHEST:
            edges = [0, NEAR * width]
        elif low == LOWEST:
            edges = [2 * high // width * width if high < -1 else -NEAR * width]
        elif high == HIGHEST:
            edges = [2 * low // width * width]
        else:
            edges = [(low + high + 1) // 2 // width * width]
        edges = [edge for edge in edges if low < edge <= high]
        bounds = zip([low, *edges], [*(edge - 1 for edge in edges), high], strict=True)
        parts = [(streams, first, last) for first, last in bounds]
        return sorted(parts, key=lambda part: abs(part[1])) if edges else []

    def _hopeless(self, stream: str, rows: str, error: TooMuch) -> HearthError:
        """What to tell of rows that no smaller question could bring."""
        where = f"{self._name}/{stream}"
        if isinstance(error, TooSlow):
            return SourceDown(
                f"{where}: the forum's database does not read even {rows} in the seconds that Data "
                f"Explorer gives it ({error}); it may work later. If not, have its admin see what "
                'keeps it busy and run VACUUM ANALYZE, or set way_in = "rest"'
            )
        return BadAnswer(
            f"{where}: Data Explorer cannot give even {rows} ({error}); raise the limits of what "
            'stands before the forum, or set way_in = "rest"'
        )

    def _sorted(self, buckets: Iterable[Bucket]) -> tuple[list[Bucket], dict[str, list[Bucket]]]:
        """Buckets of streams with few rows to read, and by stream those of the others."""
        by_stream: dict[str, list[Bucket]] = {}
        for bucket in buckets:
            by_stream.setdefault(bucket.stream, []).append(bucket)
        few: list[Bucket] = []
        for stream, theirs in list(by_stream.items()):
            if sum(bucket.there for bucket in theirs) <= FEW:
                few += by_stream.pop(stream)
        return few, by_stream

    def _bodies(self, buckets: Iterable[Bucket]) -> Iterator[Part]:
        """Whole buckets, as many in an answer as it can hold; each part also tells what is gone."""
        waiting = deque(buckets)
        while waiting:
            group = self._group(waiting)
            asked_at = self._now()
            try:
                rows = self._rows(group)
            except TooMuch as error:
                yield from self._smaller(group, error)
                continue
            keys: dict[tuple[str, int], list[str]] = {}
            for stream, key, *_ in rows:
                number = int(key) // self._explorer.tables[stream].width
                keys.setdefault((stream, number), []).append(str(key))
            yield Part(
                self._records(rows, asked_at),
                tuple(_span(b, asked_at, keys.get((b.stream, b.number), ())) for b in group),
            )

    def _group(self, waiting: deque[Bucket]) -> list[Bucket]:
        """The next buckets that fit into one answer, taken from those that wait; at least one."""
        group = [waiting.popleft()]
        filled = group[0].there / self._page(group[0].stream)
        while waiting and len(group) < PAGE_BUCKETS:
            filled += waiting[0].there / self._page(waiting[0].stream)
            if filled > 1 or not self._fits([*group, waiting[0]]):
                break
            group.append(waiting.popleft())
        return group

    def _fits(self, group: Iterable[Bucket]) -> bool:
        """Whether one question may name all these buckets."""
        return self._explorer.holds([_named(bucket) for bucket in group])

    def _smaller(self, group: Sequence[Bucket], error: TooMuch) -> Iterator[Part]:
        """The same buckets in smaller answers, down to single rows."""
        if len(group) > 1:
            was_big = not isinstance(error, TooLong)
            for stream in {bucket.stream for bucket in group} if was_big else ():
                self._row_bytes[stream] = 2 * self._row_bytes.get(stream, PAGE_BYTES // PAGE_ROWS)
            yield from self._bodies(group[: len(group) // 2])
            yield from self._bodies(group[len(group) // 2 :])
            return
        (bucket,) = group
        if bucket.low == bucket.high:
            raise self._hopeless(bucket.stream, f"row {bucket.low}", error) from None
        middle = (bucket.low + bucket.high) // 2
        for low, high in ((middle + 1, bucket.high), (bucket.low, middle)):
            yield from self._bodies([bucket._replace(low=low, high=high)])

    def _rows(self, group: Sequence[Bucket]) -> list[list[Any]]:
        """All we read of the rows in these buckets."""
        streams = sorted({bucket.stream for bucket in group})
        alone = len(streams) == 1
        rows = self._explorer.run(
            "rows",
            hasty=sum(bucket.there for bucket in group) > FEW,
            streams=",".join(streams),
            low=min(b.low for b in group) if alone else LOWEST,
            high=max(b.high for b in group) if alone else HIGHEST,
            buckets=",".join(map(_named, group)),
            by_ids=0,
            ids=0,
            bodies=1,
        )
        if len(rows) >= LIMIT:
            raise TooMuch("more rows than the digest said")
        return rows

    def _changed(
        self, stream: str, buckets: Sequence[Bucket], bookmark: Bookmark
    ) -> Iterator[Part]:
        """Rows of these buckets whose state differs from the one held, and what is gone."""
        wanted: list[int] = []
        waiting = deque(buckets)
        while waiting:
            group = [waiting.popleft()]
            while (
                waiting
                and len(group) < PAGE_BUCKETS
                and sum(b.there for b in group) + waiting[0].there < PAGE_ROWS
                and self._fits([*group, waiting[0]])
            ):
                group.append(waiting.popleft())
            asked_at = self._now()
            try:
                states = self._states(stream, group)
            except TooLong:
                if len(group) == 1:
                    yield from self._bodies(group)
                waiting.extendleft(reversed(group if len(group) > 1 else ()))
                continue
            except TooMuch:
                yield from self._bodies(group)
                continue
            yield Part(
                spans=tuple(
                    _span(b, asked_at, [str(key) for key in states.get(b.number, ())], covers=False)
                    for b in group
                )
            )
            held = {key: mark for b in group for key, mark in bookmark.marks(b.low, b.high).items()}
            wanted += [
                key
                for theirs in states.values()
                for key, mark in theirs.items()
                if held.get(str(key), "") != mark
            ]
        while wanted:
            most = PAGE_IDS
            while most > 1 and not self._explorer.holds([str(key) for key in wanted[:most]]):
                most //= 2
            yield from self._by_id(stream, wanted[:most])
            wanted = wanted[most:]

    def _states(self, stream: str, group: Sequence[Bucket]) -> dict[int, dict[int, str]]:
        """Bucket -> id -> mark."""
        width = self._explorer.tables[stream].width
        rows = self._explorer.run(
            "rows",
            streams=stream,
            low=min(b.low for b in group),
            high=max(b.high for b in group),
            buckets=",".join(map(_named, group)),
            by_ids=0,
            ids=0,
            bodies=0,
        )
        if len(rows) >= LIMIT:
            raise TooMuch("more rows than the digest said")
        found: dict[int, dict[int, str]] = {}
        for _, key, mark, _ in rows:
            found.setdefault(int(key) // width, {})[int(key)] = mark
        return found

    def _by_id(self, stream: str, ids: Sequence[int]) -> Iterator[Part]:
        asked_at = self._now()
        try:
            rows = self._explorer.run(
                "rows",
                hasty=len(ids) > 1,
                streams=stream,
                low=min(ids),
                high=max(ids),
                buckets="-",
                by_ids=1,
                ids=",".join(map(str, ids)),
                bodies=1,
            )
        except TooMuch as error:
            if len(ids) == 1:
                raise self._hopeless(stream, f"row {ids[0]}", error) from None
            yield from self._by_id(stream, ids[: len(ids) // 2])
            yield from self._by_id(stream, ids[len(ids) // 2 :])
            return
        yield Part(self._records(rows, asked_at))

    def _page(self, stream: str) -> int:
        """Rows of this stream that one answer should hold."""
        return max(1, min(PAGE_ROWS, PAGE_BYTES // self._row_bytes.get(stream, 1)))

    def _records(self, rows: Iterable[list[Any]], asked_at: int) -> tuple[Record, ...]:
        found = []
        sizes: dict[str, list[int]] = {}
        for stream, key, mark, body in sorted(rows, key=lambda row: (row[0], -int(row[1]))):
            payload = json.loads(body)
            del payload["mark"]
            times = (payload.get(f"{what}_us") for what in ("created", "updated", "deleted"))
            at = max((int(time) for time in times if time is not None), default=None)
            found.append(Record(stream, str(key), payload, asked_at, at=at, mark=mark))
            sizes.setdefault(stream, []).append(len(body))
        for stream, lengths in sizes.items():
            if len(lengths) >= 100:
                self._row_bytes[stream] = 1 + sum(lengths) // len(lengths)
        return tuple(found)


def _differing(stream: str, width: int, theirs: Digests, ours: Digests) -> list[Bucket]:
    """Buckets whose digests differ, newest first."""
    return [
        Bucket(
            stream,
            number,
            number * width,
            number * width + width - 1,
            theirs.get(number, (0, ""))[0],
            ours.get(number, (0, ""))[0],
        )
        for number in sorted({*ours, *theirs}, reverse=True)
        if ours.get(number) != theirs.get(number)
    ]


def _closed(bookmarks: Bookmarks) -> list[str]:
    """Channels of the chat that could not be read any more when last looked at."""
    return [key for (key,) in bookmarks[CHANNELS].ask("SELECT key WHERE gone")]


class _Waiting:
    """Keeps what was said in closed channels from being buried: a list of what is there does not
    name it. Which channels are closed tonight is learnt from the parts, theirs first."""

    def __init__(self, bookmarks: Bookmarks) -> None:
        self._held = bookmarks
        self._closed = set(_closed(bookmarks))
        self._keys = self._said()

    def spared(self, part: Part) -> Part:
        """The same part; its lists name what waits, too."""
        known = set(self._closed)
        for span in part.spans:
            if span.stream == CHANNELS and span.keys is not None:
                self._closed |= self._held[CHANNELS].marks(span.low, span.high).keys()
                self._closed -= set(span.keys)
        if self._closed != known:
            self._keys = self._said()
        if not self._keys:
            return part
        spans = (self._longer(span) if span.stream == TALK else span for span in part.spans)
        return replace(part, spans=tuple(spans))

    def _said(self) -> list[int]:
        """Keys of what was said in closed channels and is held, ascending."""
        closed, said = sorted(self._closed), "SELECT CAST(key AS BIGINT) WHERE NOT gone AND"
        rows = self._held[TALK].ask(f"{said} {SAID_IN} ORDER BY ALL", closed) if closed else ()
        return [key for (key,) in rows]

    def _longer(self, span: Span) -> Span:
        if span.low is None or span.high is None or span.keys is None:
            return span
        here = self._keys[bisect_left(self._keys, span.low) : bisect_right(self._keys, span.high)]
        return replace(span, keys=(*span.keys, *map(str, here)))


def _named(bucket: Bucket) -> str:
    """How a question names a bucket."""
    return f"{bucket.stream}/{bucket.number}"


def _span(bucket: Bucket, seen_at: int, keys: Iterable[str], covers: bool = True) -> Span:
    return Span(bucket.stream, seen_at, bucket.low, bucket.high, keys=tuple(keys), covers=covers)
