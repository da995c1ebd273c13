"""Endpoints about the site itself: settings, categories, numbers."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.post_json import person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Routes, Visit, missing, only

_LAZY_PAGE, _LAZY_CHILDREN = 20, 5
routes = Routes()


@routes.on("GET", "/about")
def about(visit: Visit) -> Any:
    """Version and sizes of the site."""
    (counts,) = visit.read(
        """
        SELECT (SELECT count(*) FROM topics WHERE deleted_at IS NULL AND archetype = 'regular')
                AS topics_count,
            (SELECT count(*) FROM posts AS p JOIN topics AS t ON t.id = p.topic_id
                WHERE p.deleted_at IS NULL AND t.deleted_at IS NULL AND t.archetype = 'regular'
                AND p.post_type = 1) AS posts_count,
            (SELECT count(*) FROM users WHERE id > 0 AND active) AS users_count,
            (SELECT count(*) FROM post_actions WHERE post_action_type_id = 2
                AND deleted_at IS NULL) AS likes_count,
            (SELECT count(*) FROM chat_messages WHERE deleted_at IS NULL) AS chat_messages_count
        """
    )
    singular = {
        "topic_count": counts["topics_count"],
        "post_count": counts["posts_count"],
        "user_count": counts["users_count"],
        "like_count": counts["likes_count"],
    }
    staff = visit.read(
        "SELECT id, username, name, admin FROM users WHERE id > 0 AND"
        " (admin OR moderator) ORDER BY id"
    )
    return {
        "about": {
            "title": visit.switches.title,
            "version": visit.switches.version,
            "locale": "en",
            "description": "",
            "https": False,
            "stats": counts | singular,
            "moderators": [
                person(u["id"], u["username"], u["name"]) for u in staff if not u["admin"]
            ],
            "admins": [person(u["id"], u["username"], u["name"]) for u in staff if u["admin"]],
        }
    }


@routes.on("GET", "/site")
def site(visit: Visit) -> Any:
    """What a client needs to know of the site, its flat list of categories too."""
    groups = visit.read("SELECT id, name FROM groups ORDER BY id")
    listed = [_category(visit, row) for row in _categories(visit)]
    kinds = [
        (2, "like", False),
        (3, "off_topic", True),
        (4, "inappropriate", True),
        (6, "notify_user", True),
        (7, "notify_moderators", True),
        (8, "spam", True),
        (10, "illegal", True),
    ]
    return {
        "default_archetype": "regular",
        "notification_types": {"mentioned": 1, "replied": 2},
        "post_types": {"regular": 1, "moderator_action": 2, "small_action": 3, "whisper": 4},
        "post_action_types": [
            {"id": kind, "name_key": name, "name": name.replace("_", " ").title(), "is_flag": flag}
            for kind, name, flag in kinds
        ],
        "trust_levels": {"newuser": 0, "basic": 1, "member": 2, "regular": 3, "leader": 4},
        "groups": groups,
        "categories": [] if visit.switches.lazy_categories else listed,
        "archetypes": [{"id": "regular", "name": "Regular Topic"}],
        "user_fields": [],
        "top_tags": [row["name"] for row in _tags(visit)],
    }


@routes.on("GET", "/site/basic-info")
def basic_info(visit: Visit) -> Any:
    """Name of the site; public even where a login is needed."""
    return {"title": visit.switches.title, "description": "", "logo_url": ""}


@routes.on("GET", "/categories")
def categories(visit: Visit) -> Any:
    """Categories, nested with `include_subcategories=true`: all on any page, unless the site loads
    them lazily; then 20 a page counted from 1, with five children each. `parent_category_id` asks
    for the children of one."""
    rows = [_category(visit, row) for row in _categories(visit)]
    nested = visit.flag("include_subcategories")
    parent = visit.number("parent_category_id", 0) or None
    tops = [row for row in rows if row["parent_category_id"] == parent]
    most = len(rows)
    if visit.switches.lazy_categories:
        start = (visit.number("page", 1, low=1) - 1) * _LAZY_PAGE
        tops, most = tops[start : start + _LAZY_PAGE], _LAZY_CHILDREN
    for top in tops:
        children = [row for row in rows if row["parent_category_id"] == top["id"]]
        top["subcategory_ids"] = [row["id"] for row in children]
        if nested:
            top["subcategory_list"] = children[:most]
    return {
        "category_list": {
            "can_create_category": visit.admin,
            "can_create_topic": True,
            "categories": tops,
        }
    }


@routes.on("GET", "/c/{category:int}/show")
def category(visit: Visit, category: int) -> Any:
    """One category with its permissions, for admins."""
    found = [row for row in _categories(visit) if row["id"] == category]
    if not found:
        raise missing()
    rights = visit.read(
        "SELECT g.name AS group_name, c.permission_type, c.group_id FROM"
        " category_groups AS c JOIN groups AS g ON g.id = c.group_id"
        " WHERE c.category_id = ?",
        category,
    )
    return {"category": _category(visit, found[0]) | {"group_permissions": rights}}


def _categories(visit: Visit) -> list[Row]:
    return visit.read(f"FROM categories WHERE {sight.categories(visit, 'id')} ORDER BY id")


def _category(visit: Visit, row: Row) -> Row:
    copied = (
        "id name color text_color slug topic_count post_count position read_restricted"
        " parent_category_id"
    )
    return only(row, copied) | {
        "description": row["description"],
        "description_text": row["description"],
        "topic_url": f"/t/-/{row['topic_id']}" if row["topic_id"] else None,
        "permission": 1 if visit.user else None,
        "notification_level": 1,
        "has_children": False,
        "subcategory_ids": [],
    }


def _tags(visit: Visit) -> list[Row]:
    return visit.read(
        "SELECT g.id, g.name, count(t.id) AS count FROM tags AS g"
        " LEFT JOIN topic_tags AS tt ON tt.tag_id = g.id"
        " LEFT JOIN topics AS t ON t.id = tt.topic_id AND t.deleted_at IS NULL"
        " GROUP BY ALL ORDER BY g.name"
    )
