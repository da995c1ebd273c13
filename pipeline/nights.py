"""What one may do with nights already published: go back to one, compare two, take one away."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.contracts import contracts
from pipeline.errors import FixSettings
from pipeline.files import sync_folder
from pipeline.migrations import tables
from pipeline.publish import FILES, checksum, flip, manifest_of
from pipeline.settings import Community
from pipeline.statements import identifier, literal, spreadsheet_safe_column, value
from pipeline.warehouse import rows

if TYPE_CHECKING:
    import duckdb

_DATES = ("day", "created_day", "created_at")  # what months of an export are told by


@dataclass(frozen=True, slots=True)
class Difference:
    """How a table of a later night differs from an earlier one's: rows by key.

    why  of `marts.messages` what happened, by count; of the rest empty
    """

    table: str
    added: int
    removed: int
    changed: int
    why: dict[str, int]


def nights(community: Community) -> list[str]:
    """Runs that are still published, oldest first."""
    names = (community.home / "published").glob("community-*.duckdb")
    return sorted(name.stem.removeprefix("community-") for name in names)


def go_back(community: Community, run: str | None = None) -> str:
    """Point readers at the night before the current one, or at `run`; returns its run.

    No file is touched: the next night published becomes current again."""
    folder = community.home / "published"
    known = nights(community)
    if not known:
        raise FixSettings(f"{folder}: no night was published yet; `hearth nightly` publishes one")
    current = (folder / FILES["community"]).resolve().stem.removeprefix("community-")
    older = [name for name in known if name < current]
    wanted = run or (older[-1] if older else None)
    if wanted is None:
        raise FixSettings(f"{folder}: there is no night before {current}")
    _file(community, wanted)
    manifest = manifest_of(folder, wanted)
    for audience, link in FILES.items():
        flip(folder / link, f"{audience}-{wanted}.duckdb")
    manifest.write(folder)
    return wanted


def differences(community: Community, earlier: str, later: str) -> Iterator[Difference]:
    """Every mart that differs between two nights, and of messages why: new since, late, deleted
    or restored, edited."""
    import duckdb

    with duckdb.connect() as db:
        for name, run in (("earlier", earlier), ("later", later)):
            file = literal(_file(community, run))
            db.execute(f"ATTACH {file} AS {name} (READ_ONLY)")
        for contract in contracts().values():
            if contract.schema_name == "marts" and contract.publish == "community":
                found = _difference(db, contract.table, contract.key)
                if found and found.added + found.removed + found.changed:
                    yield found


def definitions_changed(community: Community, earlier: str, later: str) -> bool:
    """Whether the SQL or the contracts of two nights differ."""
    import duckdb

    found = set()
    for run in (earlier, later):
        with duckdb.connect(_file(community, run), read_only=True) as db:
            found |= set(
                db.execute("SELECT max_by(definitions, built_at) FROM raw.builds").fetchall()
            )
    return len(found) > 1


def export(
    community: Community,
    folder: Path,
    form: Literal["parquet", "csv"] = "parquet",
    *,
    restricted: bool = False,
) -> dict[str, int]:
    """Write every table of the current night into a new folder, with `manifest.json` (rows and
    SHA-256 of each file); returns rows by file. The folder appears whole or not at all.

    In Parquet (zstd) a table whose rows have a day is a folder with a file for each month, as
    `marts.messages/in_month=2026-03/data_0.parquet`: every reader of Parquet takes the folder for
    one table. In CSV a text that a spreadsheet would take for a formula gets an apostrophe in
    front."""
    import duckdb

    link = community.home / "published" / FILES["restricted" if restricted else "community"]
    if not link.exists():
        raise FixSettings(f"{link} does not exist yet; `hearth nightly` publishes it")
    if folder.exists():
        raise FixSettings(f"{folder} exists already; name a new folder")
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise FixSettings(
            f"cannot make the folder {folder}: {error.strerror}; name one where you may write"
        ) from None
    written: dict[str, int] = {}
    listed: dict[str, dict[str, int | str]] = {}
    with duckdb.connect(link.resolve(), read_only=True) as db:
        db.execute("SET TimeZone = 'UTC'")
        for table, columns in tables(db).items():
            written[f"{table}.{form}"] = _write(db, table, columns, beside / f"{table}.{form}")
        for file in sorted(f for f in beside.rglob("*") if f.is_file()):
            name = file.relative_to(beside).as_posix()
            held = written[name] if name in written else _rows_in(db, file)
            listed[name] = {"rows": held, "sha256": checksum(file)}
    text = {"night": link.resolve().name, "files": listed}
    (beside / "manifest.json").write_text(json.dumps(text, indent=2), encoding="utf-8")
    beside.rename(folder)
    sync_folder(folder.parent)
    return {name: int(facts["rows"]) for name, facts in listed.items()}


def _write(db: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], file: Path) -> int:
    """One table as a file, or as a folder of months; returns its rows."""
    selected = ", ".join(
        spreadsheet_safe_column(name)
        if kind == "VARCHAR" and file.suffix == ".csv"
        else identifier(name)
        for name, kind in columns.items()
    )
    how = "FORMAT csv, HEADER"
    if file.suffix == ".parquet":
        how = "FORMAT parquet, COMPRESSION zstd"
        dated = next((name for name in _DATES if name in columns), None)
        if dated and db.execute(f"FROM {table} LIMIT 1").fetchone():
            month = f"coalesce(strftime({identifier(dated)}, '%Y-%m'), 'unknown')"
            selected, how = f"{selected}, {month} AS in_month", f"{how}, PARTITION_BY (in_month)"
            file = file.with_suffix("")
    return int(value(db, f"COPY (SELECT {selected} FROM {table}) TO {literal(file)} ({how})"))


def _rows_in(db: duckdb.DuckDBPyConnection, file: Path) -> int:
    return int(value(db, f"SELECT num_rows FROM parquet_file_metadata({literal(file)})"))


def _difference(
    db: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...]
) -> Difference | None:
    """Null where one of the nights has no such table, or nothing to tell its rows by."""
    columns = [tables(db, night).get(table, {}).keys() for night in ("earlier", "later")]
    shared = set.intersection(*map(set, columns))
    if not set(key) <= shared:
        return None
    common = ", ".join(map(identifier, sorted(shared)))
    keys = ", ".join(map(identifier, key))

    def count(only: str, but_not: str, what: str) -> int:
        sql = (
            f"SELECT count(*) FROM (SELECT {what} FROM {only}.{table}"
            f" EXCEPT SELECT {what} FROM {but_not}.{table})"
        )
        return int(value(db, sql))

    added, removed = count("later", "earlier", keys), count("earlier", "later", keys)
    changed = count("later", "earlier", common) - added
    return Difference(table, added, removed, changed, _why(db) if table == "marts.messages" else {})


def _why(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """What happened to messages between the two nights, by count."""
    (counts,) = rows(
        db,
        "SELECT"
        " count(*) FILTER (o.message_id IS NULL AND n.created_at > b.as_of) AS new,"
        " count(*) FILTER (o.message_id IS NULL AND n.created_at <= b.as_of) AS late,"
        " count(*) FILTER (n.is_deleted AND NOT o.is_deleted) AS deleted,"
        " count(*) FILTER (o.is_deleted AND NOT n.is_deleted) AS restored,"
        " count(*) FILTER (n.message_id IS NULL) AS no_longer_held,"
        " count(*) FILTER (o.message_id IS NOT NULL AND n.message_id IS NOT NULL"
        "   AND n.edited_at > coalesce(o.edited_at, '-infinity'::TIMESTAMP)) AS edited"
        " FROM later.marts.messages AS n"
        " FULL JOIN earlier.marts.messages AS o"
        "   ON n.source = o.source AND n.message_id = o.message_id"
        " CROSS JOIN (SELECT max_by(as_of, built_at) AS as_of FROM earlier.raw.builds) AS b",
    )
    return {name: count for name, count in counts.items() if count}


def _file(community: Community, run: str) -> Path:
    file = community.home / "published" / f"community-{run}.duckdb"
    if run not in nights(community):
        kept = ", ".join(nights(community)) or "none"
        raise FixSettings(f"no published night {run!r}; kept are: {kept}")
    return file
