"""Rows that may be changed one by one, quickly, in a DuckDB that likes bulk.

Changed rows wait in memory and reach DuckDB when somebody reads, all in one transaction, so what
the database shows is always the result of whole actions.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar, cast

import duckdb

from pipeline.sandbox.discourse import schema

Row = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def action(method: Method) -> Method:
    """A method that nobody sees half done."""

    @functools.wraps(method)
    def alone(self: Tables, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return cast(Method, alone)


def utc(at: datetime) -> datetime:
    """An aware time as the database keeps it: UTC without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None)


def made(at: datetime) -> dict[str, datetime]:
    """The time stamps of a row made at this moment."""
    return {"created_at": utc(at), "updated_at": utc(at)}


class Tables:
    """Discourse's tables. Rows are dicts by id; `read` and `write` speak SQL."""

    def __init__(self, solved: int | None) -> None:
        self.lock = threading.RLock()
        self.db = duckdb.connect(":memory:")
        self.db.execute("CREATE SCHEMA public; USE public; SET TimeZone = 'UTC'")
        self.db.execute("SET enable_progress_bar = false")
        generation = solved or 1
        self.db.execute(schema.TABLES + schema.SOLVED[generation])
        self.db.execute(schema.SOLUTIONS[generation] + schema.VIEWS)
        self.db.execute("SET enable_external_access = false")  # queries come from clients
        self._shapes, self._blank = self._describe()
        self._next: dict[str, int] = {}
        self._rows: dict[str, dict[int, Row]] = {}
        self._dirty: dict[str, set[int]] = {}

    def _describe(self) -> tuple[dict[str, str], dict[str, Row]]:
        columns = self.db.execute(
            "SELECT table_name, column_name, data_type, column_default FROM duckdb_columns()"
            " WHERE schema_name = 'public' AND table_name IN"
            " (SELECT table_name FROM duckdb_tables() WHERE schema_name = 'public')"
        ).fetchall()
        defaults = self.db.execute(
            "SELECT " + ", ".join(str(default or "NULL") for *_, default in columns)
        ).fetchall()[0]
        shapes: dict[str, dict[str, str]] = {}
        blank: dict[str, Row] = {}
        for (table, column, kind, _), default in zip(columns, defaults, strict=True):
            shapes.setdefault(table, {})[column] = "VARCHAR" if kind == "JSON" else kind
            blank.setdefault(table, {})[column] = default
        return {table: json.dumps([shape]) for table, shape in shapes.items()}, blank

    def next_id(self, table: str) -> int:
        """The id the next row of this table will have, now spent."""
        if table not in self._next:
            (top,) = self.db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchall()[0]
            self._next[table] = max(top, 0) + 1
        self._next[table] += 1
        return self._next[table] - 1

    @action
    def add(self, table: str, **values: Any) -> Row:
        """A new row; its id is the next free one unless given."""
        given = values.get("id")
        values["id"] = self.next_id(table) if given is None else given
        if given is not None and given > 0:
            self._next[table] = max(given + 1, self._next.get(table, 0))
        unknown = values.keys() - self._blank[table].keys()
        if unknown:
            raise TypeError(f"{table} has no column {', '.join(sorted(unknown))}")
        row = self._blank[table] | values
        self._rows.setdefault(table, {})[row["id"]] = row
        self._dirty.setdefault(table, set()).add(row["id"])
        return dict(row)

    @action
    def get(self, table: str, row_id: int) -> Row:
        """The row as it stands now. KeyError where there is none."""
        return dict(self._row(table, row_id))

    @action
    def has(self, table: str, row_id: int) -> bool:
        """Whether the table has this row."""
        try:
            self._row(table, row_id)
        except KeyError:
            return False
        return True

    @action
    def change(self, table: str, row_id: int, **values: Any) -> Row:
        """The row, changed."""
        row = self._row(table, row_id)
        row.update(values)
        self._dirty.setdefault(table, set()).add(row_id)
        return dict(row)

    def _row(self, table: str, row_id: int) -> Row:
        rows = self._rows.setdefault(table, {})
        if row_id not in rows:
            # waiting rows are all in `rows`: no need to flush them first
            found = _dicts(self.db.execute(f"FROM {table} WHERE id = ?", [row_id]))
            if not found:
                raise KeyError(f"{table} has no row {row_id}")
            rows[row_id] = found[0]
        return rows[row_id]

    def read(self, sql: str, *values: Any) -> list[Row]:
        """Rows of a query, as dicts."""
        return _dicts(self.cursor().execute(sql, values))

    @action
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor over all that has happened, for one thread."""
        self.flush()
        cursor = self.db.cursor()
        cursor.execute("USE public")
        return cursor

    @action
    def write(self, sql: str, *values: Any) -> None:
        """Change rows by SQL."""
        self.flush()
        self._rows.clear()
        self.db.execute(sql, values)

    @action
    def renumber(self) -> None:
        """Let new ids follow the highest of each table, after rows were added by SQL."""
        self._next.clear()

    @action
    def flush(self) -> None:
        """Bring waiting rows into the database."""
        if not self._dirty:
            return
        self.db.execute("BEGIN TRANSACTION")
        for table, ids in self._dirty.items():
            rows = [_known(self._rows[table][i]) for i in sorted(ids)]
            self.db.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT unnest(?::BIGINT[]))", [list(ids)]
            )
            self.db.execute(
                f"INSERT INTO {table} BY NAME"
                " SELECT r.* FROM (SELECT unnest(from_json(?, ?)) AS r)",
                [json.dumps(rows, default=_text), self._shapes[table]],
            )
        self.db.execute("COMMIT")
        self._dirty.clear()


def _dicts(result: duckdb.DuckDBPyConnection) -> list[Row]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _known(row: Row) -> Row:
    """The row without its nulls: what JSON does not say is null."""
    return {name: value for name, value in row.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no column value")
