"""The forum by plain REST: all that lists and counts give away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings

from pipeline.sandbox.discourse import Forum, Limits, Switches
from tests.sources.discourse.history import LIKES, History, nights, play, truth
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]


def lived_in(switches: Switches) -> History:
    return History(Forum(switches), DAWN - timedelta(days=60))


def seen(world: World) -> dict[str, Any]:
    """What is held, of all that REST can see, one comparable value a stream."""
    posts = {
        key: (post["topic_id"], post["post_number"], likes_of(post), bool(post.get("deleted_at")))
        for key, post in world.held("posts").items()
    }
    topics = {
        key: (topic["title"], topic["category_id"], bool(topic.get("deleted_at")))
        for key, topic in world.held("topics").items()
    }
    users = {key: user["username"] for key, user in world.held("users").items() if int(key) > 0}
    likes = {(like["post_id"], like["user_id"]) for like in world.held("likes").values()}
    return {"posts": posts, "topics": topics, "users": users, "likes": likes}


def true(world: World) -> dict[str, Any]:
    """The same from the forum's own tables."""
    posts = {
        key: (post["topic_id"], post["post_number"], post["like_count"],
              post["deleted_us"] is not None)
        for key, post in truth(world.forum, "posts").items()
    }  # fmt: skip
    topics = {
        key: (topic["title"], topic["category_id"], topic["deleted_us"] is not None)
        for key, topic in truth(world.forum, "topics").items()
    }
    users = {
        key: user["username"] for key, user in truth(world.forum, "users").items() if user["id"] > 0
    }
    likes = {tuple(row.values()) for row in world.forum.read(LIKES)}
    return {"posts": posts, "topics": topics, "users": users, "likes": likes}


def likes_of(post: dict[str, Any]) -> int:
    return sum(action.get("count", 0) for action in post["actions_summary"] if action["id"] == 2)


def test_a_first_night_holds_all_and_a_second_one_brings_nothing(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 0)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert seen(world) == true(world)
        assert [part for part in world.parts() if part.records] == []


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(nights=nights)
def test_after_any_nights_all_that_can_be_seen_agrees(
    world_of: Serve, nights: list[list[tuple[Any, ...]]]
) -> None:
    history = lived_in(Switches(limits=Limits.off()))
    with world_of(history.forum, way_in="rest") as world:
        for events in [[], *nights]:
            play(history, events)
            world.night()
            assert seen(world) == true(world)
