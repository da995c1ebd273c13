"""A forum made for measuring is true in its numbers and can be read like any other."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.sandbox.discourse import big_forum

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_its_counters_agree_with_its_rows():
    forum = big_forum(10_000, until=NOON, posts_per_topic=8, users=50)
    (counts,) = forum.read(
        "SELECT (SELECT count(*) FROM posts) AS posts, (SELECT count(*) FROM topics) AS topics,"
        " (SELECT sum(posts_count) FROM topics)::INTEGER AS counted,"
        " (SELECT sum(like_count) FROM posts)::INTEGER AS likes,"
        " (SELECT count(*) FROM post_actions) AS actions,"
        " (SELECT count(*) FROM users WHERE id > 0) AS users"
    )
    assert counts == {
        "posts": 10_000,
        "topics": 1_250,
        "counted": 10_000,
        "likes": 3_333,
        "actions": 3_333,
        "users": 50,
    }
    (times,) = forum.read("SELECT min(created_at) AS first, max(created_at) AS last FROM posts")
    assert times["last"] <= NOON.replace(tzinfo=None)
    assert (times["last"] - times["first"]).days == 364


def test_life_goes_on_in_it():
    forum = big_forum(1_000, until=NOON)
    post = forum.reply(1, 5, "One more word on this.", NOON)
    assert post == 1_001
    (liker,) = forum.read("SELECT user_id FROM post_actions WHERE post_id = 3")
    forum.like(3, liker["user_id"], NOON)  # given already
    assert forum.get("posts", 3)["like_count"] == 1
