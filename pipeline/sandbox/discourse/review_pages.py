"""Endpoints for moderators: the review queue and the log of staff's actions."""

from __future__ import annotations

import json
from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.moderating import STATUS
from pipeline.sandbox.discourse.people import HISTORY
from pipeline.sandbox.discourse.post_json import person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Routes, Visit, invalid, only

_STATUS = {name: str(code) for name, code in STATUS.items()} | {
    "reviewed": "1, 2, 3",
    "all": "0, 1, 2, 3, 4",
}
_ORDERS = {
    "score": "v.score DESC, v.created_at DESC",
    "score_asc": "v.score, v.created_at",
    "created_at": "v.created_at DESC, v.id DESC",
    "created_at_asc": "v.created_at, v.id",
}
_ACTIONS = {code: name for name, code in HISTORY.items()}
routes = Routes()


@routes.on("GET", "/review")
def review(visit: Visit) -> Any:
    """Reviewables, ten a page, with their people, topics and scores beside them."""
    visit.need_staff()
    status = visit.query.get("status", "pending")
    order = visit.query.get("sort_order", "score")
    if status not in _STATUS:
        raise invalid("status")
    where = (
        f"v.status IN ({_STATUS[status]}) AND {sight.categories(visit, 'v.category_id')}"
        f" AND {'TRUE' if visit.admin else 'v.reviewable_by_moderator'}"
    )
    values: list[str] = []
    if kind := visit.query.get("type"):
        where += " AND v.type = ?"
        values.append(kind)
    if "topic_id" in visit.query:
        where += f" AND v.topic_id = {visit.number('topic_id', 0)}"
    rows = visit.read(
        f"SELECT v.* FROM reviewables AS v WHERE {where}"
        f" ORDER BY {_ORDERS.get(order, _ORDERS['score'])}",
        *values,
    )
    size, offset = visit.switches.review_page, visit.number("offset", 0)
    page = rows[offset : offset + size]
    return _queue(visit, page, len(rows), offset + size)


@routes.on("GET", "/review/count")
def count(visit: Visit) -> Any:
    """How many reviewables wait."""
    visit.need_staff()
    return {"count": visit.read("SELECT count(*) AS n FROM reviewables WHERE status = 0")[0]["n"]}


def _queue(visit: Visit, page: list[Row], total: int, after: int) -> Row:
    ids = [row["id"] for row in page]
    scores = visit.read(
        "FROM reviewable_scores WHERE reviewable_id IN (SELECT unnest(?::BIGINT[])) ORDER BY id",
        ids,
    )
    topics = visit.read(
        "SELECT id, title, fancy_title, slug, archived, closed, visible, archetype"
        " FROM topics WHERE id IN (SELECT unnest(?::INTEGER[]))",
        [row["topic_id"] for row in page],
    )
    people = {row[name] for row in page for name in ("created_by_id", "target_created_by_id")}
    people |= {row[name] for row in scores for name in ("user_id", "reviewed_by_id")}
    users = visit.read(
        "SELECT id, username, name FROM users WHERE id IN"
        " (SELECT unnest(?::INTEGER[])) ORDER BY id",
        list(people - {None}),
    )
    meta: Row = {
        "total_rows_reviewables": total,
        "reviewable_count": total,
        "unseen_reviewable_count": 0,
        "types": {"created_by": "user", "target_created_by": "user", "reviewed_by": "user"},
        "reviewable_types": ["ReviewableFlaggedPost", "ReviewableQueuedPost", "ReviewableUser"],
        "status": visit.query.get("status", "pending"),
    }
    if after < total:
        meta["load_more_reviewables"] = f"/review?offset={after}"
    return {
        "reviewables": [_reviewable(visit, row, scores) for row in page],
        "users": [person(user["id"], user["username"], user["name"]) for user in users],
        "topics": topics,
        "reviewable_scores": [_score(row) for row in scores],
        "score_types": [
            {"id": 3, "title": "Off-Topic"},
            {"id": 4, "title": "Inappropriate"},
            {"id": 8, "title": "Spam"},
            {"id": 9, "title": "Needs Approval"},
        ],
        "bundled_actions": [],
        "actions": [],
        "meta": meta,
        "__rest_serializer": "1",
    }


def _reviewable(visit: Visit, row: Row, scores: list[Row]) -> Row:
    copied = (
        "id type topic_id category_id created_at score version status created_by_id"
        " target_created_by_id"
    )
    item = only(row, copied) | {
        "topic_tags": [],
        "can_edit": False,
        "editable_fields": [],
        "bundled_action_ids": [],
        "reviewable_score_ids": [one["id"] for one in scores if one["reviewable_id"] == row["id"]],
    }
    if row["target_type"] == "Post":
        post = visit.read("FROM posts WHERE id = ?", row["target_id"])
        item |= {"post_id": row["target_id"]}
        if post:
            item |= {
                name: post[0][name]
                for name in ("cooked", "raw", "reply_count", "reply_to_post_number")
            }
            item |= {
                "post_updated_at": post[0]["updated_at"],
                "post_version": post[0]["version"],
                "target_url": f"/t/-/{row['topic_id']}/{post[0]['post_number']}",
            }
    else:
        item |= {"payload": _payload(row["payload"])}
    return item


def _payload(text: str | None) -> Any:
    return json.loads(text) if text else None


def _score(row: Row) -> Row:
    copied = "id score reason created_at reviewed_at status user_id reviewed_by_id"
    return only(row, copied) | {
        "score_type_id": row["reviewable_score_type"],
        "score_type": {"id": row["reviewable_score_type"]},
        "agree_stats": {"agreed": 0, "disagreed": 0, "ignored": 0},
    }


@routes.on("GET", "/admin/logs/staff_action_logs")
def staff_actions(visit: Visit) -> Any:
    """What staff did, the latest first, at most 200 a page. Some rows are for admins only."""
    visit.need_staff()
    limit, page = visit.number("limit", 200, low=1), visit.number("page", 0)
    if limit > 200:
        raise invalid("limit")
    where, values = ("TRUE" if visit.admin else "NOT h.admin_only"), []
    if name := visit.query.get("action_name"):
        where += " AND h.action = ?"
        values.append(HISTORY.get(name, -1))
    rows = visit.read(
        "SELECT h.*, a.username AS acting, a.name AS acting_name, g.username AS target,"
        " g.name AS target_name FROM user_histories AS h"
        " LEFT JOIN users AS a ON a.id = h.acting_user_id"
        f" LEFT JOIN users AS g ON g.id = h.target_user_id WHERE {where}"
        f" ORDER BY h.id DESC LIMIT {limit} OFFSET {limit * page}",
        *values,
    )
    return {
        "staff_action_logs": [_log_item(row) for row in rows],
        "extras": {
            "user_history_actions": [
                {"id": name, "action_id": code} for name, code in HISTORY.items()
            ]
        },
    }


def _log_item(row: Row) -> Row:
    copied = (
        "id action details context ip_address email created_at subject previous_value"
        " new_value topic_id post_id category_id custom_type"
    )
    item = only(row, copied) | {"action_name": _ACTIONS[row["action"]]}
    for name, column in (("acting", "acting_user_id"), ("target", "target_user_id")):
        known = row[name] is not None
        item[f"{name}_user"] = (
            person(row[column], row[name], row[f"{name}_name"]) if known else None
        )
    return item
