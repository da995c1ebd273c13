"""Data Explorer of a forum that is sick, busy, or takes only short questions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.errors import BadAnswer, SourceDown
from pipeline.records import HIGHEST, LOWEST, Bookmarks
from pipeline.sandbox.discourse import ADMIN_KEY, READ_KEY, Switches
from pipeline.sources.discourse import FORUM, differences, explorer
from pipeline.sources.discourse.differences import Differences
from pipeline.sources.discourse.explorer import TooMuch, TooSlow
from tests.sources.discourse.test_explorer import agrees, busy, lived_in
from tests.sources.discourse.world import World

Serve = Callable[..., AbstractContextManager[World]]
WIDTH = 256
HELD = (-3, 0, 700, 5_000)  # buckets
REST_OF_QUERY = 700  # characters of a question besides the things it names


@pytest.mark.parametrize("longest", [None, (450, 414), (450, 431), (450, 413)])
def test_a_read_only_key_asks_no_longer_questions_than_a_server_takes(
    world_of: Serve,
    quiet: Switches,
    monkeypatch: pytest.MonkeyPatch,
    longest: tuple[int, int] | None,
) -> None:
    """By GET they stand in the address."""
    monkeypatch.setattr(differences, "FEW", 3)
    if longest is None:
        monkeypatch.setattr(explorer, "URI_CHARS", 60)
    history = lived_in(quiet)
    for n in range(60):
        history.reply(n, n)
    with world_of(history.forum, way_in="data_explorer") as world:
        world.source(key=ADMIN_KEY).plan()  # the queries are made
        world.longest = longest
        world.night(key=READ_KEY)
        agrees(world)
        history.forum.write("UPDATE posts SET updated_at = updated_at + INTERVAL 1 SECOND")
        history.reply(1, 1)
        world.queries.clear()
        world.night(key=READ_KEY)
        agrees(world)
        assert max(world.queries) > 250
        if longest is None:
            assert max(world.queries) < 60 + REST_OF_QUERY
        else:
            assert sum(length > longest[0] for length in world.queries) < 8


@pytest.mark.parametrize("patience_s", [0.0, 5.0, 30.0, 600.0])
def test_a_forum_that_went_down_is_left_when_our_patience_ends(
    world_of: Serve, quiet: Switches, patience_s: float
) -> None:
    with world_of(lived_in(quiet).forum) as world:
        source = world.source()
        source.plan()
        source._transport.patience_s = patience_s
        world.faults.rate, world.faults.kinds = 1.0, ("bad_gateway",)
        began, asked = world.time.now(), source.usage.requests
        with pytest.raises(SourceDown, match="the server answered 502; .* it may work later"):
            list(source.read(FORUM, world.bookmarks()))
        assert world.time.now() - began <= patience_s + 1
        assert source.usage.requests - asked < 10 + patience_s


def test_a_database_that_answers_no_digest_is_told_with_what_to_do(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:
        source = world.source()
        source.plan()
        quiet.explorer_times_out = lambda _, __: True
        asked = source.usage.requests
        with pytest.raises(SourceDown, match="does not read even the few rows .* VACUUM ANALYZE"):
            list(source.read(FORUM, world.bookmarks()))
        assert source.usage.requests - asked < 30


def test_a_database_that_reads_no_row_is_told_with_what_to_do(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = lived_in(quiet)
    busy(history)
    monkeypatch.setattr(differences, "FEW", 3)
    with world_of(history.forum) as world:
        world.night()
        history.forum.write("UPDATE posts SET updated_at = updated_at + INTERVAL 1 SECOND")
        history.topic(1, 1)
        quiet.explorer_times_out = lambda sql, _: "to_json" in sql
        source = world.source()
        with pytest.raises(SourceDown, match="does not read even row .* VACUUM ANALYZE"):
            for plan in source.plan():
                list(source.read(plan.stream, world.bookmarks()))
        assert source.usage.requests < 60


def test_a_moments_rush_of_the_database_loses_no_night(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    rush = [True, True, True]
    quiet.explorer_times_out = lambda _, __: bool(rush and rush.pop())
    with world_of(history.forum) as world:
        world.night()
        agrees(world)


@dataclass
class Few:
    """A Data Explorer that can read only so many ids at once, and of so many streams."""

    ids: int
    streams: int
    error: Callable[[], TooMuch]
    tables: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def run(self, _: str, *, hasty: bool, streams: str, low: int, high: int) -> list[list[Any]]:
        self.asked.append((streams, low, high))
        names = streams.split(",")
        there = [n for n in HELD if low <= n * WIDTH and n * WIDTH <= high]
        ends = max(low, -WIDTH * 5), min(high, WIDTH * 5_001)
        if len(names) > self.streams or ends[1] - ends[0] >= self.ids:
            raise self.error()
        return [[name, number, 1, "state"] for name in names for number in there]


@dataclass
class Of:
    width: int = WIDTH


@pytest.mark.parametrize("ids", [WIDTH, 100 * WIDTH, 2000 * WIDTH, 10**12])
@pytest.mark.parametrize("streams", [1, 2, 9])
def test_digests_come_in_parts_that_shrink_and_leave_nothing_out(ids: int, streams: int) -> None:
    few = Few(ids, streams, lambda: TooSlow("too slow"), dict.fromkeys("abcde", Of()))
    try:
        found = Differences(few, "forum", lambda: 0)._digests("abcde", LOWEST, HIGHEST)  # type: ignore[arg-type]
    finally:
        assert len(few.asked) == len(set(few.asked)) < 40 + 90_000 * WIDTH // ids
    numbers = {stream: sorted(buckets) for stream, buckets in found.items()}
    assert numbers == dict.fromkeys("abcde", list(HELD))


@pytest.mark.parametrize(("error", "told"), [(TooSlow, SourceDown), (TooMuch, BadAnswer)])
def test_what_no_part_can_read_ends_soon(error: type[TooMuch], told: type[Exception]) -> None:
    few = Few(1, 1, lambda: error("no"), dict.fromkeys("abcde", Of()))
    with pytest.raises(told, match="forum/a: .* even the few rows from 0 on"):
        Differences(few, "forum", lambda: 0).find(Bookmarks())  # type: ignore[arg-type]
    assert len(few.asked) < 20
