"""Real communities in the sandbox: recorded Discourse topics and recorded chat messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.discourse.switches import Switches
from pipeline.sandbox.discourse.tables import Row, utc
from pipeline.sandbox.discourse.uncook import markdown
from pipeline.sandbox.rocketchat.workspace import Workspace

_LIKE = 2
_TOPIC_COLUMNS = (
    "id",
    "title",
    "fancy_title",
    "slug",
    "posts_count",
    "views",
    "reply_count",
    "like_count",
    "visible",
    "closed",
    "archived",
    "has_summary",
    "archetype",
    "word_count",
    "user_id",
    "featured_link",
    "pinned_globally",
    "slow_mode_seconds",
    "category_id",
    "participant_count",
)
_POST_COLUMNS = (
    "id",
    "user_id",
    "topic_id",
    "post_number",
    "cooked",
    "post_type",
    "reply_count",
    "reply_to_post_number",
    "quote_count",
    "incoming_link_count",
    "reads",
    "score",
    "version",
    "hidden",
    "user_deleted",
    "edit_reason",
    "wiki",
)


def forum_from_topics(path: Path, switches: Switches | None = None) -> Forum:
    """A forum that holds the recorded topics of a file: one `/t/{id}.json` body, with all its
    posts, a line; `.zst` and `.gz` are understood.

    Kept: ids with their gaps, times, versions, like counts, accepted answers, accounts with their
    names and roles. Not in a recording, so invented: category names, Markdown (made from the HTML),
    accounts' creation (their first post). Not in a recording, so absent: who liked, old versions.
    """
    topics = [json.loads(text) for text in _lines(path)]
    posts = [post for topic in topics for post in topic["post_stream"]["posts"]]
    forum = Forum(switches, founded=min(_at(post["created_at"]) for post in posts))
    _add_accounts(forum, posts)
    for category_id in sorted({topic["category_id"] for topic in topics}):
        forum.add_category(
            f"Category {category_id}",
            f"category-{category_id}",
            _at(min(t["created_at"] for t in topics if t["category_id"] == category_id)),
            id=category_id,
        )
    for topic in topics:
        _add_topic(forum, topic)
    for post in posts:
        if post.get("accepted_answer"):
            author = forum.get("topics", post["topic_id"])["user_id"]
            forum.accept(post["id"], author, _at(post["created_at"]), beside_others=True)
    forum.write(
        "UPDATE categories SET topic_count = (SELECT count(*) FROM topics AS t"
        " WHERE t.category_id = categories.id), post_count = (SELECT sum(t.posts_count)"
        " FROM topics AS t WHERE t.category_id = categories.id)"
    )
    forum.filled_by_sql = True
    return forum


def workspace_from_messages(path: Path) -> Workspace:
    """A workspace that holds the recorded messages of a Parquet file (team, ts, user, text): a
    public channel for each team, an account for each writer."""
    with duckdb.connect() as db:
        rows = db.execute(
            'SELECT team, ts::TIMESTAMP, "user", text FROM read_parquet(?) ORDER BY 2, 3',
            [str(path)],
        ).fetchall()
    workspace = Workspace()
    rooms: dict[str, str] = {}
    people: dict[int, str] = {}
    for team, ts, user, text in rows:
        at = ts.replace(tzinfo=UTC)
        if user not in people:
            people[user] = workspace.add_user(f"dev{user}", f"Developer {user}", at)
        if team not in rooms:
            rooms[team] = workspace.add_room(team, at)
        workspace.post(rooms[team], people[user], text, at)
    return workspace


def _lines(path: Path) -> list[str]:
    with duckdb.connect() as db:
        return [
            row[0]
            for row in db.execute(
                "SELECT json::VARCHAR FROM read_ndjson_objects(?, maximum_object_size = 268435456)",
                [str(path)],
            ).fetchall()
        ]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _add_accounts(forum: Forum, posts: list[Row]) -> None:
    seen: dict[int, tuple[Row, str, str]] = {}
    for post in sorted(posts, key=lambda one: str(one["created_at"])):
        if post["user_id"] is not None:
            first = seen.get(post["user_id"], (post, post["created_at"], ""))[1]
            seen[post["user_id"]] = (post, first, post["created_at"])
    for user_id, (post, first, last) in sorted(seen.items()):
        if user_id > 0:
            forum.add_user(
                post["username"],
                post["name"],
                _at(first),
                id=user_id,
                admin=post["admin"],
                moderator=post["moderator"],
                trust_level=post["trust_level"] or 0,
                title=post["user_title"] or None,
                last_posted_at=utc(_at(last)),
                last_seen_at=utc(_at(last)),
            )


def _add_topic(forum: Forum, topic: Row) -> None:
    posts = topic["post_stream"]["posts"]
    authors = {post["post_number"]: post["user_id"] for post in posts}
    last = topic["last_posted_at"] or topic["created_at"]
    forum.add(
        "topics",
        **{name: topic[name] for name in _TOPIC_COLUMNS},
        created_at=utc(_at(topic["created_at"])),
        last_posted_at=utc(_at(last)),
        bumped_at=utc(_at(last)),
        updated_at=utc(max(_at(post["updated_at"]) for post in posts)),
        highest_post_number=topic["highest_post_number"],
        highest_staff_post_number=topic["highest_post_number"],
        last_post_user_id=(topic["details"].get("last_poster") or {}).get("id"),
        pinned_at=utc(_at(topic["pinned_at"])) if topic["pinned_at"] else None,
    )
    for post in posts:
        made, changed = utc(_at(post["created_at"])), utc(_at(post["updated_at"]))
        raw = markdown(post["cooked"])
        forum.add(
            "posts",
            **{name: post[name] for name in _POST_COLUMNS},
            raw=raw,
            created_at=made,
            updated_at=changed,
            last_version_at=changed,
            baked_at=changed,
            sort_order=post["post_number"],
            public_version=post["version"],
            last_editor_id=post["user_id"],
            word_count=len(raw.split()),
            reply_to_user_id=authors.get(post["reply_to_post_number"]),
            hidden_reason_id=post.get("hidden_reason_id"),
            via_email=bool(post.get("via_email")),
            action_code=post.get("action_code"),
            like_count=sum(a.get("count", 0) for a in post["actions_summary"] if a["id"] == _LIKE),
        )
