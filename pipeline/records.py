"""The envelope around what a source said, and the bookmark that says where to go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# No number of a key, and no time in µs, lies beyond these
LOWEST, HIGHEST = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one thing, as the platform itself describes it.

    key        unique within source and stream; text, even where the platform counts
    payload    the platform's own form, untouched; empty for a tombstone that carried nothing
    seen_at    µs since 1970 UTC when we asked; of two versions the later seen one wins
    at         µs since 1970 UTC when this version arose, as the source says; of a tombstone, when
               it was deleted; null where the source does not say
    container  the room a chat message lives in; empty where bookmarks are not kept apart
    mark       fingerprint of the thing's state at the source; equal marks need no second read
    gone       true: the source no longer has it (a tombstone; the last payload is kept)
    """

    stream: str
    key: str
    payload: Mapping[str, Any]
    seen_at: int
    at: int | None = None
    container: str = ""
    mark: str | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """What has been read completely: keys `low` to `high` (inclusive) of a stream, as of `seen_at`.

    `keys`, where given, lists every key that exists in the span, so a known key that is not listed
    is gone. Spans without numbers (`low` and `high` null) are about the whole container. `covers`
    says that the records themselves were read too, so the span needs no second first fill; a mere
    list of keys does not cover.
    """

    stream: str
    seen_at: int
    low: int | None = None
    high: int | None = None
    container: str = ""
    keys: tuple[str, ...] | None = None
    covers: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """What one answer of a source brought: lands as one file, whole or not at all."""

    records: tuple[Record, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One unit of work of a source, or why it cannot be done.

    via          the way in: "data_explorer", "rest", "sync" ...
    yields       the streams whose records it brings (one request may answer two questions)
    unavailable  null, or the reason in words an operator understands
    blind_spots  what this way in cannot see, one sentence each
    """

    stream: str
    via: str
    yields: tuple[str, ...] = ()
    unavailable: str | None = None
    blind_spots: tuple[str, ...] = ()


_DIGEST_ROWS = 50_000  # at once, so that memory stays flat


@dataclass(frozen=True, slots=True)
class Bookmark:
    """What the warehouse already holds of one stream of one source.

    Made from the warehouse before each extraction and never stored elsewhere, so it cannot
    disagree with the data. The rows lie in a Parquet file (container, key, at, mark, gone,
    seen_at), read window by window so that memory stays flat; null path: nothing is known yet.
    `started` and `ended` are when (µs) the last read that ran to its end did so: a read that was
    killed half-way has seen some changes and missed others, so it must not move a watermark. 0
    where no read ever ended; null: all rows count.
    """

    rows: Path | None = None
    spans: Mapping[str, list[tuple[int, int]]] = field(default_factory=dict)
    started: int | None = None
    ended: int | None = None

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a DuckDB query without its FROM, over the rows held."""
        if self.rows is None:
            return []
        import duckdb

        with duckdb.connect() as db:
            return db.execute(
                f"FROM (SELECT * FROM read_parquet(?)) {sql}", [str(self.rows), *values]
            ).fetchall()

    def at(self, container: str = "") -> int | None:
        """The watermark: all that changed up to this source time (µs) is held; null if unknown.

        Clocks differ and rows commit late, so read again from some minutes before it."""
        limit = self.started if self.started is not None else HIGHEST
        rows = self.ask('SELECT max("at") WHERE container = ? AND "at" <= ?', container, limit)
        return rows[0][0] if rows else None

    def reached(self, container: str = "") -> int | None:
        """Highest source time (µs) held of this container, from reads cut short too: where a
        first fill that walks up in time goes on. Null if nothing is held."""
        rows = self.ask('SELECT max("at") WHERE container = ?', container)
        return rows[0][0] if rows else None

    def settled(self) -> int:
        """Highest source time (µs) among what reads that ran to their end have brought; 0 if none.
        Our times are compared with ours, the server's with the server's: clocks may differ."""
        limit = self.ended if self.ended is not None else HIGHEST
        rows = self.ask('SELECT max("at") WHERE seen_at <= ?', limit)
        return rows[0][0] or 0 if rows else 0

    def top(self) -> int | None:
        """Highest numeric key held, tombstones included; null if none."""
        rows = self.ask("SELECT max(try_cast(key AS BIGINT))")
        return rows[0][0] if rows else None

    def marks(self, low: int | None = None, high: int | None = None) -> dict[str, str | None]:
        """Key -> mark of what is held and not gone, numeric keys between low and high if given."""
        return dict(
            self.ask(
                "SELECT key, mark WHERE NOT gone"
                " AND (? IS NULL OR try_cast(key AS BIGINT) >= ?)"
                " AND (? IS NULL OR try_cast(key AS BIGINT) <= ?)",
                low,
                low,
                high,
                high,
            )
        )

    def digests(
        self, width: int, without: str = "FALSE", *values: object
    ) -> dict[int, tuple[int, str]]:
        """Bucket -> how many rows are held and not gone, and the MD5 of their keys and marks;
        rows left out for which the SQL `without`, with these values, is true.

        Bucket n holds the numeric keys from n * width up to the next bucket."""
        number = f"floor(try_cast(key AS BIGINT) / {width}.0)"
        ((rows, first, last),) = self.ask(
            f"SELECT count(*), CAST(min({number}) AS BIGINT), CAST(max({number}) AS BIGINT)"
        ) or [(0, None, None)]
        if first is None:
            return {}
        found = {}
        step = (last - first) // (rows // _DIGEST_ROWS + 1) + 1
        for low in range(first, last + 1, step):
            for bucket, entries, state in self.ask(
                f"SELECT CAST({number} AS BIGINT) AS bucket, count(*),"
                " md5(string_agg(concat(key, ':', mark), ',' ORDER BY try_cast(key AS BIGINT)))"
                " WHERE NOT gone AND bucket BETWEEN ? AND ?"
                f" AND NOT coalesce({without}, FALSE) GROUP BY bucket",
                low,
                low + step - 1,
                *values,
            ):
                found[bucket] = (entries, state)
        return found

    def keys(self, container: str = "") -> set[str]:
        """Keys held and not gone in this container."""
        return {r[0] for r in self.ask("SELECT key WHERE NOT gone AND container = ?", container)}

    def covered(self, container: str = "") -> list[tuple[int, int]]:
        """Key ranges of this container already read completely, merged, ascending."""
        return merge_ranges(self.spans.get(container, []))


@dataclass(frozen=True, slots=True)
class Bookmarks:
    """The bookmarks of one source, by stream. An unknown stream has an empty one."""

    streams: Mapping[str, Bookmark] = field(default_factory=dict)

    def __getitem__(self, stream: str) -> Bookmark:
        return self.streams.get(stream, Bookmark())

    @staticmethod
    def read(folder: Path) -> Bookmarks:
        """The bookmarks a plan wrote: `<stream>.parquet` with `<stream>.json` beside it."""
        found = {}
        for rows in sorted(folder.glob("*.parquet")):
            rest = json.loads(rows.with_suffix(".json").read_text())
            spans = {name: [(low, high) for low, high in s] for name, s in rest["spans"].items()}
            found[rows.stem] = Bookmark(rows, spans, rest["started"], rest["ended"])
        return Bookmarks(found)


def merge_ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Inclusive integer ranges, sorted, with those that touch or overlap joined."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def uncovered(covered: list[tuple[int, int]], low: int, high: int) -> Iterator[tuple[int, int]]:
    """Parts of low..high that no range covers, highest first (newest data first)."""
    for start, end in reversed(merge_ranges(covered)):
        if end < low:
            break
        if end < high:
            yield (max(end + 1, low), high)
        high = min(high, start - 1)
    if low <= high:
        yield (low, high)
