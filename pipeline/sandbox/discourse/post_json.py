"""A post as the API shows it. Source: `app/serializers/post_serializer.rb`."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Visit

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
_FLAG_COLUMNS = {3: "off_topic_count", 4: "inappropriate_count", 8: "spam_count"}


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
    return [
        _shown(visit, row, raw, alone) for row in visit.read(f"{_POSTS} WHERE {where}", *values)
    ]


def _shown(visit: Visit, row: Row, raw: bool, alone: bool) -> Row:
    solved = visit.switches.solved is not None
    shown: Row = {
        "id": row["id"],
        "name": row["name"],
        "username": row["username"],
        "avatar_template": avatar(row["username"]),
        "created_at": row["created_at"],
        "cooked": row["cooked"],
        "post_number": row["post_number"],
        "post_type": row["post_type"],
        "posts_count": row["topic_posts_count"],
        "updated_at": row["updated_at"],
        "reply_count": row["reply_count"],
        "reply_to_post_number": row["reply_to_post_number"],
        "quote_count": row["quote_count"],
        "incoming_link_count": row["incoming_link_count"],
        "reads": row["reads"],
        "readers_count": max(0, row["reads"] - 1),
        "score": row["score"] or 0.0,
        "yours": row["user_id"] == visit.user_id,
        "topic_id": row["topic_id"],
        "topic_slug": row["topic_slug"],
        "display_username": row["name"],
        "primary_group_name": None,
        "flair_name": None,
        "flair_url": None,
        "flair_bg_color": None,
        "flair_color": None,
        "flair_group_id": None,
        "badges_granted": [],
        "version": row["version"] if visit.staff else row["public_version"],
        "can_edit": visit.staff,
        "can_delete": visit.staff and row["deleted_at"] is None,
        "can_recover": visit.staff and row["deleted_at"] is not None,
        "can_see_hidden_post": True,
        "can_wiki": visit.staff,
        "read": True,
        "user_title": row["user_title"],
        "bookmarked": False,
        "actions_summary": _actions(visit, row),
        "moderator": bool(row["moderator"]),
        "admin": bool(row["admin"]),
        "staff": bool(row["moderator"] or row["admin"]),
        "user_id": row["user_id"],
        "hidden": row["hidden"],
        "trust_level": row["trust_level"],
        "deleted_at": row["deleted_at"],
        "user_deleted": row["user_deleted"],
        "edit_reason": row["edit_reason"],
        "can_view_edit_history": True,
        "wiki": row["wiki"],
    }
    shown |= _optional(visit, row)
    if solved:
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
        entry |= {"can_act": True} if able and row["user_id"] != visit.user_id else {}
        if len(entry) > 1:
            summary.append(entry)
    return summary
