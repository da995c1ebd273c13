"""A sandbox forum over real HTTP, with Hearth behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.discourse import Forum, Limits, Switches
from pipeline.sandbox.server import running
from pipeline.sources.discourse import rest_suspects
from tests.sources.discourse.world import World


@pytest.fixture
def world_of(tmp_path: Path) -> Callable[..., AbstractContextManager[World]]:
    """Serves a forum for a while: `with world_of(forum, who_liked=False) as world`."""
    made = 0

    @contextmanager
    def serve(forum: Forum, **settings: Any) -> Iterator[World]:
        nonlocal made
        made += 1
        world = World(forum, tmp_path / f"world{made}", settings=settings)
        with running(world.faults) as addresses:
            world.url = addresses.forum
            yield world

    return serve


@pytest.fixture
def quiet() -> Switches:
    """A forum without limits, for tests that are about something else."""
    return Switches(limits=Limits.off())


@pytest.fixture
def no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """By REST no topic is read because it is its turn, for tests that count what else is read."""
    for turn in ("TURN", "DELETED_TURN"):
        monkeypatch.setattr(rest_suspects, turn, 0)
