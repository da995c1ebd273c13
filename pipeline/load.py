"""Landed files into `raw`: newest version wins, tombstones for what is gone.

Loading a file twice changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import landing
from pipeline.files import make_folder, write_whole
from pipeline.landing import Landing, Report
from pipeline.migrations import UNREAD
from pipeline.records import HIGHEST, LOWEST, merge_ranges
from pipeline.statements import run, value, written
from pipeline.transaction import transaction
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb

BATCH = 128 * 2**20  # bytes of JSON that one transaction loads


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load did.

    changed  records that were new, different or gone
    damaged  reads set aside because a part could not be read, as "source/run/stream"
    """

    files: int
    changed: int
    damaged: tuple[str, ...]


def load(db: duckdb.DuckDBPyConnection, landed: Landing, batch: int = BATCH) -> Loaded:
    """Bring every part that is not in `raw` yet into it, oldest run first.

    A read with a damaged part is set aside whole: its other parts must not move the watermark past
    what is missing, so that the next extraction fetches all of it again. Parts are loaded together
    until they hold `batch` bytes of JSON: each transaction looks for the keys it brings among all
    that are held, and keeps in memory several times what it brings.
    """
    landed.disk.fetch(landed.folder)
    number = value(db, "SELECT coalesce(max(load), 0) + 1 FROM raw.records")
    known = {row[0] for row in db.execute("SELECT file FROM raw.files").fetchall()}
    files, damaged = 0, []
    for read in list(landed.reads()):
        new = [f for f in landing.parts(read) if _name(landed, f) not in known]
        try:
            if landing.report_is_damaged(read):
                raise _Damaged
            for some in _batches(new, batch):
                _load_files(db, landed, read, some, number)
        except _Damaged:
            damaged.append(_name(landed, read))
            _forget(db, landed, read)
            landed.set_aside(read)
            continue
        files += len(new)
        _note_report(db, landing.report(read))
    changed = value(db, "SELECT count(*) FROM raw.records WHERE load = ?", number)
    return Loaded(files, changed, tuple(damaged))


class _Damaged(Exception):
    """A part or report cannot be read, or is none of ours."""


def _forget(db: duckdb.DuckDBPyConnection, landed: Landing, read: Path) -> None:
    """Forget that parts of a read were loaded: when it is read again, its files bear the same
    names."""
    db.execute("DELETE FROM raw.files WHERE starts_with(file, ?)", [f"{_name(landed, read)}/"])


def _batches(files: list[Path], most: int) -> list[list[Path]]:
    """Files in their order, as many together as hold `most` bytes of JSON, and always one. Raises
    _Damaged where one is."""
    found: list[list[Path]] = []
    room = 0
    for file in files:
        size = landing.size(file)
        if size is None:
            raise _Damaged
        if not found or size > room:
            found.append([])
            room = most
        found[-1].append(file)
        room -= size
    return found


def streams_read(db: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """By source, the streams of which a read ever ran to its end."""
    rows = db.execute(
        "SELECT DISTINCT source, unnest(streams) FROM raw.reads WHERE unavailable IS NULL"
    ).fetchall()
    found: dict[str, set[str]] = {}
    for source, stream in rows:
        found.setdefault(source, set()).add(stream)
    return found


def is_empty(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether nothing was ever read: no record is held, and no read ran to its end."""
    return last_seen(db) is None and not streams_read(db)


def write_bookmarks(db: duckdb.DuckDBPyConnection, source: str, folder: Path) -> None:
    """One bookmark a stream of this source, where `Bookmarks.read` finds them."""
    make_folder(folder)
    streams = db.execute("SELECT DISTINCT stream FROM raw.records WHERE source = ?", [source])
    for (stream,) in streams.fetchall():
        here = {"source": source, "stream": stream}
        rows = folder / f"{stream}.parquet"
        held = f"COPY ({written('load/bookmark')}) TO $file (FORMAT parquet, PARQUET_VERSION v2)"
        db.execute(held, {**here, "file": str(rows)})
        [(started, ended)] = run(db, "load/last_read", here).fetchall()
        spans: dict[str, list[tuple[int, int]]] = {}
        for container, low, high in db.execute(
            "SELECT container, low, high FROM raw.spans WHERE source = ? AND stream = ?",
            [source, stream],
        ).fetchall():
            spans.setdefault(container, []).append((low, high))
        rest = json.dumps({"spans": spans, "started": started, "ended": ended}).encode()
        write_whole(rows.with_suffix(".json"), rest)


def last_seen(db: duckdb.DuckDBPyConnection) -> int | None:
    """When anything was last asked for, µs since 1970 UTC; null where nothing was yet."""
    seen_at: int | None = value(db, "SELECT max(seen_at) FROM raw.records")
    return seen_at


def _load_files(
    db: duckdb.DuckDBPyConnection, landed: Landing, read: Path, files: list[Path], number: int
) -> None:
    source, run_of, _ = read.relative_to(landed.folder).parts
    with transaction(db):
        given = {"source": source, "run": run_of, "number": number}
        _read_lines(db, files)
        run(db, "load/merge", given)
        run(db, "load/versions", given)
        run(db, "load/tombstones", given)
        _note_spans(db, source)
        db.execute(
            "INSERT INTO raw.files SELECT unnest($files), $run, now() AT TIME ZONE 'UTC'",
            {"files": [_name(landed, f) for f in files], "run": run_of},
        )


def _read_lines(db: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """Make the table `incoming` of the lines of these files."""
    import duckdb

    try:
        run(db, "load/incoming", {"files": [str(f) for f in files], "unread": list(UNREAD)})
    except (duckdb.InvalidInputException, duckdb.ConversionException):  # whole, but no JSON of ours
        raise _Damaged from None


def _note_spans(db: duckdb.DuckDBPyConnection, source: str) -> None:
    """Remember what has been read completely, neighbouring ranges joined."""
    held: dict[tuple[str, str], list[tuple[int, int]]] = {}
    new = db.execute(
        "SELECT stream, container, coalesce(low, $low), coalesce(high, $high)"
        " FROM incoming WHERE kind = 'span' AND covers",
        {"low": LOWEST, "high": HIGHEST},
    ).fetchall()
    for stream, container, low, high in new:
        held.setdefault((stream, container), []).append((low, high))
    for (stream, container), ranges in held.items():
        where = [source, stream, container]
        old = db.execute(
            "SELECT low, high FROM raw.spans WHERE source = ? AND stream = ? AND container = ?",
            where,
        ).fetchall()
        db.execute("DELETE FROM raw.spans WHERE source = ? AND stream = ? AND container = ?", where)
        for low, high in merge_ranges(ranges + old):
            db.execute("INSERT INTO raw.spans VALUES (?, ?, ?, ?, ?)", [*where, low, high])


def _note_report(db: duckdb.DuckDBPyConnection, report: Report | None) -> None:
    """One row a finished read; the streams it brought records of share its watermark."""
    if report is None:
        return
    known = value(
        db,
        "SELECT count(*) FROM raw.reads WHERE source = ? AND stream = ? AND run = ?",
        report.source,
        report.stream,
        report.run,
    )
    if not known:
        insert(db, "raw.reads", [asdict(report)])


def _name(landed: Landing, file: Path) -> str:
    return file.relative_to(landed.folder).as_posix()
