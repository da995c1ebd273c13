"""Records of topics and posts as plain REST shows them, with the marks that tell their states."""

from __future__ import annotations

from typing import Any

from pipeline.records import Record
from pipeline.sources.discourse.marks import (
    DELETED,
    PostMark,
    TopicMark,
    is_whole,
    parse,
    text_state,
    written,
)
from pipeline.sources.discourse.rest import LIKE, micros

REGULAR, WHISPER = 1, 4  # post_type


def _likes_of(post: dict[str, Any]) -> int:
    """How many likes a post has."""
    return sum(a.get("count", 0) for a in post.get("actions_summary", ()) if a["id"] == LIKE)


def post_record(post: dict[str, Any], asked_at: int) -> Record:
    """A post as it was shown when asked."""
    counts = not post.get("deleted_at") and post["post_type"] != WHISPER
    mark = written(
        PostMark,
        topic=post["topic_id"] if counts else f"-{post['topic_id']}",
        number=post["post_number"],
        likes=_likes_of(post),
        accepted=int(bool(post.get("accepted_answer"))),
        updated_at=post["updated_at"],
        deleted_at=post.get("deleted_at"),
        user=post.get("user_id"),
        username=post.get("username"),
        version=post.get("version"),
        hidden=post.get("hidden"),
        user_deleted=post.get("user_deleted"),
        reply_to=post.get("reply_to_post_number"),
        post_type=post["post_type"],
        raw=text_state(post.get("raw")),
    )
    times = (micros(post.get(name)) for name in ("created_at", "updated_at", "deleted_at"))
    at = max(time for time in times if time is not None)
    return Record("posts", str(post["id"]), post, asked_at, at=at, mark=mark)


def shown_in(mark: str | None) -> int | None:
    """The topic, by its mark, of a post that the list of newest posts shows if that topic is
    listed; null if it does not show it, or an older version or Data Explorer marked it."""
    post = parse(PostMark, mark)
    if not is_whole(post) or (post.hidden, post.post_type) != ("False", str(REGULAR)):
        return None
    return int(post.topic) if post.topic and post.topic.isdigit() else None


def topic_record(topic: dict[str, Any], asked_at: int) -> Record:
    """A topic as it was shown when asked, in a list or by itself."""
    mark = written(
        TopicMark,
        deleted=DELETED if topic.get("deleted_at") else "",
        bumped_at=topic.get("bumped_at"),
        posts=topic["posts_count"],
        likes=topic["like_count"],
        highest=topic["highest_post_number"],
        accepted=topic.get("has_accepted_answer"),
        category=topic["category_id"],
        title=text_state(topic["title"]),
        closed=topic.get("closed"),
        archived=topic.get("archived"),
        visible=topic.get("visible"),
        pinned=topic.get("pinned_globally"),
        views=topic["views"],
        tags=text_state(topic.get("tags")),
        author=_author(topic),
    )
    at = micros(topic.get("bumped_at") or topic["created_at"])
    return Record("topics", str(topic["id"]), topic, asked_at, at=at, mark=mark)


def _author(topic: dict[str, Any]) -> object:
    """A list names a topic's author as the first of its posters only, a topic read by itself."""
    posters = topic.get("posters") or [{}]
    return topic.get("user_id", posters[0].get("user_id"))


def is_deleted(mark: str | None) -> bool:
    """Whether this is the mark of a topic that is deleted."""
    return parse(TopicMark, mark).deleted == DELETED


def is_listed(mark: str | None) -> bool:
    """Whether this is the mark of a topic that stands in lists for everybody, by REST."""
    return parse(TopicMark, mark).visible == "True"
