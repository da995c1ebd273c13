"""Typed staging and marts out of `raw`, in the order their SQL asks for, a transaction a table.

`sql/staging/<platform>/<table>.sql` is one platform's rows of `staging.<table>`; the table is the
union of its files. Only records whose content changed since the last build are typed again.
`sql/marts/<table>.sql` is one SELECT; marts are built whole. Neither asks the clock: the moment a
build speaks of is `as_of()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import identities
from pipeline.contracts import FOLDER as EXPECTATIONS
from pipeline.contracts import Contract, contracts
from pipeline.settings import Community
from pipeline.statements import SQL, identifier, written
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb


def build(
    db: duckdb.DuckDBPyConnection,
    community: Community,
    as_of: datetime,
    *,
    whole: bool = False,
    judged: bool = True,
) -> None:
    """Bring staging up to date with `raw` and build the marts as of a moment (aware datetime).

    Not `judged`: what reads judgements is left to `build_judged`, which follows when they are made.

    Where the definitions changed since the last build, or `whole`, staging is typed anew from
    every record. One that is cut short leaves tables of two nights: the next begins where the last
    whole one ended, and nothing is published of it. (In one transaction, DuckDB would keep all that
    is not yet committed in memory and guess blindly how to join it: at a million messages it took
    four times as long and six times the memory.)
    """
    set_scene(db, community, as_of)
    last_load, definitions = _last_build(db)
    whole = whole or definitions != _definitions(db)
    db.execute("SET VARIABLE since_load = ?", [0 if whole else last_load])
    typed, derived = _halves()
    for contract in typed:
        with transaction(db):
            make(db, contract, whole=whole)
    with transaction(db):
        identities.settle(db, community)
    later = () if judged else _judged()
    for contract in derived:
        if contract not in later:
            make(db, contract)
    _note_build(db, as_of)


def build_judged(db: duckdb.DuckDBPyConnection) -> None:
    """Build what reads judgements, directly or not; `set_scene` first."""
    for contract in _judged():
        make(db, contract)


def make(db: duckdb.DuckDBPyConnection, contract: Contract, *, whole: bool = True) -> None:
    """Bring one table up to date; `whole` types every record anew."""
    if contract.build == "merge":
        _merge(db, contract, whole=whole)
    elif contract.build == "replace":
        _replace(db, contract)
    elif contract.build == "view":
        (file,) = files_of(contract)
        db.execute(f"CREATE OR REPLACE VIEW {contract.table} AS {_select(file)}")


def set_scene(db: duckdb.DuckDBPyConnection, community: Community, as_of: datetime) -> None:
    """What SQL may ask for: macros, the moment, and the community's settings."""
    from pipeline import network

    network.teach(db)
    db.execute(written("macros"))
    db.execute("SET VARIABLE as_of = ?::TIMESTAMP", [as_of.astimezone(UTC).replace(tzinfo=None)])
    db.execute(
        "SET VARIABLE is_history = (SELECT coalesce(max(as_of) > getvariable('as_of')::TIMESTAMP,"
        " FALSE) FROM raw.builds)"
    )
    db.execute("SET VARIABLE time_zone = ?", [community.time_zone])
    forums = (s for s in community.sources.values() if s.platform == "discourse")
    ours = [forum.username for forum in forums if forum.review_queue]
    for variable, names in (("bots", (*community.bots, *ours)), ("unnamed", community.unnamed)):
        db.execute(f"SET VARIABLE {variable} = ?::VARCHAR[]", [[name.lower() for name in names]])
    digest = community.digest
    db.execute("SET VARIABLE overdue_h = ?::DOUBLE", [digest.overdue_h])
    db.execute("SET VARIABLE newcomer_overdue_h = ?::DOUBLE", [digest.newcomer_overdue_h])
    db.execute("DELETE FROM raw.sources")
    for name, source in community.sources.items():
        db.execute("INSERT INTO raw.sources VALUES (?, ?, ?)", [name, source.platform, source.url])


def files_of(contract: Contract) -> list[Path]:
    """The SQL files a table is made by: one a platform for staging, one for a mart."""
    if contract.build == "merge":
        return sorted((SQL / contract.schema_name).glob(f"*/{contract.name}.sql"))
    if contract.build in ("replace", "view"):
        return [SQL / contract.schema_name / f"{contract.name}.sql"]
    return []


@cache
def sources_of(table: str) -> frozenset[str]:
    """The tables that a table's SQL reads."""
    import sqlglot
    from sqlglot import exp

    names = set()
    for file in files_of(contracts()[table]):
        tree = sqlglot.parse_one(file.read_text(encoding="utf-8"), dialect="duckdb")
        names |= {f"{t.db}.{t.name}" for t in tree.find_all(exp.Table) if t.db}
    return frozenset(names)


@cache
def fingerprint() -> str:
    """Changes when a contract does, or an SQL file that builds a table."""
    digest = hashlib.sha256()
    sql = [SQL / "macros.sql", *SQL.glob("staging/**/*.sql"), *SQL.glob("marts/*.sql")]
    for file in sorted([*sql, *EXPECTATIONS.glob("*.yaml")]):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _definitions(db: duckdb.DuckDBPyConnection) -> str:
    """What staging depends on beside the records: the SQL, the contracts, the sites' addresses."""
    sites = db.execute("FROM raw.sources ORDER BY source").fetchall()
    return hashlib.sha256(f"{fingerprint()}{sites}".encode()).hexdigest()[:16]


def _halves() -> tuple[list[Contract], list[Contract]]:
    """Tables typed from records, then those made of tables, each in the order to build them."""
    ordered = _in_order(contracts().values())
    typed = [contract for contract in ordered if contract.build == "merge"]
    return typed, [contract for contract in ordered if contract.build != "merge"]


def _judged() -> list[Contract]:
    """Tables that read judgements, directly or not, in the order to build them. No views: the
    judges themselves read those."""
    ordered = _in_order(contracts().values())
    reading = {contract.table for contract in ordered if contract.schema_name == "judgement"}
    found = []
    for contract in ordered:
        if reading & sources_of(contract.table):
            reading.add(contract.table)
            if contract.build != "view":
                found.append(contract)
    return found


def _in_order(tables: Iterable[Contract]) -> list[Contract]:
    by_name: Mapping[str, Contract] = {c.table: c for c in tables}
    graph = {name: sorted(sources_of(name) & set(by_name)) for name in sorted(by_name)}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def _merge(db: duckdb.DuckDBPyConnection, contract: Contract, *, whole: bool) -> None:
    """Type the changed records again: every row a changed record once gave goes, its new ones come.

    A record may give no row (a message that lost its last reaction), so what is deleted follows
    the records, not the rows."""
    if whole:
        db.execute(f"DROP TABLE {contract.table}")
        db.execute(contract.ddl())
    else:
        db.execute(
            f"DELETE FROM {contract.table} AS t USING raw.changed AS c"
            " WHERE t.source = c.source AND t.record = c.record"
        )
    for file in files_of(contract):
        db.execute(f"INSERT INTO {contract.table} BY NAME {_select(file)}")


def _replace(db: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    columns = ", ".join(map(identifier, contract.columns))
    (file,) = files_of(contract)
    select = f"SELECT {columns} FROM ({_select(file)})"
    db.execute(f"CREATE OR REPLACE TABLE {contract.table} AS {select}")


def _select(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip().rstrip(";")


def _last_build(db: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    row = db.execute(
        "SELECT load, definitions FROM raw.builds ORDER BY built_at DESC LIMIT 1"
    ).fetchone()
    return (row[0], row[1]) if row else (0, "")


def built_as_of(db: duckdb.DuckDBPyConnection) -> datetime | None:
    """The moment the marts speak of (aware, UTC); null before the first build."""
    row = db.execute("SELECT as_of FROM raw.builds ORDER BY built_at DESC LIMIT 1").fetchone()
    return row[0].replace(tzinfo=UTC) if row else None


def _note_build(db: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    db.execute(
        "INSERT INTO raw.builds SELECT now() AT TIME ZONE 'UTC', getvariable('as_of')::TIMESTAMP,"
        " (SELECT coalesce(max(load), 0) FROM raw.records), ?",
        [_definitions(db)],
    )
