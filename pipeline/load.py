"""Landed files into `raw`: newest version wins, tombstones for what is gone. Twice is once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import landing
from pipeline.landing import Landing, Report
from pipeline.migrations import UNREAD
from pipeline.records import merge_ranges
from pipeline.statements import literal, value
from pipeline.transaction import transaction
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb

BATCH = 128 * 2**20  # bytes of JSON that one transaction loads
EVERYTHING = (-(2**62), 2**62)  # the range of a span that names no keys

# Fields whose earlier values are kept: who was staff when, where a thread stood, what it was called
VERSIONED = {
    "users": ("admin", "moderator", "trust_level", "roles", "type"),
    "topics": ("title", "category_id"),
}

_LINE = {
    "kind": "VARCHAR",
    "stream": "VARCHAR",
    "key": "VARCHAR",
    "container": "VARCHAR",
    "at": "BIGINT",
    "mark": "VARCHAR",
    "seen_at": "BIGINT",
    "gone": "BOOLEAN",
    "payload": "JSON",
    "low": "BIGINT",
    "high": "BIGINT",
    "keys": "VARCHAR[]",
    "covers": "BOOLEAN",
}


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
        batches = _batches(new, batch)
        if batches is None or not _load_read(db, landed, read, batches, number):
            damaged.append(str(read.relative_to(landed.folder)))
            landed.set_aside(read)
            continue
        files += len(new)
        _note_report(db, landing.report(read))
    changed = value(db, "SELECT count(*) FROM raw.records WHERE load = ?", number)
    return Loaded(files, changed, tuple(damaged))


def _load_read(
    db: duckdb.DuckDBPyConnection,
    landed: Landing,
    read: Path,
    batches: list[list[Path]],
    number: int,
) -> bool:
    """Load the new parts of one read; false where its report is damaged, or a part is no JSON of
    ours."""
    import duckdb

    if any(landing.size(file) is None for file in landing.report_file(read)):
        return False
    try:
        for some in batches:
            _load_files(db, landed, read, some, number)
    except (duckdb.InvalidInputException, duckdb.ConversionException):  # whole, but no JSON of ours
        return False
    return True


def _batches(files: list[Path], most: int) -> list[list[Path]] | None:
    """Files in their order, as many together as hold `most` bytes of JSON, and always one; null
    where one is damaged."""
    found: list[list[Path]] = []
    room = 0
    for file in files:
        size = landing.size(file)
        if size is None:
            return None
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


def write_bookmarks(db: duckdb.DuckDBPyConnection, source: str, folder: Path) -> None:
    """One bookmark a stream of this source, where `Bookmarks.read` finds them."""
    landing.make_folder(folder)
    streams = db.execute("SELECT DISTINCT stream FROM raw.records WHERE source = ?", [source])
    for (stream,) in streams.fetchall():
        rows = folder / f"{stream}.parquet"
        db.execute(
            'COPY (SELECT container, key, "at", mark, gone_at IS NOT NULL AS gone, seen_at'
            " FROM raw.records WHERE source = $source AND stream = $stream)"
            f" TO {literal(rows)} (FORMAT parquet, PARQUET_VERSION v2)",
            {"source": source, "stream": stream},
        )
        [(started, ended)] = db.execute(
            "SELECT coalesce(max(started_at), 0), coalesce(arg_max(ended, started_at), 0) FROM ("
            "SELECT started_at, started_at + CAST(seconds * 1e6 AS BIGINT) AS ended FROM raw.reads"
            " WHERE source = ? AND list_contains(streams, ?) AND unavailable IS NULL)",
            [source, stream],
        ).fetchall()
        spans: dict[str, list[tuple[int, int]]] = {}
        for container, low, high in db.execute(
            "SELECT container, low, high FROM raw.spans WHERE source = ? AND stream = ?",
            [source, stream],
        ).fetchall():
            spans.setdefault(container, []).append((low, high))
        rest = json.dumps({"spans": spans, "started": started, "ended": ended}).encode()
        landing.write_whole(rows.with_suffix(".json"), rest)


def last_seen(db: duckdb.DuckDBPyConnection) -> int | None:
    """When anything was last asked for, µs since 1970 UTC; null where nothing was yet."""
    seen_at: int | None = value(db, "SELECT max(seen_at) FROM raw.records")
    return seen_at


def _load_files(
    db: duckdb.DuckDBPyConnection, landed: Landing, read: Path, files: list[Path], number: int
) -> None:
    source, run, _ = read.relative_to(landed.folder).parts
    with transaction(db):
        db.execute(
            "CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM read_json($files,"
            f" columns = {_LINE}, format = 'newline_delimited', maximum_object_size = 33554432)",
            {"files": [str(f) for f in files]},
        )
        db.execute(f"DELETE FROM incoming WHERE stream IN {UNREAD}")  # landed by older versions
        _merge_records(db, source, run, number)
        _keep_versions(db, source, number)
        _bury_the_unlisted(db, source, number)
        _note_spans(db, source)
        db.execute(
            "INSERT INTO raw.files SELECT unnest($files), $run, now() AT TIME ZONE 'UTC'",
            {"files": [_name(landed, f) for f in files], "run": run},
        )


def _merge_records(db: duckdb.DuckDBPyConnection, source: str, run: str, number: int) -> None:
    """The newest version of each key, over what is held. A tombstone keeps the last payload."""
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE merged AS
        WITH newest AS (
            SELECT * FROM incoming WHERE kind = 'record'
            QUALIFY row_number() OVER (
                PARTITION BY stream, key ORDER BY seen_at DESC, gone DESC, "at" DESC NULLS LAST
            ) = 1
        ),

        last_payload AS (
            SELECT stream, key, arg_max(payload, seen_at) AS payload
            FROM incoming WHERE kind = 'record' AND NOT gone
            GROUP BY stream, key
        ),

        -- Found by key, then read by row: payloads are long and only these are wanted.
        places AS MATERIALIZED (
            SELECT r.rowid AS place FROM raw.records AS r
            SEMI JOIN newest AS n ON r.stream = n.stream AND r.key = n.key
            WHERE r.source = $source
        ),

        held AS (
            SELECT rowid AS place, * FROM raw.records WHERE rowid IN (SELECT place FROM places)
        ),

        told AS (
            SELECT
                n.* EXCLUDE (payload), o.place, o.gone_at, o.first_seen_at, o.load AS held_load,
                o."at" AS held_at, o.payload AS held_payload,
                CASE WHEN n.gone THEN coalesce(p.payload, o.payload) ELSE n.payload END AS payload
            FROM newest AS n
            LEFT JOIN last_payload AS p ON n.stream = p.stream AND n.key = p.key
            LEFT JOIN held AS o ON n.stream = o.stream AND n.key = o.key
            WHERE o.place IS NULL OR n.seen_at >= o.seen_at
        )

        SELECT
            place, $source AS source, stream, key, container,
            CASE WHEN gone THEN greatest("at", held_at) ELSE "at" END AS "at",
            mark, seen_at,
            coalesce(first_seen_at, seen_at) AS first_seen_at,
            CASE WHEN gone THEN coalesce(gone_at, "at", seen_at) END AS gone_at,
            payload,
            CASE
                WHEN place IS NOT NULL AND gone = (gone_at IS NOT NULL)
                AND payload::VARCHAR IS NOT DISTINCT FROM held_payload::VARCHAR THEN held_load
                ELSE $number
            END AS load,
            $run AS run
        FROM told
        """,
        {"source": source, "number": number, "run": run},
    )
    db.execute("DELETE FROM raw.records WHERE rowid IN (SELECT place FROM merged)")
    db.execute("INSERT INTO raw.records BY NAME SELECT * EXCLUDE (place) FROM merged")


def _keep_versions(db: duckdb.DuckDBPyConnection, source: str, number: int) -> None:
    """States of the fields in `VERSIONED` that differ from the state seen before.

    A file may be older than what is held: then the present state follows it once more, and the
    record counts as changed, so that its history is typed again."""
    streams = tuple(VERSIONED)
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE versions AS
        WITH told AS (
            SELECT stream, key, seen_at, payload FROM incoming
            WHERE kind = 'record' AND NOT gone AND stream IN {streams}
        ),

        -- Found by key, then read by row, as in _merge_records.
        places AS MATERIALIZED (
            SELECT r.rowid AS place FROM raw.records AS r
            SEMI JOIN told AS t ON r.stream = t.stream AND r.key = t.key
            WHERE r.source = $source AND r.stream IN {streams} AND r.gone_at IS NULL
        ),

        seen AS (
            FROM told
            UNION ALL
            SELECT stream, key, seen_at, payload FROM raw.records
            WHERE rowid IN (SELECT place FROM places)
        ),

        states AS (
            SELECT stream, key, seen_at, {_state()} AS state, FALSE AS is_held FROM seen
            UNION ALL
            SELECT stream, key, seen_at, state, TRUE AS is_held FROM raw.versions
            SEMI JOIN told USING (stream, key) WHERE source = $source
        ),

        one_each AS (
            FROM states QUALIFY row_number() OVER (
                PARTITION BY stream, key, seen_at ORDER BY is_held DESC, state::VARCHAR
            ) = 1
        )

        FROM one_each QUALIFY NOT is_held AND state::VARCHAR IS DISTINCT FROM lag(state::VARCHAR)
            OVER (PARTITION BY stream, key ORDER BY seen_at)
        """,
        {"source": source},
    )
    db.execute(
        "INSERT INTO raw.versions SELECT $source, stream, key, seen_at, state FROM versions",
        {"source": source},
    )
    db.execute(
        "UPDATE raw.records SET load = $number FROM versions AS v WHERE source = $source"
        " AND records.stream = v.stream AND records.key = v.key AND load < $number",
        {"source": source, "number": number},
    )


def _state() -> str:
    """SQL of the versioned fields of a payload, as JSON."""
    cases = (
        f"WHEN '{stream}' THEN json_object("
        + ", ".join(f"'{name}', payload -> '{name}'" for name in names)
        + ")"
        for stream, names in VERSIONED.items()
    )
    return f"CASE stream {' '.join(cases)} END"


def _bury_the_unlisted(db: duckdb.DuckDBPyConnection, source: str, number: int) -> None:
    """Tombstones for keys inside a complete list that the list does not name.

    Lists of a range are joined by shelves as wide as the widest of them, so that a list lies on two
    at most: compared with every list of its stream, each key would be looked at hundreds of times.
    """
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE lists AS
        SELECT row_number() OVER () AS list, stream, container, low, high, seen_at, keys
        FROM incoming WHERE kind = 'span' AND keys IS NOT NULL
        """
    )
    db.execute("CREATE OR REPLACE TEMP TABLE listed AS SELECT list, unnest(keys) AS key FROM lists")
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE unlisted AS
        WITH wide AS (SELECT 1 + max(high - low) AS width FROM lists),

        shelved AS (
            SELECT l.* EXCLUDE (keys), unnest(range(low // width, high // width + 1)) AS shelf
            FROM lists AS l, wide WHERE low IS NOT NULL
            UNION ALL
            SELECT * EXCLUDE (keys), NULL AS shelf FROM lists WHERE low IS NULL
        ),

        held AS (
            SELECT
                r.stream, r.container, r.key, r.seen_at, try_cast(r.key AS BIGINT) AS n,
                n // (SELECT width FROM wide) AS shelf
            FROM raw.records AS r
            SEMI JOIN lists AS l ON r.stream = l.stream AND r.container = l.container
            WHERE r.source = $source AND r.gone_at IS NULL
        ),

        looked_at AS (
            SELECT h.stream, h.key, l.list, l.seen_at
            FROM held AS h
            INNER JOIN shelved AS l
                ON h.stream = l.stream AND h.container = l.container AND h.shelf = l.shelf
                AND h.n BETWEEN l.low AND l.high AND h.seen_at < l.seen_at
            UNION ALL
            SELECT h.stream, h.key, l.list, l.seen_at
            FROM held AS h
            INNER JOIN shelved AS l
                ON h.stream = l.stream AND h.container = l.container AND h.seen_at < l.seen_at
            WHERE l.shelf IS NULL
        )

        SELECT o.stream, o.key, max(o.seen_at) AS seen_at
        FROM looked_at AS o
        ANTI JOIN listed AS k ON o.list = k.list AND o.key = k.key
        GROUP BY o.stream, o.key
        """,
        {"source": source},
    )
    db.execute(
        "UPDATE raw.records SET gone_at = u.seen_at, seen_at = u.seen_at, load = $number"
        " FROM unlisted AS u"
        " WHERE source = $source AND records.stream = u.stream AND records.key = u.key",
        {"source": source, "number": number},
    )


def _note_spans(db: duckdb.DuckDBPyConnection, source: str) -> None:
    """Remember what has been read completely, neighbouring ranges joined."""
    held: dict[tuple[str, str], list[tuple[int, int]]] = {}
    new = db.execute(
        "SELECT stream, container, coalesce(low, $low), coalesce(high, $high)"
        " FROM incoming WHERE kind = 'span' AND covers",
        {"low": EVERYTHING[0], "high": EVERYTHING[1]},
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
