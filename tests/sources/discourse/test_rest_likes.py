"""By REST, whose likes are kept: those of posts that may be read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from pipeline import load
from pipeline.records import Part, Record
from pipeline.sandbox.discourse import Forum, Switches
from pipeline.sources.discourse import rest_likes
from pipeline.sources.discourse.tables import PAIR
from tests.sources.discourse.history import LIKES, History
from tests.sources.discourse.world import DAWN, NAME, World

Serve = Callable[..., AbstractContextManager[World]]


def with_private_likes(switches: Switches) -> tuple[History, set[int]]:
    """A forum in which one person liked many posts, and the private posts that were liked, too: of
    a private message, a restricted category and a whisper."""
    history = History(Forum(switches), DAWN - timedelta(days=60))
    for n in range(30):
        history.reply(n, 1)
        history.like(len(history.posts) - 1, 0)
    secrets = history.forum.read(
        "SELECT p.id FROM posts p JOIN topics t ON t.id = p.topic_id WHERE p.post_type = 4"
        " OR t.archetype = 'private_message' OR t.category_id = ?",
        history.closed,
    )
    private = {row["id"] for row in secrets}
    for post in private:
        history.forum.like(post, history.people[0], history.later())
    return history, private


def likes(world: World) -> set[tuple[int, int]]:
    return {(like["post_id"], like["user_id"]) for like in world.held("likes").values()}


def test_likes_of_private_posts_are_not_kept_though_their_givers_tell_them(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_likes, "LIKERS_PAGE", 10)
    history, private = with_private_likes(quiet)
    assert len(private) >= 3
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        asked = [seen.path for seen in world.site.log]
        assert "/user_actions.json" in asked and "/post_action_users.json" not in asked
        assert likes(world) == {tuple(row.values()) for row in history.forum.read(LIKES)}
        words = world.words().replace(" ", "")
        assert not [post for post in private if f'"post_id":{post},' in words]


def test_likes_of_private_posts_that_older_nights_kept_are_forgotten(
    world_of: Serve, quiet: Switches
) -> None:
    history, private = with_private_likes(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        kept = likes(world)
        old = tuple(
            Record(
                "likes",
                str(post * PAIR + user),
                {"post_id": post, "user_id": user, "created_at": "2026-01-01T00:00:00.000Z"},
                world.micros(),
                mark="liked",
            )
            for post in private
            for user in (-1, history.people[0])
        )
        world.landing.write(NAME, "old", "topics", Part(old))
        load.load(world.db, world.landing)
        assert likes(world) - kept
        requests = world.night()
        assert likes(world) == kept
        told = "SELECT payload::VARCHAR FROM raw.records WHERE key IN (SELECT unnest(?::VARCHAR[]))"
        assert set(world.db.execute(told, [[r.key for r in old]]).fetchall()) == {("{}",)}
        assert world.night() == requests
        assert [part for part in world.parts() if part.records] == []


def test_likes_of_a_topic_that_turns_private_are_not_asked_for(
    world_of: Serve, quiet: Switches
) -> None:
    history = History(Forum(quiet), DAWN - timedelta(days=60))
    history.like(3, 0)
    with world_of(history.forum, way_in="rest") as world:
        world.night(who_liked=False)  # so that who liked it is asked for in the next night
        history.forum.recategorise(history.topics[1], history.closed, history.later())
        world.night()
        assert likes(world) == set()
        assert "/post_action_users.json" not in [seen.path for seen in world.site.log]
