"""A real forum, recorded, read by both ways."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.sandbox.discourse import Forum, Limits
from pipeline.sandbox.recordings import forum_from_topics
from tests.sources.discourse.world import World

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "urho3d" / "topics.jsonl.zst"

pytestmark = [
    pytest.mark.requires_shared_data,
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not beside this checkout"),
]


@pytest.fixture(scope="module")
def forum() -> Forum:
    recorded = forum_from_topics(RECORDED)
    recorded.switches.limits = Limits.off()
    return recorded


@pytest.mark.parametrize(
    ("way", "requests", "on_a_quiet_night"),
    [
        ("data_explorer", 15, 3),
        ("rest", 400, 100),  # 20 pages of topics, and 40 topics whose turn it is
    ],
)
def test_every_recorded_post_arrives(
    world_of: Callable[..., AbstractContextManager[World]],
    forum: Forum,
    way: str,
    requests: int,
    on_a_quiet_night: int,
) -> None:
    with world_of(forum, way_in=way, who_liked=False) as world:
        assert world.night() <= requests
        recorded = forum.read("SELECT id, topic_id, post_number, user_id, cooked FROM posts")
        assert len(recorded) == 14_994
        columns = ("id", "topic_id", "post_number", "user_id", "cooked")
        posts = world.held("posts").values()
        assert {tuple(post[c] for c in columns) for post in posts} == {
            tuple(row[c] for c in columns) for row in recorded
        }
        assert len(world.held("topics")) == 1_995
        assert world.night() <= on_a_quiet_night
