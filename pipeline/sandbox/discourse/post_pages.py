"""Endpoints about posts: the newest ones, single ones, revisions, who liked."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.post_json import avatar, find_posts, person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Answer, Routes, Visit, forbidden, invalid, missing

_PAGE = 50
routes = Routes()


@routes.on("GET", "/posts")
def latest(visit: Visit) -> Any:
    """The newest 50 public posts below `before`: regular, shown, of listed topics only.

    Old servers look at the 50 *ids* up to `before` instead, so a page may be empty although older
    posts exist.
    """
    where = (
        f"p.post_type = 1 AND NOT p.hidden AND p.deleted_at IS NULL AND t.deleted_at IS NULL"
        f" AND t.visible AND t.archetype <> 'private_message'"
        f" AND {sight.categories(visit, 't.category_id')}"
    )
    return {"latest_posts": _page(visit, where)}


@routes.on("GET", "/private-posts")
def private(visit: Visit) -> Any:
    """The newest 50 posts of private messages, of every type; admins see everybody's."""
    if visit.user is None:
        raise forbidden()
    where = (
        f"t.archetype = 'private_message' AND t.deleted_at IS NULL AND p.deleted_at IS NULL"
        f" AND {sight.private_topics(visit, 't.id')} AND {sight.whispers(visit)}"
    )
    return {"private_posts": _page(visit, where)}


def _page(visit: Visit, where: str) -> list[Row]:
    (top,) = visit.read("SELECT coalesce(max(id), 0) AS id FROM posts")
    before = visit.number("before", top["id"] + 1, low=-(2**31))
    if visit.switches.latest_posts_by_window:
        window = f"p.id <= {before} AND p.id > {before - _PAGE}"
        return find_posts(visit, f"{where} AND {window} ORDER BY p.id DESC", alone=True)
    rest = f"p.id < {before} ORDER BY p.id DESC LIMIT {_PAGE}"
    return find_posts(visit, f"{where} AND {rest}", alone=True)


@routes.on("GET", "/posts/{post:int}")
def show(visit: Visit, post: int) -> Any:
    """One post with its Markdown. Staff read deleted ones too."""
    return _one(visit, "p.id = ?", post)


@routes.on("GET", "/posts/by_number/{topic:int}/{number:int}")
def show_by_number(visit: Visit, topic: int, number: int) -> Any:
    """One post by its place."""
    return _one(visit, "p.topic_id = ? AND p.post_number = ?", topic, number)


def _one(visit: Visit, where: str, *values: int) -> Row:
    deleted = "TRUE" if visit.staff else "p.deleted_at IS NULL"
    found = find_posts(
        visit,
        f"{where} AND {deleted} AND {sight.topics(visit)} AND {sight.whispers(visit)}",
        *values,
        alone=True,
    )
    if not found:
        raise missing()
    return found[0]


@routes.on("GET", "/posts/{post:int}/replies")
def replies(visit: Visit, post: int) -> Any:
    """Up to 20 direct replies to a post, after the post number `after`."""
    _one(visit, "p.id = ?", post)
    return find_posts(
        visit,
        f"p.id IN (SELECT reply_post_id FROM post_replies WHERE post_id = ?)"
        f" AND p.post_number > ? AND p.deleted_at IS NULL AND {sight.whispers(visit)}"
        " ORDER BY p.post_number LIMIT 20",
        post,
        visit.number("after", 0),
        raw=True,
    )


@routes.on("GET", "/post_action_users")
def action_users(visit: Visit) -> Any:
    """Who did this to a post; at most 200 a page, and no word of when."""
    post, kind = visit.number("id", 0), visit.number("post_action_type_id", 0)
    size, page = visit.number("limit", 200, low=1), visit.number("page", 0)
    if size > 200:
        raise invalid("limit")
    _one(visit, "p.id = ?", post)
    if kind != 2 and not visit.staff:
        raise forbidden()
    rows = visit.read(
        "SELECT u.* FROM post_actions AS a JOIN users AS u ON u.id = a.user_id WHERE a.post_id = ?"
        " AND a.post_action_type_id = ? AND a.deleted_at IS NULL ORDER BY a.id",
        post,
        kind,
    )
    users = [
        person(row["id"], row["username"], row["name"]) | {"username_lower": row["username_lower"]}
        for row in rows[page * size : (page + 1) * size]
    ]
    return {"post_action_users": users, "total_rows_post_action_users": len(rows)}


@routes.on("GET", "/posts/{post:int}/revisions/{number}")
def revision(visit: Visit, post: int, number: str) -> Any:
    """One revision of a post; the first has number 2."""
    shown = _one(visit, "p.id = ?", post)
    rows = visit.read("FROM post_revisions WHERE post_id = ? ORDER BY number", post)
    wanted = rows[-1]["number"] if rows and number == "latest" else number
    found = [row for row in rows if str(row["number"]) == str(wanted)]
    if not found:
        raise missing()
    row, numbers = found[0], [one["number"] for one in rows]
    at = numbers.index(row["number"])
    editor = visit.read("SELECT username, name FROM users WHERE id = ?", row["user_id"])
    changes = _modifications(row["modifications"])
    return {
        "created_at": row["created_at"],
        "post_id": post,
        "previous_hidden": False,
        "current_hidden": row["hidden"],
        "first_revision": numbers[0],
        "previous_revision": numbers[at - 1] if at else None,
        "current_revision": row["number"],
        "next_revision": numbers[at + 1] if at + 1 < len(numbers) else None,
        "last_revision": numbers[-1],
        "current_version": row["number"],
        "version_count": shown["version"],
        "username": editor[0]["username"] if editor else None,
        "display_username": editor[0]["name"] if editor else None,
        "avatar_template": avatar(editor[0]["username"] if editor else None),
        "edit_reason": shown["edit_reason"],
        "body_changes": _diff(changes.get("cooked")),
        "title_changes": _diff(changes.get("title")),
        "user_changes": None,
        "category_id_changes": _pair(changes.get("category_id")),
        "wiki": shown["wiki"],
        "can_edit": visit.staff,
    }


def _modifications(yaml: str) -> dict[str, list[Any]]:
    """Field -> old and new value, from the YAML that the sandbox writes."""
    pairs = re.findall(r"^(\w+):\n- (.*)\n- (.*)$", yaml, flags=re.M)
    return {field: [json.loads(old), json.loads(new)] for field, old, new in pairs}


def _pair(values: list[Any] | None) -> Row | None:
    return None if values is None else {"previous": values[0], "current": values[1]}


def _diff(values: list[Any] | None) -> Row | None:
    """Old and new as deleted and inserted HTML: not a fine diff, but one of the right form."""
    if values is None:
        return None
    old, new = (html.escape(str(value)) for value in values)
    inline = f'<div class="inline-diff"><del>{old}</del><ins>{new}</ins></div>'
    return {"inline": inline, "side_by_side": inline, "side_by_side_markdown": inline}


@routes.on("GET", "/raw/{topic:int}", "/raw/{topic:int}/{number:int}")
def raw(visit: Visit, topic: int, number: int | None = None) -> Answer:
    """Markdown of a topic, 100 posts a page, or of one post."""
    where = f"p.topic_id = ? AND p.deleted_at IS NULL AND {sight.topics(visit)}"
    if number is not None:
        return Answer(
            _one(visit, "p.topic_id = ? AND p.post_number = ?", topic, number)["raw"],
            kind="text/plain; charset=utf-8",
        )
    skip = (visit.number("page", 1, low=1) - 1) * 100
    posts = find_posts(
        visit,
        f"{where} AND {sight.whispers(visit)} ORDER BY p.sort_order LIMIT 100 OFFSET {skip}",
        topic,
        raw=True,
    )
    if not posts:
        raise missing()
    pieces = [
        f"{p['username']} | {p['created_at']:%Y-%m-%d %H:%M:%S} UTC | #{p['post_number']}"
        f"\n\n{p['raw']}\n\n"
        for p in posts
    ]
    return Answer("-------------------------\n\n".join(pieces), kind="text/plain; charset=utf-8")
