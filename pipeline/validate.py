"""The contracts as one Great Expectations suite, run against the work file; Data Docs kept.

A broken critical rule stops the publish; a warning goes on. Great Expectations takes seconds to
import, so nothing here does before it is needed, and longer over an expectation than DuckDB over a
table's rows: an expectation stands for all that one table promises at one severity, and its one
query counts the rows that break each promise.
"""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.contracts import Column, Contract, Severity, contracts
from pipeline.data_docs import bring_home
from pipeline.files import make_folder, ours_alone
from pipeline.statements import identifier, literal

# What Great Expectations imports for expectations that no contract makes: three of its eight CPU
# seconds.
_NEEDLESS = ("altair", "scipy.stats")


@dataclass(frozen=True, slots=True)
class Broken:
    """One promise that did not hold. `says` is the contract's own sentence; `rows` break it, 0
    where they could not be counted."""

    table: str
    rule: str
    severity: Severity
    says: str
    rows: int


@dataclass(frozen=True, slots=True)
class Validation:
    """How many promises were checked, which did not hold, where the Data Docs lie, and how many
    rows the tables with a band have."""

    checked: int
    broken: tuple[Broken, ...]
    docs: Path
    rows: Rows

    @property
    def critical(self) -> tuple[Broken, ...]:
        """What stops the publish."""
        return tuple(b for b in self.broken if b.severity == "critical")


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing a table promises. `count` is the SQL of how many rows break it, an aggregate over
    the table; `columns` is asked of the catalogue and has none."""

    table: str
    rule: str
    severity: Severity
    says: str
    count: str = ""


# Table -> value of its band's column -> rows
Rows = Mapping[str, Mapping[str, int]]


def promises(contract: Contract, last_night: Mapping[str, int] | None = None) -> Iterator[Promise]:
    """All that a contract promises, in a fixed order. Of a view its columns alone: what it reads is
    held against contracts of its own, and counting a view's rows costs more than counting every
    table's.

    last_night  rows the table had when it was last published, by the column of its band; without
                them a band promises nothing
    """
    table = contract.table
    says = f"The columns are {', '.join(contract.columns)}."
    yield Promise(table, "columns", "critical", says)
    if contract.build == "view":
        return
    key = ", ".join(map(identifier, contract.key))
    says = f"No two rows share {', '.join(contract.key)}."
    repeated = f"SELECT 1 FROM {table} GROUP BY {key} HAVING count(*) > 1"
    yield Promise(table, "key", "critical", says, f"(SELECT count(*) FROM ({repeated}))")
    if contract.rows_from is not None:
        says = f"There are at least {contract.rows_from} rows."
        missing = f"greatest({contract.rows_from} - count(*), 0)"
        yield Promise(table, "rows", "warning", says, missing)
    yield from _band_promises(contract, last_night or {})
    for name, column in contract.columns.items():
        for what, says, broken in _column_promises(name, column):
            yield Promise(table, f"{name}_{what}", "critical", says, _rows_where(broken))
    for name, rule in contract.rules.items():
        yield Promise(table, name, rule.severity, rule.says, _rows_where(f"NOT ({rule.sql})"))


def _band_promises(contract: Contract, last_night: Mapping[str, int]) -> Iterator[Promise]:
    """One for each part of the table; what breaks it is the rows that are missing."""
    if contract.band is None:
        return
    for part, before in sorted(last_night.items()):
        kept = f"{100 * contract.band.keeps:g} % of last night's {before:,} rows of {part}"
        there = f"count(*) FILTER ({identifier(contract.band.per)} = {literal(part)})"
        missing = f"greatest({ceil(before * contract.band.keeps)} - {there}, 0)"
        says = f"At least {kept} are there."
        yield Promise(contract.table, f"band/{part}", "warning", says, missing)


def _column_promises(name: str, column: Column) -> Iterator[tuple[str, str, str]]:
    """(what, says, SQL that is true where it is broken) of each thing a column promises."""
    sql = identifier(name)
    if column.required:
        yield "required", f"{name} is never null.", f"{sql} IS NULL"
    bounds = [(column.low, "<", "at least"), (column.high, ">", "at most")]
    given = [(edge, sign, words) for edge, sign, words in bounds if edge is not None]
    if given:
        says = " and ".join(f"{words} {edge:g}" for edge, _, words in given)
        broken = " OR ".join(f"{sql} {sign} {edge}" for edge, sign, _ in given)
        yield "range", f"{name} is {says}.", broken
    if column.values:
        listed = ", ".join(map(literal, column.values))
        says = f"{name} is one of {', '.join(column.values)}."
        yield "values", says, f"{sql} NOT IN ({listed})"


def _rows_where(broken: str) -> str:
    return f"count(*) FILTER ({broken})"


def validate(file: Path, docs: Path, last_night: Rows | None = None) -> Validation:
    """Check every table of the work file against its contract. The file must not be open.

    Data Docs, a static site that loads nothing from elsewhere, are written into the folder `docs`.

    last_night  the rows of the night that was last published, for the bands
    """
    with _silent("great_expectations"):
        return _validate(file, docs, last_night or {})


def _validate(file: Path, docs: Path, last_night: Rows) -> Validation:
    with _standing_in(*_NEEDLESS):
        import great_expectations as gx

    make_folder(docs)
    context = gx.get_context(mode="ephemeral")
    # Instead of the one it would leave behind in the system's temporary folder.
    context.update_data_docs_site("local_site", _site(docs))
    context.variables.progress_bars = {"globally": False}
    source = _data_source(context, file)
    promised = [
        promise
        for contract in contracts().values()
        for promise in promises(contract, last_night.get(contract.table))
    ]
    # Held open, or DuckDB would read the file's catalogue for each query.
    with ours_alone(), source.get_engine().connect() as connection:
        definition = _definition(context, source, promised)
        checkpoint = gx.Checkpoint(name="contracts", validation_definitions=[definition])
        outcome = context.checkpoints.add(checkpoint).run()
        context.build_data_docs()
        rows = dict(_rows(connection))
    bring_home(docs)
    [result] = outcome.run_results.values()
    broken = tuple(_broken(result, promised))
    return Validation(len(promised), broken, docs / "index.html", rows)


def _rows(connection: Any) -> Iterator[tuple[str, dict[str, int]]]:
    """How many rows each table with a band has, by the column of its band."""
    for contract in contracts().values():
        if contract.band:
            counts = f'SELECT "{contract.band.per}", count(*) FROM {contract.table} GROUP BY ALL'
            yield contract.table, dict(connection.exec_driver_sql(counts).fetchall())


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Nothing is heard of what this logger or one below it says, whatever levels they set."""
    logger, nowhere = logging.getLogger(name), logging.NullHandler()
    logger.addHandler(nowhere)
    was, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = was
        logger.removeHandler(nowhere)


@contextmanager
def _standing_in(*names: str) -> Iterator[None]:
    """Empty modules of these names, where the true ones are not there yet, for what is imported
    meanwhile; who imports them later gets the true ones."""
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]


def _site(docs: Path) -> dict[str, Any]:
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)}
    return {
        "class_name": "SiteBuilder",
        "store_backend": backend,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _data_source(context: Any, file: Path) -> Any:
    """The work file, read-only. Every connection is closed after use: DuckDB refuses a second
    connection with another configuration in the same process."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "after_cursor_execute", _buffer_result):
        event.listen(Engine, "after_cursor_execute", _buffer_result)
    return context.data_sources.add_sql(
        name="work",
        connection_string=f"duckdb:///{file}?pool=null",
        kwargs={"connect_args": {"read_only": True}},
    )


def _buffer_result(  # noqa: PLR0917 - SQLAlchemy's own signature
    connection: Any, cursor: Any, statement: Any, parameters: Any, context: Any, many: Any
) -> None:
    """Great Expectations reads results after it has closed their connection, which DuckDB does
    not forgive: fetch them whole at once."""
    from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

    if connection.dialect.name == "duckdb" and cursor.description:
        rows = cursor.fetchall()
        context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
            cursor, initial_buffer=rows
        )


def _definition(context: Any, source: Any, promised: list[Promise]) -> Any:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="contracts", expectations=list(_expectations(promised)))
    asset = source.add_query_asset(name="tables", query="SELECT * FROM duckdb_tables()")
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name="contracts",
            data=asset.add_batch_definition_whole_table("all"),
            suite=context.suites.add(suite),
        )
    )


def _expectations(promised: list[Promise]) -> Iterator[Any]:
    """One for the columns of all tables, then one for each table and severity."""
    kind = _nothing_broken()
    yield kind(query=_wrong_columns(), description="Every table has its columns and no others.")
    together: defaultdict[tuple[str, Severity], list[Promise]] = defaultdict(list)
    for promise in promised:
        if promise.count:
            together[promise.table, promise.severity].append(promise)
    for (table, severity), those in together.items():
        yield kind(
            query=_counts(table, those),
            severity=severity,
            description=f"{table}: {' '.join(promise.says for promise in those)}",
            meta={"table": table, "severity": severity},
        )


@cache
def _nothing_broken() -> Any:
    """The class of an expectation whose query tells, by name, how many rows break what."""
    from great_expectations.expectations.expectation import BatchExpectation

    class NothingBroken(BatchExpectation):  # type: ignore[misc]
        query: str
        fetch_all: bool = True
        metric_dependencies = ("query.table",)
        success_keys = ("query", "fetch_all")

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            broken = {row["name"]: row["broken"] for row in metrics["query.table"]}
            told = ", ".join(f"{name}: {rows:,}" for name, rows in broken.items())
            result = {"observed_value": told or "nothing broken", "details": broken}
            return {"success": not broken, "result": result}

    return NothingBroken


def _wrong_columns() -> str:
    """Tables and views with how many columns they lack or have too many."""
    wanted = ", ".join(
        f"('{contract.table}', '{name}')"
        for contract in contracts().values()
        for name in contract.columns
    )
    return f"""WITH wanted (name, column_name) AS (VALUES {wanted}),
    held AS (
        SELECT schema_name || '.' || table_name AS name, column_name
        FROM duckdb_columns() SEMI JOIN wanted ON schema_name || '.' || table_name = wanted.name
        WHERE database_name = current_database()
    )
    SELECT name, count(*) AS broken FROM (
        (FROM wanted EXCEPT FROM held) UNION ALL (FROM held EXCEPT FROM wanted)
    ) GROUP BY name"""


def _counts(table: str, promised: list[Promise]) -> str:
    """Names of the promises that are broken, with how many rows break each: one scan of the table.
    Great Expectations would take braces for places of its own."""
    counts = ", ".join(f'{promise.count} AS "{promise.rule}"' for promise in promised)
    query = (
        f"SELECT name, broken FROM (UNPIVOT (SELECT {counts} FROM {table})"
        " ON COLUMNS(*) INTO NAME name VALUE broken) WHERE broken > 0"
    )
    return query.replace("{", "{{").replace("}", "}}")


def _broken(result: Any, promised: list[Promise]) -> Iterator[Broken]:
    """What did not hold, in the order it was promised; of a table whose rows could not be counted
    that alone, or what is wrong with its columns."""
    rows: dict[tuple[str, str], int] = {}
    uncounted: dict[str, Severity] = {}
    for outcome in result.results:
        meta = outcome.expectation_config.meta or {}
        found = outcome.result.get("details")
        if found is None:
            uncounted[meta["table"]] = meta["severity"]
        elif "table" in meta:
            rows |= {(meta["table"], rule): count for rule, count in found.items()}
        else:
            rows |= {(table, "columns"): count for table, count in found.items()}
    for promise in promised:
        count = rows.get((promise.table, promise.rule))
        if count:
            yield Broken(promise.table, promise.rule, promise.severity, promise.says, count)
    for table, severity in uncounted.items():
        if (table, "columns") not in rows:
            says = "Its rows can be counted; see the Data Docs for why they could not."
            yield Broken(table, "counted", severity, says, 0)
