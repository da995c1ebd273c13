"""By REST, which posts are told and which are counted."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Bookmarks
from pipeline.sources.discourse.rest_posts import Posts, Tally
from pipeline.sources.discourse.rest_records import REGULAR, WHISPER

OPEN, RESTRICTED, TOPIC = 1, 2, 7
AT = "2026-03-01T00:00:00.000Z"
NONE = Tally()


def post(**other: Any) -> dict[str, Any]:
    """The third post of a topic, with two likes and a flag."""
    return {
        "id": 30,
        "topic_id": TOPIC,
        "category_id": OPEN,
        "post_number": 3,
        "post_type": REGULAR,
        "created_at": AT,
        "updated_at": AT,
        "actions_summary": [{"id": 2, "count": 2}, {"id": 8, "count": 1}],
        **other,
    }


@pytest.mark.parametrize(
    ("other", "whispers", "told", "tally"),
    [
        ({}, False, True, Tally(posts=1, likes=2, highest=3)),
        ({"accepted_answer": True}, False, True, Tally(1, 2, 3, accepted=1)),
        ({"hidden": True}, False, True, Tally(1, 2, 3)),
        ({"deleted_at": AT}, False, True, NONE),
        ({"post_type": WHISPER}, False, False, NONE),
        ({"post_type": WHISPER}, True, True, NONE),
        ({"category_id": RESTRICTED}, False, False, NONE),
    ],
)
def test_what_may_be_read_is_told_and_what_stands_is_counted(
    other: dict[str, Any], whispers: bool, told: bool, tally: Tally
) -> None:
    posts = Posts(Bookmarks(), {OPEN}, whispers)
    records = posts.see([post(**other)], asked_at=1)
    assert [(record.stream, record.key) for record in records] == [("posts", "30")] * told
    assert posts.tallies[TOPIC] == tally
    assert posts.likes == ({30: 2} if told else {})


@pytest.mark.parametrize(
    ("count", "explained"),
    [
        ({}, True),
        ({"posts_count": 2}, False),
        ({"like_count": 3}, False),
        ({"highest_post_number": 4}, False),
        ({"has_accepted_answer": True}, False),
    ],
)
def test_a_tally_explains_a_list_item_only_where_every_count_agrees(
    count: dict[str, Any], explained: bool
) -> None:
    item = {"posts_count": 1, "like_count": 2, "highest_post_number": 3, **count}
    assert Tally(posts=1, likes=2, highest=3).explains(item) is explained
