"""A work file that an older version wrote, brought to what today's contracts say.

What has to change follows from the contracts alone. Typed and built tables need nothing: the next
build makes them anew. Tables that are written by Python keep their rows where only columns came
or went, or a type became one that every value fits. Of the others, judgements are made again; each
remaining table says in its contract how to derive the change, or that it is impossible. Tables that
nobody reads any more are dropped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.contracts import Contract, contracts
from pipeline.errors import FixSettings
from pipeline.files import make_folder, sync_folder
from pipeline.statements import identifier
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb

KEPT_COPIES = 2
_BUILT = ("staging", "marts")  # schemas that hold nothing but what a build makes

# Streams that were read once, and that nothing was ever made of
UNREAD = (
    "assignments",
    "badges",
    "group_members",
    "groups",
    "quotes",
    "replies",
    "tags",
    "user_badges",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One step: the table, what it does, as a sentence, and the statement that does it."""

    table: str
    says: str
    sql: str


def pending(db: duckdb.DuckDBPyConnection) -> list[Change]:
    """What has to change, in order; nothing for a new file. Raises FixSettings where a table
    with rows lacks what may not be null."""
    held = tables(db)
    kinds = dict(
        db.execute(
            "SELECT table_schema || '.' || table_name, table_type FROM information_schema.tables"
        ).fetchall()
    )
    changes = [*_leftovers(kinds), *_unread(db, held)]
    for contract in contracts().values():
        columns = held.get(contract.table)
        if columns is not None and contract.build == "load" and columns != _wanted(contract):
            changes.append(_retyped(db, contract, columns))
    return changes


def migrate(db: duckdb.DuckDBPyConnection, changes: list[Change]) -> None:
    """Make the changes, all or none."""
    import duckdb

    with transaction(db):
        for change in changes:
            try:
                db.execute(change.sql)
            except duckdb.ConversionException as error:
                raise _refused(change.table, str(error).splitlines()[0]) from None


def keep_copy(file: Path, now: datetime) -> Path:
    """A copy of the closed work file in `backup/` beside its folder; the newest few are kept."""
    folder = file.parents[1] / "backup"
    make_folder(folder)
    copy = folder / f"work-{now:%Y%m%dT%H%M%SZ}.duckdb"
    beside = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        shutil.copyfile(file, beside)
        beside.chmod(0o600)
        beside.replace(copy)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FixSettings(
            f"cannot write {copy}: {error.strerror}; the work file was not touched: "
            "free space, then run again"
        ) from None
    sync_folder(folder)
    for old in sorted(folder.glob("work-*.duckdb"))[:-KEPT_COPIES]:
        old.unlink()
    return copy


def tables(db: duckdb.DuckDBPyConnection, database: str | None = None) -> dict[str, dict[str, str]]:
    """Name -> columns and their types, in order, of every table of an attached database, or of the
    opened one."""
    found: dict[str, dict[str, str]] = {}
    rows = db.execute(
        "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = coalesce(?, current_database())"
        " ORDER BY schema_name, table_name, column_index",
        [database],
    )
    for table, column, kind in rows.fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _leftovers(kinds: Mapping[str, str]) -> Iterator[Change]:
    """What no build would replace: tables and views without a contract, or of the other kind."""
    for name, kind in sorted(kinds.items()):
        if name.split(".")[0] not in _BUILT:
            continue
        contract = contracts().get(name)
        what = "VIEW" if kind == "VIEW" else "TABLE"
        if contract is None:
            yield Change(name, f"{name} has no contract any more: removed", f"DROP {what} {name}")
        elif (contract.build == "view") != (what == "VIEW"):
            yield Change(name, f"{name} was a {what.lower()}: made anew", f"DROP {what} {name}")


def _unread(db: duckdb.DuckDBPyConnection, held: Mapping[str, object]) -> Iterator[Change]:
    """What was read in vain; each is some member's too."""
    for table in ("raw.records", "raw.spans"):
        where = f"FROM {table} WHERE stream IN {UNREAD}"
        if table in held and db.execute(f"SELECT 1 {where} LIMIT 1").fetchone():
            says = f"{table}: {', '.join(UNREAD)} are not read any more: removed"
            yield Change(table, says, f"DELETE {where}")


def _wanted(contract: Contract) -> dict[str, str]:
    return {name: column.type for name, column in contract.columns.items()}


def _retyped(
    db: duckdb.DuckDBPyConnection, contract: Contract, columns: Mapping[str, str]
) -> Change:
    """The table with the contract's columns in their order; what is new is null."""
    new = [name for name in contract.columns if name not in columns]
    cast = [n for n, kind in _wanted(contract).items() if n in columns and columns[n] != kind]
    gone = [name for name in columns if name not in contract.columns]
    told = [("new", new), ("of another type", cast), ("gone", gone)]
    says = "; ".join(f"{what}: {', '.join(names)}" for what, names in told if names)
    says = f"{contract.table}: {says or 'columns in another order'}"
    lacking = [name for name in new if contract.columns[name].required]
    if contract.schema_name == "judgement" and not contract.kept and (cast or lacking):
        anew = contract.ddl().replace("TABLE IF NOT EXISTS", "OR REPLACE TABLE", 1)
        return Change(contract.table, f"{says}; emptied, all is judged anew", anew)
    if lacking and db.execute(f"FROM {contract.table} LIMIT 1").fetchone():
        raise _refused(contract.table, f"lacks {', '.join(lacking)}")
    select = ", ".join(
        f"CAST({identifier(name) if name in columns else 'NULL'} AS {kind}) AS {identifier(name)}"
        for name, kind in _wanted(contract).items()
    )
    return Change(
        contract.table,
        says,
        f"CREATE OR REPLACE TABLE {contract.table} AS SELECT {select} FROM {contract.table}",
    )


def _refused(table: str, why: str) -> FixSettings:
    what = f"the work file is of an older version: {table}: {why}"
    if contracts()[table].kept:
        return FixSettings(
            f"{what}; its rows cannot be derived again and were left as they are: go back to the "
            "version of Hearth that wrote them, and report this"
        )
    return FixSettings(
        f"{what}; run `hearth rebuild --from-landing`: all that was fetched is still in landing/"
    )
