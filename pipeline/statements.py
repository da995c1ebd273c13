"""SQL as text: what may stand in a statement, and what one gives back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

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


def spreadsheet_safe(cell: object) -> object:
    """A cell of CSV; a text that a spreadsheet would compute gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and re.match(_FORMULA, cell) else cell


def spreadsheet_safe_column(name: str) -> str:
    """The same of a column of texts, as SQL."""
    column = identifier(name)
    is_formula = f"regexp_matches({column}, {literal(_FORMULA)})"
    return f"CASE WHEN {is_formula} THEN '''' || {column} ELSE {column} END AS {column}"
