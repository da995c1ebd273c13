"""404s that the forum did not give to our user: a proxy's while it restarts, or a stranger's."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from pipeline.errors import FixSettings, SourceDown
from pipeline.sandbox.discourse import Forum, Switches
from pipeline.sources.discourse.client import EXPLORER_ROOTS, NoForum
from tests.sources.discourse.history import History
from tests.sources.discourse.test_rest import seen, true
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]
SINGLE = re.compile(r"/(t|posts|admin/users)/-?\d+\.json").fullmatch


def lived_in(switches: Switches) -> History:
    return History(Forum(switches), DAWN - timedelta(days=60))


def vanish(history: History) -> int:
    """An account is switched off, a topic and a post are deleted; none of them is gone."""
    history.forum.write("UPDATE users SET active = FALSE WHERE id = ?", history.people[3])
    history.delete_topic(1)
    history.delete(1)
    return history.people[3]


def test_a_proxys_404_is_no_deletion(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        before = world.everything()
        vanish(history)
        world.proxied = lambda path: bool(SINGLE(path))
        with pytest.raises(SourceDown, match="404, but not as a Discourse does"):
            world.night()
        assert world.everything() == before
        world.proxied = lambda _: False
        world.night()
        assert seen(world) == true(world)
        assert world.gone("users") == world.gone("topics") == world.gone("posts") == set()


def test_what_strangers_are_told_is_no_deletion(world_of: Serve, quiet: Switches) -> None:
    """The forum itself says 404, but without naming the acting user."""
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        switched_off = vanish(history)
        world.refused = {f"/t/{topic}.json": 404 for topic in history.topics}
        world.refused[f"/admin/users/{switched_off}.json"] = 404
        world.signs = False
        world.night()
        assert world.gone("users") == world.gone("topics") == world.gone("posts") == set()
        world.refused.clear()
        world.night()
        assert seen(world) == true(world)


def test_a_proxys_404_does_not_switch_data_explorer_off(world_of: Serve, quiet: Switches) -> None:
    left = [True] * 6
    with world_of(lived_in(quiet).forum) as world:
        world.proxied = lambda path: "explorer" in path and bool(left and left.pop())
        assert {plan.via for plan in world.source().plan()} == {"data_explorer"}
        world.proxied = lambda path: "explorer" in path
        with pytest.raises(NoForum, match="it may work later"):
            world.source().plan()


def test_a_stranger_for_a_moment_still_reads_by_data_explorer(
    world_of: Serve, quiet: Switches
) -> None:
    with world_of(lived_in(quiet).forum) as world:
        world.faults.next_answers(*["anonymised"] * 4)
        assert {plan.via for plan in world.source().plan()} == {"data_explorer"}


def test_a_route_that_a_version_lacks_is_missing_for_all_who_ask(world_of: Serve) -> None:
    """Where no route fits, Discourse says 404 before it looks who asks."""
    history = lived_in(Switches(explorer_legacy_only=True))
    with world_of(history.forum) as world:
        world.refused[f"{EXPLORER_ROOTS[0]}/queries.json"], world.signs = 404, False
        assert {plan.via for plan in world.source().plan()} == {"data_explorer"}


def test_where_no_forum_is_the_address_is_wrong(world_of: Serve, quiet: Switches) -> None:
    with world_of(lived_in(quiet).forum) as world:
        world.proxied = lambda _: True
        began = world.time.now()
        with pytest.raises(FixSettings, match="no Discourse answers at"):
            world.source()._about()
        assert world.time.now() - began < 30
        (found, *_) = world.source().probe()
        assert (found.level, "no Discourse answers at" in found.text) == ("fail", True)


def test_an_account_that_was_taken_for_gone_returns(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    listed, switched_off = (str(person) for person in (history.people[1], history.people[2]))
    history.forum.write("UPDATE users SET active = FALSE WHERE id = ?", switched_off)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        world.night()
        for user in (listed, switched_off):
            world.db.execute("UPDATE raw.records SET gone_at = seen_at WHERE key = ?", [user])
        assert {listed, switched_off} <= world.gone("users")
        world.night()
        assert world.gone("users") == set()
