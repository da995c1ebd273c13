"""A forum of any size in seconds, made by SQL, for measuring memory and speed."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.discourse.switches import Switches
from pipeline.sandbox.discourse.tables import utc

_USERS = """
INSERT INTO users BY NAME
SELECT i AS id, 'user' || i AS username, 'user' || i AS username_lower, 'User ' || i AS name,
    $start AS created_at, $start AS updated_at, 1 AS trust_level
FROM range(1, $users + 1) AS r(i)
"""
_POSTS = """
INSERT INTO posts BY NAME
SELECT i AS id, 1 + hash(i) % $users AS user_id, 1 + (i - 1) // $each AS topic_id,
    1 + (i - 1) % $each AS post_number, post_number AS sort_order,
    repeat('word' || (i % 97) || ' ', 40) || i AS raw, '<p>' || raw || '</p>' AS cooked,
    $start + to_microseconds(i * $step) AS created_at, created_at AS updated_at,
    created_at AS last_version_at, created_at AS baked_at, user_id AS last_editor_id,
    (i % 3 = 0)::INTEGER AS like_count, 41 AS word_count
FROM range(1, $posts + 1) AS r(i)
"""
_TOPICS = """
INSERT INTO topics BY NAME
SELECT topic_id AS id, 'Topic number ' || topic_id AS title, 'topic-number-' || topic_id AS slug,
    'Topic number ' || topic_id AS fancy_title, min(created_at) AS created_at,
    max(created_at) AS updated_at,
    max(created_at) AS bumped_at, max(created_at) AS last_posted_at, count(*) AS posts_count,
    max(post_number) AS highest_post_number, max(post_number) AS highest_staff_post_number,
    min_by(user_id, post_number) AS user_id, max_by(user_id, post_number) AS last_post_user_id,
    sum(like_count) AS like_count, $category AS category_id
FROM posts GROUP BY topic_id
"""
_LIKES = """
INSERT INTO post_actions BY NAME
SELECT id // 3 AS id, id AS post_id, 1 + (user_id % $users) AS user_id,
    2 AS post_action_type_id, created_at + INTERVAL 1 HOUR AS created_at,
    created_at + INTERVAL 1 HOUR AS updated_at
FROM posts WHERE like_count = 1
"""


def big_forum(
    posts: int,
    *,
    until: datetime,
    posts_per_topic: int = 10,
    users: int = 1_000,
    switches: Switches | None = None,
) -> Forum:
    """A forum of so many invented posts in one category, spread evenly over the year before
    `until`; ids run from 1, and every third post has one like."""
    start = until - timedelta(days=365)
    forum = Forum(switches, founded=start)
    category = forum.add_category("General", "general", start)
    forum.flush()
    numbers = {
        "start": utc(start),
        "users": users,
        "posts": posts,
        "each": posts_per_topic,
        "step": 365 * 86_400_000_000 // posts,
        "category": category,
    }
    for sql in (_USERS, _POSTS, _TOPICS, _LIKES):
        forum.db.execute(sql, {name: value for name, value in numbers.items() if f"${name}" in sql})
    forum.write(
        "UPDATE categories SET topic_count = (SELECT count(*) FROM topics),"
        " post_count = (SELECT count(*) FROM posts)"
    )
    forum.filled_by_sql = True
    forum.renumber()
    return forum
