"""The forum by Data Explorer: everything, every change to it, with few requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings

from pipeline.sandbox.discourse import Forum, Limits, Switches
from tests.sources.discourse.history import (
    LIKES,
    TRUTH,
    History,
    nights,
    play,
    truth,
)
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]


def lived_in(switches: Switches) -> History:
    return History(Forum(switches), DAWN - timedelta(days=60))


def agrees(world: World) -> None:
    """What is held is what the forum's own tables say, table by table."""
    for stream in TRUTH:
        there = truth(world.forum, stream)
        held = world.held(stream)
        fields = list(next(iter(there.values()), ()))
        here = {key: {name: row.get(name) for name in fields} for key, row in held.items()}
        assert here == there, stream
    alive = {
        (like["post_id"], like["user_id"])
        for like in world.held("likes").values()
        if like["deleted_us"] is None
    }
    assert alive == {tuple(row.values()) for row in world.forum.read(LIKES)}


def test_a_first_night_holds_all_and_a_second_one_brings_nothing(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.accept(3)
    history.edit(3, 30)
    history.flag(2, 1)
    history.like(3, 0)
    with world_of(history.forum) as world:
        assert world.night() <= 8
        assert all(truth(world.forum, stream) for stream in TRUTH)
        agrees(world)
        before = world.everything()
        assert world.parts() == []
        assert world.night() == 3
        assert world.everything() == before


@settings(
    max_examples=80, deadline=None, derandomize=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(nights=nights)
def test_after_any_nights_all_tables_agree(
    world_of: Serve, nights: list[list[tuple[Any, ...]]]
) -> None:
    history = lived_in(Switches(limits=Limits.off()))
    history.accept(3)
    history.edit(3, 30)
    history.flag(2, 1)
    history.like(3, 0)
    with world_of(history.forum) as world:
        for events in [[], *nights]:
            play(history, events)
            world.night()
            agrees(world)
