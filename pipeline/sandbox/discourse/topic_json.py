"""Pieces of a topic's JSON that lists and topic pages share."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Visit


def tags_of(visit: Visit, topic_ids: list[int]) -> dict[int, list[Any]]:
    """Tags by topic: objects since 2026.1, names before."""
    rows = visit.read(
        "SELECT tt.topic_id, g.id, g.name, g.slug FROM topic_tags AS tt JOIN tags AS g"
        " ON g.id = tt.tag_id WHERE tt.topic_id IN (SELECT unnest(?::INTEGER[])) ORDER BY g.name",
        topic_ids,
    )
    tags: dict[int, list[Any]] = {}
    for row in rows:
        whole = {"id": row["id"], "name": row["name"], "slug": row["slug"]}
        tags.setdefault(row["topic_id"], []).append(
            whole if visit.switches.tags_as_objects else row["name"]
        )
    return tags


def accepted(visit: Visit, topic_id: int) -> list[Row]:
    """The accepted answers of a topic with their authors and accepters."""
    return visit.read(
        "SELECT p.id AS post_id, p.post_number, p.cooked, p.created_at, u.id, u.username, u.name,"
        " a.username AS accepter, a.name AS accepter_name FROM main.solutions AS s"
        " JOIN posts AS p ON p.id = s.post_id LEFT JOIN users AS u ON u.id = p.user_id"
        " LEFT JOIN users AS a ON a.id = s.accepter_user_id WHERE s.topic_id = ?"
        " AND p.deleted_at IS NULL ORDER BY p.post_number",
        topic_id,
    )
