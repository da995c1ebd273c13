"""SQL as text: files of statements, what may stand in one, and what one gives back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parents[1] / "sql"
_FORMULA = r"^[=+@\t\r-]"  # how a cell begins that a spreadsheet would compute


def literal(text: object) -> str:
    """A text, or a file's name, as a string in SQL, with its quotes."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A table's or column's name in SQL, with its quotes."""
    return '"' + name.replace('"', '""') + '"'


def value(db: duckdb.DuckDBPyConnection, sql: str, *given: object) -> Any:
    """The first column of the first row of a query; null where there is no row."""
    row = db.execute(sql, list(given)).fetchone()
    return row[0] if row else None


@cache
def written(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def run(
    db: duckdb.DuckDBPyConnection, name: str, given: Mapping[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    """Run the statements of `sql/<name>.sql`, each with those of the parameters that it names;
    what the last one finds can be fetched."""
    for statement in db.extract_statements(written(name)):
        db.execute(statement, {key: (given or {})[key] for key in statement.named_parameters})
    return db


def spreadsheet_safe(cell: object) -> object:
    """A cell of CSV; a text that a spreadsheet would compute gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and re.match(_FORMULA, cell) else cell


def spreadsheet_safe_column(name: str) -> str:
    """The same of a column of texts, as SQL."""
    column = identifier(name)
    is_formula = f"regexp_matches({column}, {literal(_FORMULA)})"
    return f"CASE WHEN {is_formula} THEN '''' || {column} ELSE {column} END AS {column}"
