"""Where a column comes from, read out of the SQL itself: every column on the way to `raw`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.build import files_of
from pipeline.contracts import contracts
from pipeline.errors import FixSettings
from pipeline.statements import SQL, written
from pipeline.warehouse import prepare


@dataclass(frozen=True, slots=True)
class Step:
    """One column that another is made of. `depth` counts hops from the column asked about; `file`
    is the SQL that made the hop, relative to `sql/`; null for the column itself."""

    depth: int
    column: str
    file: str | None


def lineage(column: str) -> Iterator[Step]:
    """The columns `<schema>.<table>.<column>` is made of, depth first, each named once.

    Only what its value is computed from: a column that a row is chosen or joined by is not told.
    It ends at the `views` of `raw` that staging reads. Raises FixSettings for a column no contract
    has.
    """
    table, _, name = column.rpartition(".")
    known = contracts().get(table)
    if known is None or name not in known.columns:
        raise FixSettings(
            f"{column!r} is no column; write schema.table.column, as in "
            "marts.threads.first_response_at"
        )
    yield Step(0, column, None)
    yield from _below(table, name, 1, {column})


def _below(table: str, name: str, depth: int, told: set[str]) -> Iterator[Step]:
    for file in files_of(contracts()[table]) if table in contracts() else []:
        for source, column in sorted(_made_of(file, name)):
            if f"{source}.{column}" not in told:
                told.add(f"{source}.{column}")
                yield Step(depth, f"{source}.{column}", str(file.relative_to(SQL)))
                yield from _below(source, column, depth + 1, told)


def _made_of(file: Path, name: str) -> set[tuple[str, str]]:
    """(table, column) that a column of this file's SELECT is computed from; none where the file
    leaves the column out."""
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage as trace

    query = parse_one(file.read_text(encoding="utf-8"), dialect="duckdb")
    if name not in query.named_selects:
        return set()
    root = trace(name, query, schema=_schema(), dialect="duckdb")
    return {
        (f"{node.source.db}.{node.source.name}", node.name.rpartition(".")[2])
        for node in root.walk()
        if not node.downstream and isinstance(node.source, exp.Table) and node.source.db
    }


@cache
def _schema() -> dict[str, Any]:
    """Every table's columns, as sqlglot wants them."""
    found: dict[str, Any] = {}
    for contract in contracts().values():
        columns = {name: column.type for name, column in contract.columns.items()}
        found.setdefault(contract.schema_name, {})[contract.name] = columns
    found["raw"] |= views()
    return found


@cache
def views() -> dict[str, dict[str, str]]:
    """The views of `raw` that staging reads (`sql/macros.sql`) and no contract describes: name ->
    column -> type, as DuckDB tells them of empty tables."""
    import duckdb

    found: dict[str, dict[str, str]] = {}
    with duckdb.connect() as db:
        prepare(db)
        db.execute(written("macros"))
        for view, column, kind in db.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " SEMI JOIN duckdb_views() AS v ON table_name = v.view_name"
            " WHERE schema_name = 'raw' ORDER BY ALL"
        ).fetchall():
            found.setdefault(view, {})[column] = kind
    return found
