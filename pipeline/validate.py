"""The contracts as Great Expectations suites, run against the work file; Data Docs kept.

A broken critical rule stops the publish; a warning goes on. Importing Great Expectations takes
seconds, so nothing here does before it is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.contracts import Column, Contract, Severity, contracts
from pipeline.landing import make_folder, ours_alone


@dataclass(frozen=True, slots=True)
class Broken:
    """One expectation that did not hold. `says` is the contract's own sentence."""

    table: str
    rule: str
    severity: Severity
    says: str
    rows: int


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation found, and where its Data Docs lie."""

    checked: int
    broken: tuple[Broken, ...]
    docs: Path

    @property
    def critical(self) -> tuple[Broken, ...]:
        """What stops the publish."""
        return tuple(b for b in self.broken if b.severity == "critical")


@dataclass(frozen=True, slots=True)
class Promise:
    """One expectation of a contract, before Great Expectations has a class for it."""

    rule: str
    says: str
    severity: Severity
    kind: str
    arguments: Mapping[str, Any]


def promises(contract: Contract) -> Iterator[Promise]:
    """Every expectation a contract makes, in a fixed order."""
    columns = list(contract.columns)
    says = f"The columns are {', '.join(columns)}."
    yield Promise(
        "columns", says, "critical", "ExpectTableColumnsToMatchSet", {"column_set": columns}
    )
    says = f"No two rows share {', '.join(contract.key)}."
    yield _no_rows("key", says, "critical", _repeated(contract))
    if contract.rows_from is not None:
        says = f"There are at least {contract.rows_from} rows."
        least = {"min_value": contract.rows_from}
        yield Promise("rows", says, "warning", "ExpectTableRowCountToBeBetween", least)
    yield from _column_promises(contract)
    for name, rule in contract.rules.items():
        query = f"SELECT * FROM {{batch}} WHERE NOT ({rule.sql})"
        yield _no_rows(name, rule.says, rule.severity, query)


def validate(file: Path, docs: Path) -> Validation:
    """Check every table of the work file against its contract. The file must not be open.

    Data Docs, one self-contained static site, are written into the folder `docs`.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx

    make_folder(docs)
    context = gx.get_context(mode="ephemeral")
    context.add_data_docs_site("night", _site(docs))
    context.variables.progress_bars = {"globally": False}
    source = _data_source(context, file)
    wanted = {c.table: list(promises(c)) for c in contracts().values()}
    # Held open, or DuckDB would read the file's catalogue for each of a thousand connections.
    with ours_alone(), source.get_engine().connect():
        definitions = [
            _definition(context, source, contracts()[table], promised)
            for table, promised in wanted.items()
        ]
        checkpoint = gx.Checkpoint(name="night", validation_definitions=definitions)
        outcome = context.checkpoints.add(checkpoint).run()
        context.build_data_docs()
    broken = [b for result in outcome.run_results.values() for b in _broken(result)]
    return Validation(sum(map(len, wanted.values())), tuple(broken), docs / "index.html")


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


def _definition(context: Any, source: Any, contract: Contract, wanted: list[Promise]) -> Any:
    import great_expectations as gx

    expectations = [
        _kind(promise.kind)(
            **promise.arguments,
            meta={"rule": promise.rule, "says": promise.says, "severity": promise.severity},
        )
        for promise in wanted
    ]
    suite = gx.ExpectationSuite(name=contract.table, expectations=expectations)
    asset = source.add_table_asset(
        name=contract.table, table_name=contract.name, schema_name=contract.schema_name
    )
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=contract.table,
            data=asset.add_batch_definition_whole_table("all"),
            suite=context.suites.add(suite),
        )
    )


@cache
def _kind(name: str) -> Any:
    """Great Expectations' class of this name; that of a query only counts, for Great Expectations
    itself runs each query a second time for rows that no result at our level of detail holds."""
    import great_expectations.expectations as gxe

    if name != "UnexpectedRowsExpectation":
        return getattr(gxe, name)

    class CountedRowsExpectation(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            rows = metrics["unexpected_rows_query.row_count"]
            return {"success": rows == 0, "result": {"observed_value": rows}}

    return CountedRowsExpectation


def _broken(result: Any) -> Iterator[Broken]:
    for outcome in result.results:
        if not outcome.success:
            meta = outcome.expectation_config.meta
            found = outcome.result.get("unexpected_count") or outcome.result.get("observed_value")
            yield Broken(
                result.suite_name,
                meta["rule"],
                meta["severity"],
                meta["says"],
                found if isinstance(found, int) else 0,
            )


def _column_promises(contract: Contract) -> Iterator[Promise]:
    """One promise for all required columns, one for all that have a range, one for each list of
    values: Great Expectations takes longer over an expectation than DuckDB over its rows."""
    required = [name for name, column in contract.columns.items() if column.required]
    if required:
        broken = {name: f'"{name}" IS NULL' for name in required}
        says = f"Never null: {', '.join(required)}."
        yield _no_rows("required", says, "critical", _naming(contract, broken))
    ranges = {name: _outside(name, column) for name, column in contract.columns.items()}
    ranges = {name: sql for name, sql in ranges.items() if sql}
    if ranges:
        says = f"In its range: {', '.join(ranges)}."
        yield _no_rows("range", says, "critical", _naming(contract, ranges))
    for name, column in contract.columns.items():
        if column.values:
            says = f"{name} is one of {', '.join(column.values)}."
            listed = {"column": name, "value_set": list(column.values)}
            kind = "ExpectColumnValuesToBeInSet"
            yield Promise(f"{name}_values", says, "critical", kind, listed)


def _outside(name: str, column: Column) -> str:
    """SQL that is true where the column is below or above its range; empty where it has none."""
    bounds = [(column.low, "<"), (column.high, ">")]
    return " OR ".join(f'"{name}" {sign} {edge}' for edge, sign in bounds if edge is not None)


def _naming(contract: Contract, broken: Mapping[str, str]) -> str:
    """Rows in which any of these is true: their key, and the names of what is."""
    key = ", ".join(f'"{name}"' for name in contract.key)
    names = ", ".join(f"CASE WHEN {sql} THEN '{name}' END" for name, sql in broken.items())
    anything = " OR ".join(f"({sql})" for sql in broken.values())
    return f"SELECT {key}, concat_ws(', ', {names}) AS broken FROM {{batch}} WHERE {anything}"


def _no_rows(rule: str, says: str, severity: Severity, query: str) -> Promise:
    asked = {"unexpected_rows_query": query}
    return Promise(rule, says, severity, "UnexpectedRowsExpectation", asked)


def _repeated(contract: Contract) -> str:
    key = ", ".join(f'"{name}"' for name in contract.key)
    return f"SELECT {key}, count(*) AS n FROM {{batch}} GROUP BY {key} HAVING count(*) > 1"
