"""Endpoints about one topic. Source: `topics_controller.rb#show`, `lib/topic_view.rb`."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.post_json import find_posts, person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.topic_json import accepted, tags_of
from pipeline.sandbox.discourse.web import Answer, Refused, Routes, Visit, forbidden, missing, only

_CHUNK, _PRINT_CHUNK = 20, 1000
routes = Routes()


@routes.on("GET", "/t/external_id/{external}")
def by_external_id(visit: Visit, external: str) -> Any:
    """A redirect to the topic that was created under this name."""
    found = visit.read("SELECT id, slug FROM topics WHERE external_id = ?", external)
    if not found:
        raise missing()
    return _moved(f"/t/{found[0]['slug']}/{found[0]['id']}.json")


@routes.on("GET", "/t/{topic:int}/posts")
def posts(visit: Visit, topic: int) -> Any:
    """Posts by id, or 20 after or before a post number."""
    _open(visit, topic)
    raw = visit.flag("include_raw")
    ids = [int(text) for text in visit.query.getlist("post_ids[]") if text.lstrip("-").isdigit()]
    if ids:
        shown = find_posts(
            visit,
            f"p.topic_id = ? AND p.id IN (SELECT unnest(?::INTEGER[]))"
            f" AND {_visible(visit)} ORDER BY p.sort_order",
            topic,
            ids,
            raw=raw,
        )
        return {"post_stream": {"posts": shown}, "id": topic}
    number, rising = visit.number("post_number", 0), visit.query.get("asc") == "true"
    side, order = (">", "") if rising else ("<", " DESC")
    shown = find_posts(
        visit,
        f"p.topic_id = ? AND p.post_number {side} ? AND {_visible(visit)}"
        f" ORDER BY p.sort_order{order} LIMIT {_CHUNK}",
        topic,
        number,
        raw=raw,
    )
    shown.sort(key=lambda post: post["post_number"])
    return {"post_stream": {"posts": shown}, "id": topic}


@routes.on("GET", "/t/{topic:int}/post_ids")
def post_ids(visit: Visit, topic: int) -> Any:
    """Ids of the visible posts after a post number."""
    _open(visit, topic)
    rows = visit.read(
        f"SELECT p.id FROM posts AS p WHERE p.topic_id = ? AND p.post_number > ?"
        f" AND {_visible(visit)} ORDER BY p.sort_order",
        topic,
        visit.number("post_number", 0),
    )
    return {"post_ids": [row["id"] for row in rows]}


@routes.on("GET", "/t/{topic:int}", "/t/{topic:int}/{number:int}")
def show_bare(visit: Visit, topic: int, number: int | None = None) -> Any:
    """A topic by its id alone."""
    return show(visit, None, topic, number)


@routes.on("GET", "/t/{slug}/{topic:int}", "/t/{slug}/{topic:int}/{number:int}")
def show(visit: Visit, slug: str | None, topic: int, number: int | None = None) -> Any:
    """A topic with the first 20 of its posts (1,000 with `print=true`), a page of them, or those
    around a post number, and the ids of all of them."""
    row = _open(visit, topic)
    if slug is not None and slug not in (row["slug"], "-"):
        place = f"/{number}" if number else ""
        return _moved(f"/t/{row['slug']}/{topic}{place}.json?{visit.query}".rstrip("?"))
    chunk = _printed(visit) if visit.flag("print") else _CHUNK
    stream = visit.read(
        f"SELECT p.id, p.post_number, p.created_at FROM posts AS p WHERE p.topic_id = ?"
        f" AND {_visible(visit)} ORDER BY p.sort_order",
        topic,
    )
    page = visit.number("page", 1, low=1)
    pages = max(1, -(-len(stream) // chunk))
    if page > pages:
        if not visit.switches.page_overflow_redirects:
            raise missing()
        last = visit.query.multi_items()
        query = "&".join(f"{k}={pages if k == 'page' else v}" for k, v in last)
        return _moved(f"/t/{row['slug']}/{topic}.json?{query}")
    near = number or visit.number("post_number", 0)
    window = _around(stream, near) if near else stream[(page - 1) * chunk : page * chunk]
    shown = find_posts(
        visit,
        "p.id IN (SELECT unnest(?::INTEGER[])) ORDER BY p.sort_order",
        [post["id"] for post in window],
        raw=visit.flag("include_raw"),
    )
    whole = _whole(visit, row, stream, shown)
    if page == pages:
        whole["suggested_topics"] = []
    return whole | {"chunk_size": chunk}


def _open(visit: Visit, topic: int) -> Row:
    """The topic's row; 404, or with `detailed_404` 403 and 410, where it may not be read."""
    rows = visit.read(
        f"SELECT t.*, {sight.topics(visit)} AS readable FROM topics AS t WHERE id = ?", topic
    )
    if not rows:
        raise missing()
    if not rows[0]["readable"]:
        if not visit.switches.detailed_404:
            raise missing()
        if rows[0]["deleted_at"] is not None:
            raise Refused(410, "That topic has been deleted.", "not_found")
        raise forbidden()
    return rows[0]


def _visible(visit: Visit) -> str:
    """Condition: the post stands in the stream. A deleted first post does so for staff."""
    if visit.staff and visit.flag("show_deleted"):
        return "TRUE"
    first = "p.post_number = 1" if visit.staff else "FALSE"
    return f"(p.deleted_at IS NULL OR {first}) AND {sight.whispers(visit)}"


def _printed(visit: Visit) -> int:
    most = visit.switches.max_prints_per_hour
    if not visit.admin and most == 0:
        raise forbidden()
    if not visit.admin and not visit.prints(most):
        raise Refused(422, "You have viewed too many pages for printing. Please wait an hour.")
    return _PRINT_CHUNK


def _around(stream: list[Row], number: int) -> list[Row]:
    """Five posts before this number and the rest from it on; topped up backwards to 20."""
    at = next((n for n, post in enumerate(stream) if post["post_number"] >= number), len(stream))
    start = max(0, min(at - _CHUNK // 4, len(stream) - _CHUNK))
    return stream[start : start + _CHUNK]


def _moved(address: str) -> Answer:
    return Answer("", 301, {"Location": address}, "text/html; charset=utf-8")


def _whole(visit: Visit, row: Row, stream: list[Row], shown: list[Row]) -> Row:
    mega = len(stream) >= visit.switches.mega_topic_posts
    post_stream: Row = {"posts": shown}
    whole: Row = {"post_stream": post_stream}
    if mega:
        post_stream |= {"isMegaTopic": True, "lastId": stream[-1]["id"]}
    else:
        post_stream["stream"] = [post["id"] for post in stream]
        whole["timeline_lookup"] = _timeline(visit, stream)
    if gaps := _gaps(visit, row, stream):
        post_stream["gaps"] = gaps
    whole |= _fields(visit, row)
    whole["details"] = _details(visit, row)
    if visit.switches.solved is not None:
        whole |= _solution(visit, row)
    if row["external_id"]:
        whole["external_id"] = row["external_id"]
    return whole


_COPIED = (
    "id title fancy_title posts_count created_at views reply_count like_count last_posted_at"
    " visible closed archived has_summary archetype slug category_id word_count deleted_at user_id"
    " featured_link pinned_globally pinned_at pinned_until slow_mode_seconds participant_count"
)
_NEVER_SET: Row = {
    "image_url": None,
    "draft": None,
    "unpinned": None,
    "topic_timer": None,
    "thumbnails": None,
    "slow_mode_enabled_until": None,
    "bookmarked": False,
    "show_read_indicator": False,
    "tags_descriptions": {},
    "bookmarks": [],
    "draft_sequence": 0,
    "message_bus_last_id": 0,
    "current_post_number": 1,
}


def _fields(visit: Visit, row: Row) -> Row:
    deleter = visit.read("SELECT id, username, name FROM users WHERE id = ?", row["deleted_by_id"])
    highest = "highest_staff_post_number" if visit.staff else "highest_post_number"
    flags = [
        {"id": kind, "count": 0, "hidden": False, "can_act": visit.user is not None}
        for kind in (4, 8, 10, 7)
    ]
    return (
        _NEVER_SET
        | only(row, _COPIED)
        | {
            "tags": tags_of(visit, [row["id"]]).get(row["id"], []),
            "draft_key": f"topic_{row['id']}",
            "pinned": row["pinned_at"] is not None,
            "highest_post_number": row[highest],
            "deleted_by": person(**_named(deleter[0])) if deleter else None,
            "has_deleted": _has_unseen(visit, row["id"]),
            "actions_summary": flags,
        }
    )


def _has_unseen(visit: Visit, topic: int) -> bool:
    """Whether staff could see deleted posts that this answer leaves out."""
    if not visit.staff or visit.flag("show_deleted"):
        return False
    sql = "SELECT 1 FROM posts WHERE topic_id = ? AND deleted_at IS NOT NULL LIMIT 1"
    return bool(visit.read(sql, topic))


def _named(row: Row) -> Row:
    return {"user_id": row["id"], "username": row["username"], "name": row["name"]}


def _timeline(visit: Visit, stream: list[Row]) -> list[list[int]]:
    now, lookup = visit.now.replace(tzinfo=None), list[list[int]]()
    for place, post in enumerate(stream, start=1):
        days = (now - post["created_at"]).days
        if not lookup or lookup[-1][1] != days:
            lookup.append([place, days])
    return lookup


def _gaps(visit: Visit, row: Row, stream: list[Row]) -> Row:
    """Ids of posts that staff could see but do not see now, before and after visible ones."""
    if not visit.staff or not stream:
        return {}
    shown = {post["id"] for post in stream}
    gaps: dict[str, dict[str, list[int]]] = {"before": {}, "after": {}}
    waiting: list[int] = []
    for post in visit.read(
        "SELECT id FROM posts WHERE topic_id = ? ORDER BY sort_order", row["id"]
    ):
        if post["id"] not in shown:
            waiting.append(post["id"])
        elif waiting:
            gaps["before"][str(post["id"])], waiting = waiting, []
    if waiting:
        gaps["after"][str(stream[-1]["id"])] = waiting
    return gaps if gaps["before"] or gaps["after"] else {}


def _details(visit: Visit, row: Row) -> Row:
    people = visit.read(
        "SELECT u.id, u.username, u.name, count(*) AS post_count FROM posts AS p JOIN users AS u"
        f" ON u.id = p.user_id WHERE p.topic_id = ? AND p.deleted_at IS NULL"
        f" AND {sight.whispers(visit)}"
        " GROUP BY ALL ORDER BY post_count DESC, u.id LIMIT 24",
        row["id"],
    )
    known = {
        one["id"]: one
        for one in visit.read(
            "SELECT id, username, name FROM users WHERE id IN (?, ?)",
            row["user_id"],
            row["last_post_user_id"],
        )
    }
    links = visit.read(
        "SELECT url, title, internal, false AS attachment, reflection, clicks, user_id,"
        " domain, domain AS root_domain FROM topic_links WHERE topic_id = ? ORDER BY id"
        " LIMIT 50",
        row["id"],
    )
    details: Row = {
        "can_edit": visit.staff,
        "notification_level": 1,
        "participants": [
            person(**_named(one)) | {"post_count": one["post_count"]} for one in people
        ],
    }
    for name, user_id in (
        ("created_by", row["user_id"]),
        ("last_poster", row["last_post_user_id"]),
    ):
        details[name] = person(**_named(known[user_id])) if user_id in known else None
    if links:
        details["links"] = links
    if row["archetype"] == "private_message":
        allowed = visit.read(
            "SELECT u.id, u.username, u.name FROM topic_allowed_users AS a JOIN users"
            " AS u ON u.id = a.user_id WHERE a.topic_id = ?",
            row["id"],
        )
        groups = visit.read(
            "SELECT g.id, g.name FROM topic_allowed_groups AS a JOIN groups AS g"
            " ON g.id = a.group_id WHERE a.topic_id = ?",
            row["id"],
        )
        details["allowed_users"] = [person(**_named(one)) for one in allowed]
        details["allowed_groups"] = groups
    return details


def _solution(visit: Visit, row: Row) -> Row:
    """The accepted answer, in the form of this generation of the plugin."""
    answers = accepted(visit, row["id"])
    if visit.switches.solved == 3:
        return {
            "accepted_answers": [
                person(**_named(one))
                | {
                    "id": one["post_id"],
                    "created_at": one["created_at"],
                    "cooked": one["cooked"],
                    "post_number": one["post_number"],
                    "topic_id": row["id"],
                    "url": f"/t/{row['slug']}/{row['id']}/{one['post_number']}",
                    "accepter_name": one["accepter_name"],
                    "accepter_username": one["accepter"],
                }
                for one in answers
            ]
        }
    return (
        {}
        if not answers
        else {
            "accepted_answer": {
                "post_number": answers[0]["post_number"],
                "username": answers[0]["username"],
                "name": answers[0]["name"],
                "excerpt": excerpt(answers[0]["cooked"]),
            }
        }
    )
