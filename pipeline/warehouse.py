"""The work file: one private DuckDB database a community, one writer at a time."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import migrations
from pipeline.contracts import contracts
from pipeline.errors import FixSettings, WarehouseBusy
from pipeline.files import FULL, make_folder
from pipeline.settings import Community
from pipeline.statements import literal, value
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb

_CORRUPT = (  # DuckDB's words
    "Corrupt database",
    "stored checksum",
    "has been invalidated",
    "Could not read enough bytes",
)
_HEADERS = 3 * 4096  # bytes a DuckDB file has before it can hold anything
BATCH = 2_000  # rows taken at once of a query that may have many
SCHEMAS = ("raw", "staging", "judgement", "marts")
TABLES_ONLY = "SET python_enable_replacements = false"  # no variable of ours stands for a table


@contextmanager
def opened(community: Community) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work file, open for writing, with every table that Python fills in place. One of an older
    version is copied to `backup/` and brought up to date first.

    Raises WarehouseBusy while another process holds it, FixSettings where it cannot be opened or
    memory or disk run out.
    """
    spill = community.work_file.with_name("spill")
    make_folder(spill)
    with _in_words(community), _up_to_date(community) as db:
        community.work_file.chmod(0o600)
        db.execute("SET temp_directory = ?", [str(spill)])
        prepare(db)
        _set_pseudonym_key(db, community)
        yield db


def _up_to_date(community: Community) -> duckdb.DuckDBPyConnection:
    """The work file, with the tables today's contracts want; a copy is kept where they changed."""
    db = _connected(community, read_only=False)
    try:
        changes = migrations.pending(db)
        if changes:
            db.close()
            migrations.keep_copy(community.work_file, datetime.now(UTC))
            db = _connected(community, read_only=False)
            migrations.migrate(db, changes)
    except BaseException:
        db.close()
        raise
    return db


def set_aside(community: Community) -> Path:
    """Move the work file out of the way, as `warehouse.before-rebuild.duckdb`; an older one of
    that name goes, unless there is no work file. The next `opened` makes a new one. Returns where
    it lies now. Raises WarehouseBusy while it is open."""
    file = community.work_file
    aside = file.with_name("warehouse.before-rebuild.duckdb")
    if file.exists():
        with suppress(FixSettings):  # a damaged one is set aside all the same
            _connected(community, read_only=False).close()
        file.replace(aside)
        file.with_name("warehouse.duckdb.wal").unlink(missing_ok=True)
    return aside


def carry_over(db: duckdb.DuckDBPyConnection, aside: Path) -> None:
    """Bring what cannot be derived again from the work file set aside into this new one, all or
    none. Raises duckdb.Error where it cannot be read."""
    db.execute(f"ATTACH {literal(aside)} AS aside (READ_ONLY)")
    try:
        with transaction(db):
            for contract in contracts().values():
                if contract.kept:
                    known = f"COLUMNS(lambda name: name IN {list(contract.columns)})"
                    db.execute(
                        f"INSERT INTO {contract.table} BY NAME"
                        f" SELECT {known} FROM aside.{contract.table}"
                    )
            db.execute("UPDATE raw.builds SET load = 0")  # loads count anew: none is built yet
    finally:
        db.execute("DETACH DATABASE aside")


@contextmanager
def read_only(community: Community) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work file as it lies there, to look at; an empty database where there is none yet.

    Raises WarehouseBusy, and FixSettings where it cannot be opened or lacks what is looked for
    because no night was made yet, or none since an upgrade."""
    import duckdb

    is_there = community.work_file.exists()
    opened = _connected(community, read_only=True) if is_there else duckdb.connect()
    what = f"{community.name}: no night was made yet"
    mend = "`hearth nightly` makes one"
    if is_there:
        what = f"{community.name}: the work file lacks what this version of Hearth looks for"
        mend = "run a night first, or `hearth rebuild`"
    with named(what, mend, quoting=is_there), _in_words(community), opened as db:
        db.execute(TABLES_ONLY)
        yield db


@contextmanager
def named(what: str, mend: str, *, quoting: bool = True) -> Iterator[None]:
    """Say in words what a file of another version lacks; `quoting` adds DuckDB's own. Raises
    FixSettings for it."""
    import duckdb

    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        said = f" ({str(error).splitlines()[0]})" if quoting else ""
        raise FixSettings(f"{what}{said}; {mend}") from None


def _connected(community: Community, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    file = community.work_file
    if not read_only and file.exists() and file.stat().st_size < _HEADERS:
        file.unlink()  # its very making was cut short; what was landed is loaded again
    try:
        return duckdb.connect(file, read_only, config={"memory_limit": community.memory})
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise WarehouseBusy(
                f"{file} is in use by another process (a night that still runs, or a prompt left "
                "open on the work file); wait for it or end it"
            ) from None
        raise (_full(community) if _is_full(error) else _damaged(file, error)) from None
    except duckdb.Error as error:
        raise _damaged(file, error) from None


@contextmanager
def _in_words(community: Community) -> Iterator[None]:
    """What memory or disk cannot hold, told so that an operator can act; all else as it is."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FixSettings(
            f"{community.name}: the work file needs more than its memory of {community.memory}; "
            "raise `memory` in hearth.toml, then run again: nothing was lost"
        ) from None
    except duckdb.Error as error:
        if _is_full(error):
            raise _full(community) from None
        if any(sign in str(error) for sign in _CORRUPT):
            raise _damaged(community.work_file, error) from None
        raise


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Schemas and the tables of every contract, as they are where they exist already."""
    db.execute("SET TimeZone = 'UTC'")
    db.execute(TABLES_ONLY)
    db.execute("SET autoinstall_known_extensions = false")
    db.execute("SET enable_progress_bar = false")  # it would be drawn into cron's mail
    # Where DuckDB expects few rows it compares all with all; of a CTE's 50,000 it expects one.
    db.execute("SET asof_loop_join_threshold = 0")
    for schema in SCHEMAS:
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for contract in contracts().values():
        if contract.build != "view":
            db.execute(contract.ddl())


def rows(db: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """All rows of a query, by column name."""
    return list(each_row(db, sql))


def each_row(
    db: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of a query by column name, as they come: until the last, ask `db` nothing else."""
    for batch in batches(db.execute(sql, given or {})):
        yield from batch


def batches(found: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, Any]]]:
    """Rows of an open query by column name, BATCH at a time."""
    names = [name for name, *_ in found.description or ()]
    while part := found.fetchmany(BATCH):
        yield [dict(zip(names, row, strict=True)) for row in part]


def insert(db: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a table, by column name; values are what JSON can say. By way of a file: DuckDB
    takes rows one by one a hundred times slower. It lies where DuckDB spills, for it may hold what
    members wrote, and is gone by the next night even if this process is killed."""
    spill = value(db, "SELECT current_setting('temp_directory')")
    folder = spill if Path(str(spill)).is_dir() else None
    described = db.execute(f"DESCRIBE {table}").fetchall()
    columns = {name: kind for name, kind, *_ in described}
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="replace", dir=folder) as out:
        out.writelines(f"{json.dumps(dict(row), ensure_ascii=False)}\n" for row in rows)
        out.flush()
        db.execute(
            f"INSERT INTO {table} BY NAME FROM read_json(?, columns = {columns},"
            " format = 'newline_delimited')",
            [out.name],
        )


def _set_pseudonym_key(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Give `person_id()` its key, as the two pads of HMAC (RFC 2104), for this session alone."""
    secret = community.pseudonym_key.get_secret_value().encode()
    key = (hashlib.sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
    for name, pad in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
        db.execute(f"SET VARIABLE {name} = ?::BLOB", [bytes(byte ^ pad for byte in key)])


def _is_full(error: Exception) -> bool:
    """Whether DuckDB could not write for want of room; it tells in the system's own words."""
    return any(os.strerror(code) in str(error) for code in FULL)


def _full(community: Community) -> FixSettings:
    return FixSettings(
        f"{community.name}: the disk of {community.home} is full; free space, then run again: "
        "nothing was lost"
    )


def _damaged(file: Path, error: Exception) -> FixSettings:
    return FixSettings(
        f"{file} cannot be opened ({type(error).__name__}); run "
        "`hearth rebuild --from-landing`: all that was fetched is still in landing/"
    )
