"""The Data Explorer plugin: stored SQL with parameters, run read-only on the forum's own tables.

The SQL is PostgreSQL's where DuckDB speaks it too. Source: `plugins/discourse-data-explorer`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb

from pipeline.sandbox.discourse.explorer_params import ParamError, bind, declared
from pipeline.sandbox.discourse.tables import Row, utc
from pipeline.sandbox.discourse.web import Answer, Refused, Routes, Visit, invalid, missing, stamp

NEW, LEGACY = "/admin/plugins/discourse-data-explorer", "/admin/plugins/explorer"
_TIMEOUT_S = 10
_TIMED_OUT = "PG::QueryCanceled: ERROR:  canceling statement due to statement timeout\n"
_SEMICOLON = "Remove the semicolons from the query."
_PG_NAMES: dict[type[duckdb.Error], str] = {
    duckdb.CatalogException: "PG::UndefinedTable: ERROR:  relation or function does not exist",
    duckdb.BinderException: "PG::UndefinedColumn: ERROR:  column does not exist",
    duckdb.ParserException: "PG::SyntaxError: ERROR:  syntax error",
    duckdb.ConversionException: "PG::InvalidTextRepresentation: ERROR:  invalid input syntax",
}
routes = Routes()


@routes.on("GET", NEW + "/queries", LEGACY + "/queries")
def index(visit: Visit) -> Any:
    """Stored queries: all at once by old versions, 50 a page by new ones."""
    if to_new := _open(visit):
        return to_new
    rows = visit.read("FROM data_explorer_queries WHERE NOT hidden ORDER BY id")
    queries = [_shown(visit, row) for row in rows]
    if visit.switches.explorer_legacy_only:
        return {"queries": queries}
    offset = visit.number("offset", 0)
    page = queries[offset : offset + 50]
    more = offset + 50 < len(queries)
    load_more = {"load_more_queries": f"{NEW}/queries?offset={offset + 50}"} if more else {}
    return {"queries": page, "total_rows_queries": len(queries), **load_more}


@routes.on("GET", NEW + "/queries/{query:signed}", LEGACY + "/queries/{query:signed}")
def show(visit: Visit, query: int) -> Any:
    """One stored query."""
    return _open(visit) or {"query": _shown(visit, _stored(visit, query))}


@routes.on("POST", NEW + "/queries", LEGACY + "/queries")
def create(visit: Visit) -> Any:
    """Store a query."""
    _open(visit)
    given = _given(visit)
    row = visit.forum.add(
        "data_explorer_queries",
        name=given.get("name"),
        description=given.get("description"),
        sql=given.get("sql", "SELECT 1"),
        user_id=visit.user_id,
        created_at=utc(visit.now),
        updated_at=utc(visit.now),
    )
    _set_groups(visit, row["id"], given)
    return {"query": _shown(visit, row)}


@routes.on("PUT", NEW + "/queries/{query:signed}", LEGACY + "/queries/{query:signed}")
def update(visit: Visit, query: int) -> Any:
    """Change a stored query; groups that are not named again lose it."""
    _open(visit)
    _stored(visit, query, hidden=True)
    given = _given(visit)
    values = {name: given[name] for name in ("name", "description", "sql") if name in given}
    row = visit.forum.change(
        "data_explorer_queries", query, **values, hidden=False, updated_at=utc(visit.now)
    )
    _set_groups(visit, query, given)
    return {"query": _shown(visit, row)}


@routes.on("DELETE", NEW + "/queries/{query:signed}", LEGACY + "/queries/{query:signed}")
def destroy(visit: Visit, query: int) -> Any:
    """Hide a stored query."""
    _open(visit)
    _stored(visit, query)
    visit.forum.change("data_explorer_queries", query, hidden=True, updated_at=utc(visit.now))
    return {"success": True, "errors": []}


@routes.on("GET", NEW + "/schema", LEGACY + "/schema")
def schema(visit: Visit) -> Any:
    """Tables and their columns."""
    _open(visit)
    tables: dict[str, list[Row]] = {}
    for row in visit.read("FROM main.catalogue ORDER BY table_name, ordinal_position"):
        column = {key: row[key] for key in ("column_name", "data_type")}
        tables.setdefault(row["table_name"], []).append(column)
    return tables


@routes.on("GET", NEW + "/groups", LEGACY + "/groups")
def groups(visit: Visit) -> Any:
    """Groups that queries may be shared with."""
    _open(visit)
    return visit.read("SELECT id, name FROM groups WHERE id > 0 ORDER BY id")


@routes.on("POST", NEW + "/queries/{query:signed}/run", LEGACY + "/queries/{query:signed}/run")
def run(visit: Visit, query: int) -> Answer:
    """Rows of a stored query as JSON."""
    _open(visit)
    return _run(visit, _stored(visit, query), visit.sent, as_csv=False)


@routes.on(
    "POST", NEW + "/queries/{query:signed}/run.csv", LEGACY + "/queries/{query:signed}/run.csv"
)
def run_csv(visit: Visit, query: int) -> Answer:
    """Rows of a stored query as CSV."""
    _open(visit)
    return _run(visit, _stored(visit, query), visit.sent, as_csv=True)


@routes.on("GET", "/data-explorer/queries/{query:signed}/run")
def public_run(visit: Visit, query: int) -> Answer:
    """The same for admins and for members of the query's groups, by GET."""
    if not visit.switches.explorer or visit.switches.explorer_legacy_only:
        raise missing()
    row = _stored(visit, query)
    member = visit.read(
        "SELECT 1 FROM data_explorer_query_groups AS q JOIN group_users AS g"
        " USING (group_id) WHERE query_id = ? AND g.user_id = ?",
        query,
        visit.user_id,
    )
    if not (visit.admin or member):
        raise missing()
    return _run(visit, row, dict(visit.query), as_csv=False)


runs = (run, run_csv, public_run)


def _open(visit: Visit) -> Answer | None:
    """404 where the plugin is off or the route is of another generation; a redirect for what the
    old routes only point to."""
    new = visit.path.startswith(NEW)
    if not visit.switches.explorer or (new and visit.switches.explorer_legacy_only):
        raise missing()
    visit.need_admin()
    if visit.method == "GET" and not new and not visit.switches.explorer_legacy_only:
        return Answer("", 302, {"Location": visit.path.replace(LEGACY, NEW) + ".json"}, "text/html")
    return None


def _given(visit: Visit) -> Mapping[str, Any]:
    given = visit.sent.get("query")
    if not isinstance(given, dict):
        raise Refused(400, "param is missing or the value is empty: query", "invalid_parameters")
    return given


def _stored(visit: Visit, query: int, *, hidden: bool = False) -> Row:
    try:
        row = visit.forum.get("data_explorer_queries", query)
    except KeyError:
        raise missing() from None
    if row["hidden"] and not hidden:
        raise missing()
    return row


def _set_groups(visit: Visit, query: int, given: Mapping[str, Any]) -> None:
    visit.forum.write("DELETE FROM data_explorer_query_groups WHERE query_id = ?", query)
    for group_id in given.get("group_ids") or ():
        if str(group_id):
            visit.forum.add("data_explorer_query_groups", query_id=query, group_id=int(group_id))


def _shown(visit: Visit, row: Row) -> Row:
    groups = visit.read(
        "SELECT group_id FROM data_explorer_query_groups WHERE query_id = ?", row["id"]
    )
    author = visit.read("SELECT username FROM users WHERE id = ?", row["user_id"])
    return {
        "id": row["id"],
        "sql": row["sql"],
        "name": row["name"],
        "description": row["description"],
        "param_info": [param.info() for param in declared(row["sql"])],
        "created_at": row["created_at"],
        "username": author[0]["username"] if author else "",
        "group_ids": [group["group_id"] for group in groups],
        "last_run_at": row["last_run_at"],
        "hidden": row["hidden"],
        "user_id": row["user_id"],
    }


def _run(visit: Visit, query: Row, sent: Mapping[str, Any], *, as_csv: bool) -> Answer:
    limit = _limit(visit, sent, as_csv)
    visit.forum.change("data_explorer_queries", query["id"], last_run_at=utc(visit.now))
    given = sent.get("params") or {}
    try:
        given = json.loads(given) if isinstance(given, str) else given
        if ";" in query["sql"]:
            raise ParamError(_SEMICOLON)
        sql, values = bind(query["sql"], given, utc(visit.now))
    except (ValueError, ParamError) as error:
        return _failed(str(error))
    begun = time.monotonic()
    try:
        columns, rows = _execute(visit, sql, values, limit)
    except duckdb.InterruptException:
        return _failed(_TIMED_OUT)
    except duckdb.Error as error:
        kind = _PG_NAMES.get(type(error), "PG::InternalError: ERROR:  " + type(error).__name__)
        return _failed(f"{kind}: {error}")
    if as_csv:
        return Answer(_csv(columns, rows), kind="text/csv; charset=utf-8")
    body = {
        "success": True,
        "errors": [],
        "duration": round((time.monotonic() - begun) * 1000, 1),
        "result_count": len(rows),
        "params": given,
        "columns": columns,
        "default_limit": visit.switches.explorer_limit,
    }
    headers = {}
    if str(sent.get("download", "")).lower() in ("true", "1"):
        headers = {
            "Content-Disposition": f"attachment; filename=query-{query['id']}.dcqresult.json"
        }
    else:
        body |= {"relations": {}, "colrender": {}}
    return Answer(body | {"rows": [[_cell(value) for value in row] for row in rows]}, 200, headers)


def _limit(visit: Visit, sent: Mapping[str, Any], as_csv: bool) -> int | None:
    """Rows to return; null for all."""
    given, most = sent.get("limit"), visit.switches.explorer_max_limit
    if given in (None, ""):
        return 10_000 if as_csv else visit.switches.explorer_limit
    if str(given) == "ALL" and most is None:
        return None
    if not str(given).isdigit() or (most is not None and int(given) > most):
        raise invalid("limit")
    return int(given)


def _execute(
    visit: Visit, sql: str, values: Mapping[str, Any], limit: int | None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor = visit.forum.cursor()
    cursor.execute("SET integer_division = true")
    cursor.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    watchdog = threading.Timer(_TIMEOUT_S, cursor.interrupt)
    watchdog.start()
    try:
        if visit.switches.explorer_times_out(sql, limit):
            raise duckdb.InterruptException("statement timeout")
        most = "" if limit is None else f" LIMIT {limit}"
        sql = re.sub(r"\binformation_schema\.columns\b", "main.catalogue", sql, flags=re.I)
        cursor.execute(f"WITH query AS (\n{sql}\n) SELECT * FROM query{most}", values)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    finally:
        watchdog.cancel()
        cursor.execute("ROLLBACK")
        cursor.close()


def _failed(message: str) -> Answer:
    return Answer({"success": False, "errors": [message]}, 422)


def _cell(value: Any) -> Any:
    """A value as the plugin's JSON has it: exact numbers, arrays and times as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, list):
        return "{" + ",".join("NULL" if item is None else str(item) for item in value) + "}"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value


def _csv(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if v is None else _cell(v) for v in row] for row in rows])
    return text.getvalue()
