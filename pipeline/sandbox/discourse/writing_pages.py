"""Endpoints that write: posts, topics, private messages, likes, solutions.

Source: `posts_controller.rb#create`, `post_creator.rb`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.people import SYSTEM
from pipeline.sandbox.discourse.post_json import find_posts
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import (
    Refused,
    Routes,
    Visit,
    dump,
    forbidden,
    missing,
    not_logged_in,
)

_LEVELS = {
    1: ("admin",),
    2: ("admin", "moderator"),
    3: ("admin", "moderator"),
    4: ("admin", "moderator"),
}
routes = Routes()


@routes.on("POST", "/posts")
def create(visit: Visit) -> Any:
    """A new topic, reply or private message. The same parameters again within two minutes give
    the same post."""
    user = _signed_in(visit)
    sent = visit.sent
    memo = dump([user["id"], sorted((k, v) for k, v in sent.items() if k != "api_key")])
    known = visit.forum.recall(memo, visit.now, visit.switches.memo_seconds)
    if known is None:
        errors = _problems(visit, sent)
        if errors:
            raise Refused(422, errors, action="create_post")
        if any(word in str(sent["raw"]) for word in visit.switches.approve_words):
            return _enqueue(visit, user, sent)
        known = _write(visit, user, sent)
        visit.forum.remember(memo, visit.now, known)
    (post,) = find_posts(visit, "p.id = ?", known, raw=True)
    shown = post | {"draft_sequence": 0}
    if str(sent.get("nested_post", "")).lower() == "true":
        return {"success": True, "action": "create_post", "post": shown}
    return shown


def _enqueue(visit: Visit, user: Row, sent: Mapping[str, Any]) -> Row:
    category = _category(visit, sent)
    title, raw = str(sent.get("title", "")), str(sent["raw"])
    waiting = visit.forum.enqueue(user["id"], category, title, raw, visit.now)
    pending = {"id": waiting, "raw": raw, "title": title, "created_at": visit.now}
    return {"success": True, "action": "enqueued", "pending_post": pending}


def _signed_in(visit: Visit) -> Row:
    if visit.user is None:
        raise not_logged_in()
    return visit.user


def _problems(visit: Visit, sent: Mapping[str, Any]) -> list[str]:
    """What is wrong with a post to be, in Discourse's words."""
    if visit.admin and str(sent.get("skip_validations", "")).lower() == "true":
        return []
    switches, problems = visit.switches, []
    private = sent.get("archetype") == "private_message"
    raw, title = str(sent.get("raw", "")).strip(), str(sent.get("title", "")).strip()
    least = 10 if private else switches.min_post
    if "topic_id" not in sent:
        shortest = 2 if private else switches.min_title
        if len(title) < shortest:
            problems.append(f"Title is too short (minimum is {shortest} characters)")
        if len(title) > 255:
            problems.append("Title is too long (maximum is 255 characters)")
    if not raw:
        problems.append("Body can't be blank")
    elif len(raw) < least:
        problems.append(f"Body is too short (minimum is {least} characters)")
    if len(raw) > switches.max_post:
        problems.append(
            f"Body is limited to {switches.max_post} characters; you entered {len(raw)}."
        )
    external = sent.get("external_id")
    if external is not None and not re.fullmatch(r"[\w-]{1,50}", str(external)):
        problems.append("External ID is invalid")
    elif external and visit.read("SELECT id FROM topics WHERE external_id = ?", external):
        problems.append("External ID has already been taken")
    return problems


def _write(visit: Visit, user: Row, sent: Mapping[str, Any]) -> int:
    """The id of the new post."""
    forum, raw = visit.forum, str(sent["raw"])
    if "topic_id" in sent:
        topic_id = int(sent["topic_id"])
        if not visit.read(
            f"SELECT id FROM topics AS t WHERE id = ? AND t.deleted_at IS NULL"
            f" AND {sight.topics(visit)}",
            topic_id,
        ):
            raise forbidden()
        number = sent.get("reply_to_post_number")
        return forum.reply(
            topic_id, user["id"], raw, visit.now, reply_to=int(number) if number else None
        )
    columns = {"external_id": sent["external_id"]} if sent.get("external_id") else {}
    title = str(sent["title"])
    if sent.get("archetype") == "private_message":
        people, groups = _recipients(visit, user, sent)
        return forum.private_message(
            user["id"], people, title, raw, visit.now, to_group_ids=groups, **columns
        )[1]
    category = _category(visit, sent)
    tags = [tag["name"] if isinstance(tag, dict) else str(tag) for tag in sent.get("tags") or ()]
    return forum.create_topic(user["id"], category, title, raw, visit.now, tags=tags, **columns)[1]


def _category(visit: Visit, sent: Mapping[str, Any]) -> int:
    """The category named, or the first public one; 403 where it may not be read."""
    first = visit.read("SELECT min(id) AS id FROM categories WHERE NOT read_restricted")
    category = int(sent.get("category") or first[0]["id"])
    readable = sight.categories(visit, "id")
    if not visit.read(f"SELECT id FROM categories WHERE id = ? AND {readable}", category):
        raise forbidden()
    return category


def _recipients(visit: Visit, user: Row, sent: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Ids of the people and groups a private message goes to."""
    text = str(sent.get("target_recipients") or sent.get("target_usernames") or "")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise Refused(422, "You must select a valid user.", action="create_post")
    people, groups = [], []
    for name in names:
        found = visit.read("SELECT id FROM users WHERE username_lower = ?", name.lower())
        group = visit.read("SELECT id, messageable_level FROM groups WHERE name = ?", name)
        if found:
            people.append(found[0]["id"])
        elif group and _may_message(visit, user, group[0]["messageable_level"]):
            groups.append(group[0]["id"])
        else:
            raise Refused(
                422, f"Sorry, you can't send a personal message to {name}.", action="create_post"
            )
    return people, groups


def _may_message(visit: Visit, user: Row, level: int) -> bool:
    """Level 0 stops even admins; only the system account passes it."""
    return bool(
        user["id"] == SYSTEM or level == 99 or any(user[role] for role in _LEVELS.get(level, ()))
    )


@routes.on("PUT", "/posts/{post:int}")
def update(visit: Visit, post: int) -> Any:
    """Change a post's text."""
    user = _signed_in(visit)
    given = visit.sent.get("post")
    row = _own_or_staff(visit, post)
    if not isinstance(given, dict) or not given.get("raw"):
        raise Refused(400, "param is missing or the value is empty: post", "invalid_parameters")
    visit.forum.edit(
        row["id"], str(given["raw"]), visit.now, by=user["id"], reason=given.get("edit_reason")
    )
    return {"post": find_posts(visit, "p.id = ?", post, raw=True)[0]}


@routes.on("DELETE", "/posts/{post:int}")
def delete(visit: Visit, post: int) -> Any:
    """Delete a post softly."""
    row = _own_or_staff(visit, post)
    visit.forum.delete_post(row["id"], _signed_in(visit)["id"], visit.now)
    return {}


@routes.on("PUT", "/t/-/{topic:int}", "/t/{slug}/{topic:int}")
def retitle(visit: Visit, topic: int, slug: str = "-") -> Any:
    """Change a topic's title or category."""
    visit.need_staff()
    if not visit.forum.has("topics", topic):
        raise missing()
    if title := visit.sent.get("title"):
        visit.forum.retitle(topic, str(title), visit.now, by=visit.user_id)
    if category := visit.sent.get("category_id"):
        visit.forum.recategorise(topic, int(category), visit.now, by=visit.user_id)
    row = visit.forum.get("topics", topic)
    return {
        "basic_topic": {
            name: row[name] for name in ("id", "title", "fancy_title", "slug", "posts_count")
        }
    }


@routes.on("POST", "/post_actions")
def act(visit: Visit) -> Any:
    """Like or report a post."""
    user, kind = _signed_in(visit), int(visit.sent.get("post_action_type_id", 0))
    post = int(visit.sent.get("id", 0))
    if not find_posts(visit, f"p.id = ? AND p.deleted_at IS NULL AND {sight.topics(visit)}", post):
        raise missing()
    if kind == 2:
        visit.forum.like(post, user["id"], visit.now)
    else:
        names = {3: "off_topic", 4: "inappropriate", 7: "notify_moderators", 8: "spam"}
        if kind not in names or visit.forum.has_acted(post, user["id"], kind):
            raise forbidden()  # a second report of one kind too
        visit.forum.flag(post, user["id"], names[kind], visit.now)
    return find_posts(visit, "p.id = ?", post, raw=True)[0]


@routes.on("POST", "/solution/accept")
def accept(visit: Visit) -> Any:
    """Accept a post as the solution of its topic."""
    if visit.switches.solved is None:
        raise missing()
    row = _own_or_staff(visit, int(visit.sent.get("id", 0)))
    visit.forum.accept(row["id"], _signed_in(visit)["id"], visit.now)
    return {
        "success": "OK",
        "accepted_answer": {"post_number": row["post_number"], "excerpt": excerpt(row["cooked"])},
    }


def _own_or_staff(visit: Visit, post: int) -> Row:
    _signed_in(visit)
    if not visit.forum.has("posts", post):
        raise missing()
    row = visit.forum.get("posts", post)
    if not visit.staff and row["user_id"] != visit.user_id:
        raise forbidden()
    return row
