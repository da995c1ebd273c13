"""Records of topics and posts as plain REST shows them, with the marks that tell their states."""

from __future__ import annotations

from typing import Any

from pipeline.records import Record
from pipeline.sources.discourse.rest import LIKE, micros, state, text_state

REGULAR, WHISPER = 1, 4  # post_type


def _likes_of(post: dict[str, Any]) -> int:
    """How many likes a post has."""
    return sum(a.get("count", 0) for a in post.get("actions_summary", ()) if a["id"] == LIKE)


def post_record(post: dict[str, Any], asked_at: int) -> Record:
    """Its mark begins with topic, number, likes and accepted. What does not count there, because it
    is deleted or a whisper, has a minus before its topic."""
    counts = not post.get("deleted_at") and post["post_type"] != WHISPER
    mark = state(
        post["topic_id"] if counts else f"-{post['topic_id']}",
        post["post_number"],
        _likes_of(post),
        int(bool(post.get("accepted_answer"))),
        post["updated_at"],
        post.get("deleted_at"),
        post.get("user_id"),
        post.get("username"),
        post.get("version"),
        post.get("hidden"),
        post.get("user_deleted"),
        post.get("reply_to_post_number"),
        post["post_type"],
        text_state(post.get("raw")),
    )
    times = (micros(post.get(name)) for name in ("created_at", "updated_at", "deleted_at"))
    at = max(time for time in times if time is not None)
    return Record("posts", str(post["id"]), post, asked_at, at=at, mark=mark)


def is_shown(mark: str | None) -> bool:
    """Whether this is the mark of a post that the list of newest posts shows, if its topic is
    listed."""
    topic, *parts = (mark or "").split("|")
    return len(parts) == 13 and topic.isdigit() and (parts[8], parts[11]) == ("False", str(REGULAR))


def topic_record(topic: dict[str, Any], asked_at: int) -> Record:
    """Its mark begins with deleted, bumped and posts."""
    mark = state(
        "deleted" if topic.get("deleted_at") else "",
        topic.get("bumped_at"),
        topic["posts_count"],
        topic["like_count"],
        topic["highest_post_number"],
        topic.get("has_accepted_answer"),
        topic["category_id"],
        text_state(topic["title"]),
        topic.get("closed"),
        topic.get("archived"),
        topic.get("visible"),
        topic.get("pinned_globally"),
        topic["views"],
        text_state(topic.get("tags")),
        _author(topic),
    )
    at = micros(topic.get("bumped_at") or topic["created_at"])
    return Record("topics", str(topic["id"]), topic, asked_at, at=at, mark=mark)


def _author(topic: dict[str, Any]) -> object:
    """A list names a topic's author as the first of its posters only, a topic read by itself."""
    posters = topic.get("posters") or [{}]
    return topic.get("user_id", posters[0].get("user_id"))


def is_deleted(mark: str | None) -> bool:
    """Whether this is the mark of a topic that is deleted."""
    return (mark or "").startswith("deleted|")


def is_listed(mark: str | None) -> bool:
    """Whether this is the mark of a topic that stands in lists for everybody, by REST."""
    return (mark or "").split("|")[10:11] == ["True"]
