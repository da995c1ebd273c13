"""Recorded communities arrive whole; texts are invented here, or compared where they lie."""

from __future__ import annotations

import json
from collections import Counter

import duckdb
import pytest

from pipeline.sandbox.discourse.uncook import markdown
from pipeline.sandbox.recordings import forum_from_topics, workspace_from_messages


def post(number, **more):
    return {
        "id": 100 + number,
        "name": "",
        "username": f"member{number}",
        "user_id": number,
        "created_at": f"2020-01-0{number}T10:00:00.123Z",
        "updated_at": f"2020-01-0{number}T11:00:00.000Z",
        "cooked": f"<p>Post {number}</p>",
        "post_number": number,
        "post_type": 1,
        "topic_id": 31,
        "reply_count": 0,
        "reply_to_post_number": None,
        "quote_count": 0,
        "incoming_link_count": 0,
        "reads": 9,
        "score": 1.5,
        "version": 1,
        "hidden": False,
        "user_deleted": False,
        "edit_reason": None,
        "wiki": False,
        "admin": False,
        "moderator": number == 1,
        "trust_level": 2,
        "user_title": "",
        "actions_summary": [],
        "accepted_answer": False,
    } | more


RECORDING = {
    "id": 31,
    "title": "How do I light a fire?",
    "fancy_title": "How do I light a fire?",
    "slug": "how-do-i-light-a-fire",
    "posts_count": 2,
    "views": 379,
    "reply_count": 1,
    "like_count": 3,
    "visible": True,
    "closed": False,
    "archived": False,
    "has_summary": False,
    "archetype": "regular",
    "word_count": 4,
    "user_id": 1,
    "featured_link": None,
    "pinned_globally": False,
    "pinned_at": None,
    "slow_mode_seconds": 0,
    "category_id": 13,
    "participant_count": 2,
    "highest_post_number": 3,
    "created_at": "2020-01-01T10:00:00.123Z",
    "last_posted_at": "2020-01-03T10:00:00.123Z",
    "details": {"last_poster": {"id": 3}},
    "post_stream": {
        "posts": [
            post(1),
            post(
                3,
                reply_to_post_number=1,
                accepted_answer=True,
                version=4,
                actions_summary=[{"id": 2, "count": 3}],
            ),
        ]
    },
}


def test_a_recorded_topic_is_in_the_forum_as_it_was(tmp_path):
    file = tmp_path / "topics.jsonl"
    file.write_text(json.dumps(RECORDING) + "\n")
    forum = forum_from_topics(file)
    posts = forum.read(
        "SELECT id, post_number, raw, version, like_count, reply_to_user_id,"
        " created_at::VARCHAR AS at FROM posts ORDER BY id"
    )
    assert posts == [
        {
            "id": 101,
            "post_number": 1,
            "raw": "Post 1",
            "version": 1,
            "like_count": 0,
            "reply_to_user_id": None,
            "at": "2020-01-01 10:00:00.123",
        },
        {
            "id": 103,
            "post_number": 3,
            "raw": "Post 3",
            "version": 4,
            "like_count": 3,
            "reply_to_user_id": 1,
            "at": "2020-01-03 10:00:00.123",
        },
    ]
    topic = forum.get("topics", 31)
    assert (topic["highest_post_number"], topic["posts_count"], topic["category_id"]) == (3, 2, 13)
    assert forum.read("SELECT topic_id, post_id FROM main.solutions") == [
        {"topic_id": 31, "post_id": 103}
    ]
    accounts = forum.read("SELECT id, username, moderator FROM users WHERE id > 0 ORDER BY id")
    assert [tuple(row.values()) for row in accounts] == [
        (1, "member1", True),
        (3, "member3", False),
    ]


@pytest.mark.parametrize(
    ("cooked", "raw"),
    [
        ("<p>One <strong>two</strong><br>\nthree &amp; four</p>", "One **two**\nthree & four"),
        (
            '<pre><code class="lang-auto">if a &lt; b:\n\n    pass</code></pre>\n<p>So.</p>',
            "```\nif a < b:\n\n    pass\n```\n\nSo.",
        ),
        ("<ul>\n<li>one</li>\n<li>two</li>\n</ul>", "* one\n* two"),
        (
            '<p><a class="mention" href="/u/ada">@ada</a>: <a href="https://a.example/">look</a></p>',
            "@ada: [look](https://a.example/)",
        ),
        (
            '<aside class="quote" data-post="2" data-topic="9">\n<div class="title">\n'
            '<div class="quote-controls"></div>\n<img src="x.png" class="avatar"> ada:</div>\n'
            "<blockquote>\n<p>Hers.</p>\n</blockquote>\n</aside>\n<p>Mine.</p>",
            '[quote="ada, post:2, topic:9"]\n\nHers.\n\n[/quote]\n\nMine.',
        ),
        ('<p>Ha <img src="x.png" title=":smile:" class="emoji" alt=":smile:"></p>', "Ha :smile:"),
    ],
)
def test_html_becomes_the_markdown_that_says_the_same(cooked, raw):
    assert markdown(cooked) == raw


@pytest.mark.slow
@pytest.mark.requires_shared_data
def test_every_recorded_post_arrives(shared_data):
    file = shared_data / "urho3d" / "topics.jsonl.zst"
    forum = forum_from_topics(file)
    with duckdb.connect() as db:
        topics = [
            json.loads(text)
            for (text,) in db.execute(
                "SELECT json::VARCHAR FROM read_ndjson_objects(?)", [str(file)]
            ).fetchall()
        ]
    recorded = [one for topic in topics for one in topic["post_stream"]["posts"]]
    assert len(topics) == 1_995
    assert len(recorded) == 14_994
    held = forum.read(
        "SELECT p.id, p.user_id, p.topic_id, p.post_number, p.version, p.like_count,"
        " strftime(p.created_at, '%Y-%m-%dT%H:%M:%S.%g') || 'Z' AS created_at, t.category_id"
        " FROM posts AS p JOIN topics AS t ON t.id = p.topic_id ORDER BY p.id"
    )
    category = {topic["id"]: topic["category_id"] for topic in topics}
    copied = ("id", "user_id", "topic_id", "post_number", "version", "created_at")
    wanted = [
        {name: one[name] for name in copied}
        | {
            "category_id": category[one["topic_id"]],
            "like_count": sum(a["count"] for a in one["actions_summary"] if a["id"] == 2),
        }
        for one in sorted(recorded, key=lambda one: one["id"])
    ]
    assert held == [{name: row[name] for name in held[0]} for row in wanted]
    solved = forum.read("SELECT topic_id, post_id FROM main.solutions")
    accepted = [(one["topic_id"], one["id"]) for one in recorded if one["accepted_answer"]]
    assert Counter((row["topic_id"], row["post_id"]) for row in solved) == Counter(accepted)


@pytest.mark.slow
@pytest.mark.requires_shared_data
def test_every_recorded_chat_message_arrives(shared_data):
    file = shared_data / "devchat" / "messages.parquet"
    workspace = workspace_from_messages(file)
    with duckdb.connect() as db:
        rows = db.execute('SELECT text, "user" FROM read_parquet(?)', [str(file)]).fetchall()
    assert len(rows) == 22_172
    held = Counter((m["msg"], m["u"]["username"]) for m in workspace.messages.values())
    assert held == Counter((text, f"dev{user}") for text, user in rows)
