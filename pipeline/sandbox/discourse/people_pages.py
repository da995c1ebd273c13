"""Endpoints about people: admin list, profiles, directory, members of groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeline.sandbox.discourse.post_json import person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Refused, Routes, Visit, forbidden, invalid, missing, only

_LISTS = {
    "active": "u.active",
    "new": "TRUE",
    "staff": "(u.admin OR u.moderator)",
    "suspended": "u.suspended_till > $now",
    "silenced": "u.silenced_till > $now",
    "staged": "u.staged",
    "pending": "NOT u.approved",
    "suspect": "FALSE",
}
_ORDERS = {
    "created": "u.created_at",
    "seen": "u.last_seen_at",
    "username": "u.username_lower",
    "last_emailed": "u.last_emailed_at",
    "trust_level": "u.trust_level",
    "posts": "s.post_count",
    "days_visited": "s.days_visited",
}
_PERIODS = {"all": 1, "yearly": 2, "monthly": 3, "weekly": 4, "daily": 5, "quarterly": 6}
routes = Routes()


@routes.on("GET", "/admin/users")
def admin_users(visit: Visit) -> Any:
    """All human accounts, 100 a page."""
    return admin_list(visit, "active")


@routes.on("GET", "/admin/users/list/{which}")
def admin_list(visit: Visit, which: str) -> Any:
    """Human accounts, 100 a page counted from 1, a bare array; by default the last seen first.

    Pages shift while people come and go; `order=created&asc=true` only grows. Of accounts with the
    same time, each page may have others first, as by PostgreSQL, so that none may have some.
    """
    visit.need_staff()
    if which not in _LISTS:
        raise missing()
    column = _ORDERS.get(visit.query.get("order", ""))
    rising = "asc" in visit.query
    if column is None:
        column, rising = ("u.created_at" if which == "new" else "u.last_seen_at"), False
    skip = (max(1, visit.number("page", 1)) - 1) * 100
    now = f"TIMESTAMP '{visit.now.replace(tzinfo=None)}'"
    where, values = _LISTS[which].replace("$now", now), []
    if text := visit.query.get("filter"):
        where += " AND contains(u.username_lower, ?)"
        values.append(text.lower())
    rows = visit.read(
        "SELECT u.*, s.time_read, s.days_visited, s.posts_read_count, s.topics_entered,"
        f" s.post_count FROM users AS u JOIN user_stats AS s ON s.user_id = u.id WHERE u.id > 0 AND"
        f" {where} ORDER BY {column} {'ASC' if rising else 'DESC'} NULLS LAST, hash(u.id, {skip})"
        f" LIMIT 100 OFFSET {skip}",
        *values,
    )
    return [_admin_item(visit, row) for row in rows]


@routes.on("GET", "/admin/users/{user:signed}")
def admin_user(visit: Visit, user: int) -> Any:
    """One account as staff sees it, bots too."""
    visit.need_staff()
    rows = visit.read(
        "SELECT u.*, s.time_read, s.days_visited, s.posts_read_count, s.topics_entered,"
        " s.post_count, s.like_count, s.like_given_count FROM users AS u JOIN (SELECT *,"
        " likes_received AS like_count, likes_given AS like_given_count FROM user_stats) AS s"
        " ON s.user_id = u.id WHERE u.id = ?",
        user,
    )
    if not rows:
        raise missing()
    row = rows[0]
    counts = {name: row[name] for name in ("like_count", "like_given_count")}
    return _admin_item(visit, row) | counts | {"groups": _groups_of(visit, user)}


def _groups_of(visit: Visit, user: int) -> list[Row]:
    return visit.read(
        "SELECT g.id, g.name, g.automatic FROM group_users AS m JOIN groups AS g"
        " ON g.id = m.group_id WHERE m.user_id = ? ORDER BY g.id",
        user,
    )


def _admin_item(visit: Visit, row: Row) -> Row:
    now = visit.now.replace(tzinfo=None)
    copied = (
        "active admin moderator last_seen_at last_emailed_at created_at trust_level"
        " manual_locked_trust_level title time_read staged days_visited posts_read_count"
        " topics_entered post_count"
    )
    item = person(row["id"], row["username"], row["name"]) | only(row, copied)
    for name in ("last_seen", "last_emailed", "created"):
        item[f"{name}_age"] = _age(now, row[f"{name}_at"])
    if row["suspended_till"] is not None and row["suspended_till"] > now:
        item |= {"suspended_at": row["suspended_at"], "suspended_till": row["suspended_till"]}
    if row["silenced_till"] is not None and row["silenced_till"] > now:
        item |= {"silenced": True, "silenced_till": row["silenced_till"]}
    if visit.flag("show_emails"):
        item["email"] = f"{row['username_lower']}@example.invalid"
    return item


def _age(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()


@routes.on("GET", "/u/{username}", "/users/{username}")
def profile(visit: Visit, username: str) -> Any:
    """One account by its present name; an old name is 404."""
    rows = visit.read(
        "SELECT u.*, s.* FROM users AS u JOIN user_stats AS s ON s.user_id = u.id"
        " WHERE username_lower = ?",
        username.lower(),
    )
    if not rows:
        raise missing()
    row = rows[0]
    groups = _groups_of(visit, row["id"])
    copied = "last_posted_at last_seen_at created_at trust_level moderator admin title time_read"
    user = person(row["id"], row["username"], row["name"]) | only(row, copied)
    return {"user": user | {"badge_count": 0, "groups": groups}, "user_badges": []}


@routes.on("GET", "/directory_items")
def directory(visit: Visit) -> Any:
    """Activity of people in a period, 50 a page from 0; one's own row is added to page 0."""
    if not visit.switches.user_directory:
        raise forbidden()
    period = visit.query.get("period")
    if period is None:
        raise Refused(400, "param is missing or the value is empty: period", "invalid_parameters")
    if period not in _PERIODS:
        raise forbidden()
    columns = (
        "likes_received likes_given topics_entered topic_count post_count posts_read days_visited"
    )
    order = visit.query.get("order", "likes_received")
    order = order if order in columns.split() else "likes_received"
    page = visit.number("page", 0)
    rows = visit.read(
        "SELECT d.*, u.username, u.name, u.title FROM directory_items AS d JOIN users AS u"
        f" ON u.id = d.user_id WHERE period_type = ? ORDER BY {order}"
        f" {'ASC' if 'asc' in visit.query else 'DESC'}, d.user_id",
        _PERIODS[period],
    )
    shown = rows[page * 50 : (page + 1) * 50]
    if page == 0:
        shown = [row for row in rows if row["user_id"] == visit.user_id] + shown
    more = f"/directory_items?period={period}&order={order}&page={page + 1}"
    items = [
        {"id": row["user_id"]}
        | only(row, columns)
        | {"user": person(row["user_id"], row["username"], row["name"]) | {"title": row["title"]}}
        for row in shown
    ]
    return {
        "directory_items": items,
        "meta": {
            "last_updated_at": visit.now,
            "total_rows_directory_items": len(rows),
            "load_more_directory_items": more,
        },
    }


@routes.on("GET", "/groups/{name}/members")
def members(visit: Visit, name: str) -> Any:
    """Human members of a group, 50 a page unless `limit` says more, at most 1,000."""
    group = visit.read("SELECT id, visibility_level FROM groups WHERE name = ?", name)
    if not group or (group[0]["visibility_level"] > 0 and not visit.admin):
        raise missing()
    limit, offset = visit.number("limit", 50), visit.number("offset", 0)
    if limit > 1000:
        raise invalid("limit")
    rows = visit.read(
        "SELECT u.*, m.created_at AS added_at, m.owner FROM group_users AS m JOIN users AS u"
        " ON u.id = m.user_id WHERE m.group_id = ? AND u.id > 0 ORDER BY u.username_lower",
        group[0]["id"],
    )
    people = [
        person(row["id"], row["username"], row["name"])
        | {key: row[key] for key in ("title", "last_posted_at", "last_seen_at", "added_at")}
        | {"timezone": None, "owner": row["owner"]}
        for row in rows
    ]
    page = [
        {k: v for k, v in one.items() if k != "owner"} for one in people[offset : offset + limit]
    ]
    owners = [{k: v for k, v in one.items() if k != "owner"} for one in people if one["owner"]]
    return {
        "members": page,
        "owners": owners,
        "meta": {"total": len(people), "limit": limit, "offset": offset},
    }
