"""A post as the API shows it. Source: `app/serializers/post_serializer.rb`."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Visit, only

_POSTS = """
SELECT p.*, u.username, u.name, u.title AS user_title, u.admin, u.moderator, u.trust_level,
    u.suspended_till, t.slug AS topic_slug, t.title AS topic_title, t.fancy_title, t.category_id,
    t.archetype, t.posts_count AS topic_posts_count, t.user_id AS topic_user_id,
    d.id AS deleter_id, d.username AS deleter, d.name AS deleter_name,
    r.id AS replied_id, r.username AS replied, r.name AS replied_name,
    s.post_id IS NOT NULL AS is_solution,
    EXISTS (FROM main.solutions AS o WHERE o.topic_id = p.topic_id) AS has_solution,
    v.id AS reviewable_id
FROM posts AS p
JOIN topics AS t ON t.id = p.topic_id
LEFT JOIN users AS u ON u.id = p.user_id
LEFT JOIN users AS d ON d.id = p.deleted_by_id
LEFT JOIN users AS r ON r.id = p.reply_to_user_id
LEFT JOIN main.solutions AS s ON s.post_id = p.id
LEFT JOIN (SELECT target_id, max(id) AS id FROM reviewables WHERE target_type = 'Post'
    GROUP BY target_id) AS v ON v.target_id = p.id
"""
_HIDDEN = "<p>This post was flagged by the community and is temporarily hidden.</p>"
_COPIED = (
    "id name username created_at cooked post_number post_type updated_at reply_count"
    " reply_to_post_number quote_count incoming_link_count reads topic_id topic_slug"
    " user_title user_id hidden trust_level deleted_at user_deleted edit_reason wiki"
)
_NEVER_SET: Row = {
    "primary_group_name": None,
    "flair_name": None,
    "flair_url": None,
    "flair_bg_color": None,
    "flair_color": None,
    "flair_group_id": None,
    "badges_granted": [],
    "bookmarked": False,
    "can_see_hidden_post": True,
    "read": True,
    "can_view_edit_history": True,
}
_FLAG_COLUMNS = {
    3: "off_topic_count",
    4: "inappropriate_count",
    7: "notify_moderators_count",
    8: "spam_count",
}


def avatar(username: str | None) -> str:
    """Template of a letter avatar's address."""
    return f"/letter_avatar_proxy/v4/letter/{(username or '?')[0].lower()}/3be4f8/{{size}}.png"


def person(user_id: int | None, username: str | None, name: str | None) -> Row:
    """An account in its shortest form."""
    return {"id": user_id, "username": username, "name": name, "avatar_template": avatar(username)}


def find_posts(
    visit: Visit, where: str, *values: Any, raw: bool = False, alone: bool = False
) -> list[Row]:
    """Posts (`p` in the condition) as JSON, in the order the condition asks for.

    raw    with the Markdown source
    alone  as single posts and lists of posts have them: with the topic's title and their address
    """
    # ids first: joining and sorting whole posts is slow in a large forum
    sql = f"SELECT p.id FROM posts AS p JOIN topics AS t ON t.id = p.topic_id WHERE {where}"
    ids = [row["id"] for row in visit.read(sql, *values)]
    listed = ", ".join(map(str, ids)) or "NULL"
    rows = {row["id"]: row for row in visit.read(f"{_POSTS} WHERE p.id IN ({listed})")}
    return [_shown(visit, rows[one], raw, alone) for one in ids if one in rows]


def _shown(visit: Visit, row: Row, raw: bool, alone: bool) -> Row:
    shown = _always(visit, row) | _optional(visit, row)
    if visit.switches.solved is not None:
        shown |= {
            "can_accept_answer": False,
            "can_unaccept_answer": False,
            "accepted_answer": row["is_solution"],
            "topic_accepted_answer": row["has_solution"],
        }
    if raw or alone:
        shown["raw"] = row["raw"]
    if alone:
        shown |= {
            "topic_title": row["topic_title"],
            "topic_html_title": row["fancy_title"],
            "category_id": row["category_id"],
            "excerpt": excerpt(row["cooked"]),
            "truncated": False,
            "post_url": f"/t/{row['topic_slug']}/{row['topic_id']}/{row['post_number']}",
        }
    return shown


def _always(visit: Visit, row: Row) -> Row:
    deleted = row["deleted_at"] is not None
    return (
        _NEVER_SET
        | only(row, _COPIED)
        | {
            "avatar_template": avatar(row["username"]),
            "posts_count": row["topic_posts_count"],
            "readers_count": max(0, row["reads"] - 1),
            "score": row["score"] or 0.0,
            "yours": row["user_id"] == visit.user_id,
            "display_username": row["name"],
            "version": row["version"] if visit.staff else row["public_version"],
            "can_edit": visit.staff,
            "can_delete": visit.staff and not deleted,
            "can_recover": visit.staff and deleted,
            "can_wiki": visit.staff,
            "actions_summary": _actions(visit, row),
            "moderator": bool(row["moderator"]),
            "admin": bool(row["admin"]),
            "staff": bool(row["moderator"] or row["admin"]),
        }
    )


def _optional(visit: Visit, row: Row) -> Row:
    """What a post has only where it applies."""
    more: Row = {}
    if row["replied_id"] is not None:
        more["reply_to_user"] = person(row["replied_id"], row["replied"], row["replied_name"])
    if row["deleted_at"] is not None:
        more["deleted_by"] = row["deleter_id"] and person(
            row["deleter_id"], row["deleter"], row["deleter_name"]
        )
    if row["action_code"]:
        more["action_code"] = row["action_code"]
    if row["via_email"]:
        more["via_email"] = True
    if row["suspended_till"] is not None and row["suspended_till"] > visit.now.replace(tzinfo=None):
        more["user_suspended"] = True
    if row["hidden"]:
        more["hidden_reason_id"] = row["hidden_reason_id"]
        if not visit.staff and row["user_id"] != visit.user_id:
            more |= {"cooked": _HIDDEN, "cooked_hidden": True}
    if visit.staff:
        more |= {
            "reviewable_id": row["reviewable_id"] or 0,
            "reviewable_score_count": 0,
            "reviewable_score_pending_count": 0,
        }
    if visit.switches.reactions:
        likes = [{"id": "heart", "type": "emoji", "count": row["like_count"]}]
        more |= {
            "reactions": likes if row["like_count"] else [],
            "current_user_reaction": None,
            "reaction_users_count": row["like_count"],
        }
    return more


def _actions(visit: Visit, row: Row) -> list[Row]:
    """Counts by kind of action; an entry is left out unless it counts or one may act."""
    able = visit.user is not None and row["deleted_at"] is None
    counts = {2: row["like_count"]}
    if visit.staff:
        counts |= {kind: row[column] for kind, column in _FLAG_COLUMNS.items()}
    summary = []
    for kind, count in counts.items():
        entry: Row = {"id": kind}
        entry |= {"count": count} if count else {}
        if count and visit.user_id and visit.forum.has_acted(row["id"], visit.user_id, kind):
            entry["acted"] = True
        entry |= {"can_act": True} if able and row["user_id"] != visit.user_id else {}
        if len(entry) > 1:
            summary.append(entry)
    return summary
