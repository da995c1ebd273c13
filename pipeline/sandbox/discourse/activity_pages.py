"""Endpoints about activity: what somebody did, and reports: counts by day, and edits."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.post_json import avatar
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Refused, Routes, Visit, missing

_PAGE = 30
_ACTIONS = """
SELECT 1 AS action_type, a.user_id AS target_user_id, a.user_id AS acting_user_id, a.created_at,
    a.post_id FROM post_actions AS a WHERE a.post_action_type_id = 2 AND a.deleted_at IS NULL
UNION ALL
SELECT 2, p.user_id, a.user_id, a.created_at, a.post_id FROM post_actions AS a
JOIN posts AS p ON p.id = a.post_id WHERE a.post_action_type_id = 2 AND a.deleted_at IS NULL
UNION ALL
SELECT CASE WHEN post_number = 1 THEN 4 ELSE 5 END, user_id, user_id, created_at, id FROM posts
WHERE post_type = 1
"""
_REPORTS = {  # type -> title, rows of one column `day`
    "visits": ("User Visits", "SELECT visited_at AS day FROM user_visits"),
    "signups": ("Signups", "SELECT created_at::DATE AS day FROM users WHERE id > 0"),
    "topics": (
        "Topics",
        "SELECT created_at::DATE AS day FROM topics"
        " WHERE deleted_at IS NULL AND archetype = 'regular'",
    ),
    "posts": (
        "Posts",
        "SELECT p.created_at::DATE AS day FROM posts AS p JOIN topics AS t ON t.id = p.topic_id"
        " WHERE p.deleted_at IS NULL AND p.post_type = 1 AND t.archetype = 'regular'"
        " AND t.deleted_at IS NULL",
    ),
    "likes": (
        "Likes",
        # likes that were taken back too: it counts `unscoped`
        "SELECT created_at::DATE AS day FROM post_actions WHERE post_action_type_id = 2",
    ),
}
_EDITS = """
SELECT r.user_id AS editor_id, e.username AS editor_username, p.user_id AS author_id,
    a.username AS author_username, p.edit_reason, r.created_at, left(p.raw, 40) AS post_raw,
    p.topic_id, p.post_number FROM post_revisions AS r JOIN posts AS p ON p.id = r.post_id
JOIN users AS a ON a.id = p.user_id JOIN users AS e ON e.id = r.user_id
WHERE e.id > 0 AND e.id <> a.id AND r.created_at::DATE BETWEEN ? AND ? ORDER BY r.created_at
"""  # edits by others than the author, unless one editor is asked for
routes = Routes()


@routes.on("GET", "/user_actions")
def user_actions(visit: Visit) -> Any:
    """What one person did or received, the latest first: likes given (1) and received (2), topics
    (4), replies (5); 30 a page, and `limit` may only ask for fewer."""
    name = visit.query.get("username", "").lower()
    found = visit.read("SELECT id FROM users WHERE username_lower = ?", name)
    if not found:
        raise missing()
    kinds = [int(kind) for kind in visit.query.get("filter", "").split(",") if kind.isdigit()]
    limit = min(_PAGE, visit.number("limit", _PAGE, low=1))
    rows = visit.read(
        f"SELECT a.*, p.cooked, p.post_number, p.reply_to_post_number, p.post_type, p.hidden,"
        f" p.action_code, p.deleted_at, t.id AS topic_id, t.title, t.slug, t.category_id, t.closed,"
        f" t.archived, u.id AS user_id, u.username, u.name, k.username AS acting_username,"
        f" k.name AS acting_name, g.username AS target_username, g.name AS target_name"
        f" FROM ({_ACTIONS}) AS a JOIN posts AS p ON p.id = a.post_id"
        f" JOIN topics AS t ON t.id = p.topic_id LEFT JOIN users AS u ON u.id = p.user_id"
        f" JOIN users AS k ON k.id = a.acting_user_id JOIN users AS g ON g.id = a.target_user_id"
        f" WHERE a.target_user_id = ? AND (len(?::INTEGER[]) = 0 OR a.action_type IN"
        f" (SELECT unnest(?::INTEGER[]))) AND p.deleted_at IS NULL AND t.deleted_at IS NULL"
        f" AND {sight.topics(visit)} AND {sight.whispers(visit)}"
        f" ORDER BY a.created_at DESC, a.post_id DESC"
        f" LIMIT {limit} OFFSET {visit.number('offset', 0)}",
        found[0]["id"],
        kinds,
        kinds,
    )
    return {"user_actions": [_action(row) for row in rows]}


def _action(row: Row) -> Row:
    shown = {key: value for key, value in row.items() if key not in ("cooked", "deleted_at")}
    return shown | {
        "excerpt": excerpt(row["cooked"]),
        "avatar_template": avatar(row["username"]),
        "acting_avatar_template": avatar(row["acting_username"]),
        "deleted": row["deleted_at"] is not None,
    }


@routes.on("GET", "/admin/reports/bulk")
def reports(visit: Visit) -> Any:
    """Several reports: `reports[signups][start_date]=...` and so on."""
    visit.need_staff()
    names = [name.split("[")[1].rstrip("]") for name in visit.query if name.startswith("reports[")]
    return {"reports": [_report(visit, name, f"reports[{name}]") for name in dict.fromkeys(names)]}


@routes.on("GET", "/admin/reports/{kind}")
def report(visit: Visit, kind: str) -> Any:
    """Counts by UTC day, from `start_date` to `end_date` (30 days to today unless given); or the
    edits of these days, one by one."""
    visit.need_staff()
    if kind not in (*_REPORTS, "post_edits"):
        raise missing()
    return {"report": _report(visit, kind, "")}


def _report(visit: Visit, kind: str, prefix: str) -> Row:
    end = _day(visit, prefix, "end_date") or visit.now.date()
    start = _day(visit, prefix, "start_date") or end - timedelta(days=30)
    if kind == "post_edits":
        edits = visit.read(_EDITS, start, end)
        return {"type": kind, "title": "Post Edits", "modes": ["table"], "data": edits}
    if kind not in _REPORTS:
        return {"type": kind, "error": "not_found"}
    title, sql = _REPORTS[kind]
    rows = visit.read(
        f"SELECT day AS x, count(*) AS y FROM ({sql}) WHERE day BETWEEN ? AND ?"
        " GROUP BY day ORDER BY day",
        start,
        end,
    )
    return {
        "type": kind,
        "title": title,
        "xaxis": "Day",
        "yaxis": "Number",
        "data": rows,
        "start_date": f"{start}T00:00:00Z",
        "end_date": f"{end}T23:59:59Z",
        "prev_data": None,
        "total": sum(row["y"] for row in rows),
        "labels": None,
    }


def _day(visit: Visit, prefix: str, name: str) -> date | None:
    text = visit.query.get(f"{prefix}[{name}]" if prefix else name)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise Refused(400, f"invalid date: {name}", "invalid_parameters") from None
