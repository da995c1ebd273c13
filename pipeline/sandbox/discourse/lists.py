"""Endpoints that list topics.

Source: `list_controller.rb`, `topic_query.rb`, `topics_filter.rb`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.post_json import avatar
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.topic_json import tags_of
from pipeline.sandbox.discourse.web import Routes, Visit, invalid, missing, only

_DEFAULT_PAGE = 30
_ORDERS = {
    "default": "t.bumped_at",
    "activity": "t.bumped_at",
    "created": "t.created_at",
    "views": "t.views",
    "posts": "t.posts_count",
    "likes": "t.like_count",
    "op_likes": "t.like_count",
    "posters": "t.participant_count",
    "category": "t.category_id",
}
_FILTER_ORDERS = {
    "activity": "t.bumped_at",
    "created": "t.created_at",
    "latest-post": "t.last_posted_at",
    "likes": "t.like_count",
    "posts": "t.posts_count",
    "title": "t.title",
    "views": "t.views",
    "category": "t.category_id",
    "posters": "t.participant_count",
}
_DATES = {"activity": "t.bumped_at", "created": "t.created_at", "latest-post": "t.last_posted_at"}
_COUNTS = {
    "likes": "t.like_count",
    "posts": "t.posts_count",
    "views": "t.views",
    "posters": "t.participant_count",
}
_STATUS = {
    "open": "NOT t.closed AND NOT t.archived",
    "closed": "t.closed",
    "archived": "t.archived",
    "listed": "t.visible",
    "unlisted": "NOT t.visible",
    "noreplies": "t.posts_count = 1",
    "single-user": "t.participant_count = 1",
    "public": "t.category_id IN (SELECT id FROM categories WHERE NOT read_restricted)",
    "solved": "t.id IN (SELECT topic_id FROM main.solutions)",
    "unsolved": "t.id NOT IN (SELECT topic_id FROM main.solutions)",
}
routes = Routes()


@routes.on("GET", "/latest", "/new", "/top", "/hot")
def latest(visit: Visit) -> Any:
    """Topics by last activity, or as `order` says."""
    return _listed(visit, ["t.deleted_at IS NULL"], *_order(visit))


@routes.on("GET", "/c/{slug}/{category:int}", "/c/{slug}/{category:int}/l/latest")
def category(visit: Visit, slug: str, category: int) -> Any:
    """Topics of a category and of its subcategories."""
    readable = visit.read(
        f"SELECT id FROM categories WHERE id = ? AND {sight.categories(visit, 'id')}", category
    )
    if not readable:
        raise missing()
    return _listed(visit, ["t.deleted_at IS NULL", _in_category(category)], *_order(visit))


@routes.on("GET", "/tag/{name}", "/tag/{name}/l/latest")
def tag(visit: Visit, name: str) -> Any:
    """Topics with a tag."""
    if not visit.read("SELECT id FROM tags WHERE name = ?", name):
        raise missing()
    return _listed(visit, ["t.deleted_at IS NULL", _tagged([name])], *_order(visit))


@routes.on("GET", "/filter")
def filtered(visit: Visit) -> Any:
    """Topics that a query such as `activity-after:2026-01-01 order:activity-asc` selects.

    A token that is not understood selects nothing away.
    """
    conditions, order, deleted = [], "t.bumped_at DESC", False
    for token in visit.query.get("q", "").split():
        word, _, value = token.partition(":")
        if word == "order":
            order = ", ".join(filter(None, map(_filter_order, value.split(",")))) or order
        elif word == "status" and value == "deleted":
            deleted = visit.staff
            conditions.append("t.deleted_at IS NOT NULL")
        else:
            conditions += _condition(visit, word, value)
    if not deleted:
        conditions.append("t.deleted_at IS NULL")
    return _listed(visit, conditions, order, pinned_first=False)


def _condition(visit: Visit, word: str, value: str) -> list[str]:
    """SQL for one token of a filter query, in a list; none where it is not understood."""
    side = re.fullmatch(r"(.+)-(after|before|min|max)", word)
    if side is not None:
        return _range(visit, side[1], side[2], value)
    make = _TOKENS.get(word)
    return [make(visit, value)] if make else []


def _range(visit: Visit, what: str, side: str, value: str) -> list[str]:
    sign = ">=" if side in ("after", "min") else "<="
    day = _day(visit, value)
    if side in ("after", "before") and what in _DATES and day:
        return [f"{_DATES[what]} {sign} TIMESTAMP '{day}'"]
    if side in ("min", "max") and what in _COUNTS and value.isdigit():
        return [f"{_COUNTS[what]} {sign} {int(value)}"]
    return []


def _with_ids(visit: Visit, value: str) -> str:
    ids = ", ".join(str(int(one)) for one in value.split(",") if one.isdigit())
    return f"t.id IN ({ids or 'NULL'})"


def _inside(visit: Visit, value: str) -> str:
    found = visit.read("SELECT id FROM categories WHERE slug = ?", value.lstrip("="))
    return _in_category(found[0]["id"]) if found else "FALSE"


def _created_by(visit: Visit, value: str) -> str:
    name = value.lstrip("@").lower()
    found = visit.read("SELECT id FROM users WHERE username_lower = ?", name)
    return f"t.user_id = {found[0]['id']}" if found else "FALSE"


_TOKENS: dict[str, Callable[[Visit, str], str]] = {
    "status": lambda visit, value: _STATUS.get(value, "TRUE"),
    "topic": _with_ids,
    "tag": lambda visit, value: _tagged(value.split("+")),
    "category": _inside,
    "-category": lambda visit, value: f"NOT ({_inside(visit, value)})",
    "created-by": _created_by,
}


def _day(visit: Visit, value: str) -> str | None:
    """A date, or so many days ago: midnight UTC."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return value
    if value.isdigit():
        return (visit.now - timedelta(days=int(value))).date().isoformat()
    return None


def _filter_order(name: str) -> str | None:
    column = _FILTER_ORDERS.get(name.removesuffix("-asc"))
    return None if column is None else column + (" ASC" if name.endswith("-asc") else " DESC")


def _in_category(category: int) -> str:
    return (
        f"t.category_id IN (SELECT id FROM categories WHERE id = {category}"
        f" OR parent_category_id = {category})"
    )


def _tagged(names: list[str]) -> str:
    wanted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return (
        f"t.id IN (SELECT topic_id FROM topic_tags JOIN tags ON tags.id = tag_id"
        f" WHERE name IN ({wanted}))"
    )


def _order(visit: Visit) -> tuple[str, bool]:
    """Order, and whether pinned topics come first on page 0."""
    name = visit.query.get("order", "default")
    if name not in _ORDERS:
        name = "default"
    rising = visit.query.get("ascending") == "true"
    way = "ASC" if rising else "DESC"
    return f"{_ORDERS[name]} {way}", name in ("default", "activity")


def _listed(visit: Visit, conditions: list[str], order: str, pinned_first: bool) -> Row:
    page = visit.number("page", 0)
    size = _DEFAULT_PAGE
    if visit.switches.per_page:
        size = visit.number("per_page", _DEFAULT_PAGE, low=1)
        if size > 100:
            raise invalid("per_page")
    where = " AND ".join([*conditions, *_asked(visit), sight.listed_topics(visit)])
    pins = "(t.pinned_at IS NOT NULL) DESC, " if pinned_first else ""
    rows = visit.read(
        f"SELECT t.* FROM topics AS t WHERE {where} ORDER BY {pins}{order}, hash(t.id, {page})"
        f" LIMIT {size} OFFSET {page * size}"  # PostgreSQL breaks ties anew for each page
    )
    listing: Row = {
        "can_create_topic": visit.user is not None,
        "per_page": size,
        "top_tags": [],
        "topics": _items(visit, rows),
    }
    if len(rows) == size:
        query = dict(visit.query) | {"page": str(page + 1)}
        listing["more_topics_url"] = f"{visit.path}?{urlencode(query)}"
    return {
        "users": _people(visit, rows),
        "primary_groups": [],
        "flair_groups": [],
        "topic_list": listing,
    }


def _asked(visit: Visit) -> list[str]:
    """Conditions of the plain query parameters."""
    asked = []
    if ids := visit.query.get("topic_ids"):
        if not re.fullmatch(r"\d+(,\d+)*", ids):
            raise invalid("topic_ids")
        asked.append(f"t.id IN ({ids})")
    for name, side in (("min_posts", ">="), ("max_posts", "<=")):
        if name in visit.query:
            asked.append(f"t.posts_count {side} {visit.number(name, 0)}")
    for name, column in (("before", "t.created_at"), ("bumped_before", "t.bumped_at")):
        if name in visit.query:
            day = (visit.now - timedelta(days=visit.number(name, 0))).replace(tzinfo=None)
            asked.append(f"{column} < TIMESTAMP '{day}'")
    if "category" in visit.query:
        asked.append(_in_category(visit.number("category", 0)))
    if names := visit.query.getlist("tags[]"):
        asked.append(_tagged(names))
    return asked


def _items(visit: Visit, rows: list[Row]) -> list[Row]:
    ids = [row["id"] for row in rows]
    tags = tags_of(visit, ids)
    solved = {
        row["topic_id"]
        for row in visit.read(
            "SELECT topic_id FROM main.solutions WHERE topic_id IN (SELECT unnest(?::INTEGER[]))",
            ids,
        )
    }
    firsts = {
        row["topic_id"]: row
        for row in visit.read(
            "SELECT topic_id, like_count, cooked FROM posts WHERE post_number = 1 AND topic_id IN"
            " (SELECT unnest(?::INTEGER[]))",
            ids,
        )
    }
    last = {
        row["id"]: row["username"]
        for row in visit.read(
            "SELECT id, username FROM users WHERE id IN (SELECT unnest(?::INTEGER[]))",
            [row["last_post_user_id"] for row in rows],
        )
    }
    items = []
    for row in rows:
        first = firsts.get(row["id"])
        item = _item(visit, row) | {
            "tags": tags.get(row["id"], []),
            "tags_descriptions": {},
            "last_poster_username": last.get(row["last_post_user_id"]),
            "op_like_count": first["like_count"] if first else 0,
        }
        if row["pinned_at"] is not None and first:
            item["excerpt"] = excerpt(first["cooked"])
        if visit.switches.solved is not None:
            item |= {"has_accepted_answer": row["id"] in solved, "can_have_answer": True}
        items.append(item)
    return items


def _item(visit: Visit, row: Row) -> Row:
    highest = "highest_staff_post_number" if visit.staff else "highest_post_number"
    copied = (
        "id title fancy_title slug posts_count reply_count created_at last_posted_at"
        " bumped_at archetype visible closed archived views like_count has_summary category_id"
        " pinned_globally featured_link"
    )
    return only(row, copied) | {
        "highest_post_number": row[highest],
        "image_url": None,
        "bumped": True,
        "unseen": False,
        "pinned": row["pinned_at"] is not None,
        "unpinned": None,
        "bookmarked": None,
        "liked": None,
        "posters": _posters(row),
    }


def _posters(row: Row) -> list[Row]:
    """Who opened the topic, first, and who wrote last. A deleted account is in neither place."""
    first, last = row["user_id"], row["last_post_user_id"]
    roles: list[tuple[int | None, str | None, str]]
    if first == last:
        roles = [(first, "latest single", "Original Poster, Most Recent Poster")]
    else:
        roles = [(first, None, "Original Poster"), (last, "latest", "Most Recent Poster")]
    return [
        {"extras": extras, "description": text, "user_id": user_id, "primary_group_id": None}
        for user_id, extras, text in roles
        if user_id is not None
    ]


def _people(visit: Visit, rows: list[Row]) -> list[Row]:
    ids = {row[name] for row in rows for name in ("user_id", "last_post_user_id")} - {None}
    users = visit.read(
        "FROM users WHERE id IN (SELECT unnest(?::INTEGER[])) ORDER BY id", list(ids)
    )
    return [
        {
            "id": user["id"],
            "username": user["username"],
            "name": user["name"],
            "avatar_template": avatar(user["username"]),
            "trust_level": user["trust_level"],
        }
        | ({"admin": True} if user["admin"] else {})
        | ({"moderator": True} if user["moderator"] else {})
        for user in users
    ]
