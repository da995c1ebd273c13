"""In what forums differ: what a key may do, what a server knows, and how much it gives at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FixAccess
from pipeline.sandbox.discourse import READ_KEY, Forum, Switches
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.rest import micros, pages
from tests.sources.discourse.history import History
from tests.sources.discourse.test_rest import seen, true
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]
QUERIES = "/admin/plugins/discourse-data-explorer/queries.json"


def lived_in(switches: Switches) -> History:
    return History(Forum(switches), DAWN - timedelta(days=60))


def test_every_path_asks_for_json_by_its_name(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    history.like(3, 0)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert "/post_action_users.json" in {asked.path for asked in world.site.log}
        assert {asked.path.rpartition(".")[2] for asked in world.site.log} == {"json"}


@pytest.mark.parametrize("signs", [True, False])
def test_a_data_explorer_closed_to_the_key_leaves_rest(
    world_of: Serve, quiet: Switches, signs: bool
) -> None:
    with world_of(lived_in(quiet).forum) as world:
        world.refused[QUERIES], world.signs = 403, signs
        plans = {plan.stream: plan for plan in world.source().plan()}
        assert {plan.via for plan in plans.values()} == {"rest"}
        assert "refuses this key; `hearth doctor` says how" in str(plans["revisions"].unavailable)
        (warning,) = [one for one in world.source().probe() if "plain REST" in one.text]
        assert (warning.level, "was refused (403)" in warning.text) == ("warn", True)
        world.night()
        assert seen(world) == true(world)
        with pytest.raises((FixAccess, Refused), match="403"):
            world.source(way_in="data_explorer").plan()


def test_a_key_that_may_not_store_queries_reads_by_rest_and_says_which_to_make(
    world_of: Serve, quiet: Switches
) -> None:
    with world_of(lived_in(quiet).forum, key=READ_KEY) as world:
        plans = {plan.stream: plan for plan in world.source().plan()}
        assert plans["topics"].via == "rest"
        assert "refuses this key; `hearth doctor` says how" in str(plans["revisions"].unavailable)
        (warning,) = [one for one in world.source().probe() if "plain REST" in one.text]
        assert "an admin must make" in warning.text
        assert "SELECT table_name" in warning.text


def test_a_scope_that_stops_short_costs_what_lies_behind_it_alone(
    world_of: Serve, quiet: Switches
) -> None:
    with world_of(lived_in(quiet).forum, way_in="rest") as world:
        world.refused["/review.json"], world.signs = 403, False
        plans = {plan.stream: plan for plan in world.source().plan()}
        assert "/review.json was refused (403)" in str(plans["reports"].unavailable)
        assert plans["topics"].unavailable is None
        world.night()
        assert seen(world) == true(world)


def test_a_forum_without_a_site_description_still_has_categories(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.refused["/site.json"] = 404
        world.night()
        assert set(map(str, history.open)) <= world.held("categories").keys()
        assert str(history.closed) not in world.held("categories")


def test_likes_go_with_posts_that_are_deleted_for_good(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    history.topic(1, 1)
    for post in (1, 5, 6):
        history.like(post, 3)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert seen(world)["likes"] == true(world)["likes"]
        assert len(world.held("likes")) == 3
        history.destroy(1)  # a reply
        history.destroy_topic(2)
        world.night()
        assert [like["post_id"] for like in world.held("likes").values()] == [history.posts[6]]


@pytest.mark.parametrize("has_list", [True, False])
def test_staged_accounts_are_read_where_the_forum_lists_them(
    world_of: Serve, quiet: Switches, has_list: bool
) -> None:
    history = lived_in(quiet)
    by_mail = str(history.people[0])
    history.forum.write("UPDATE users SET staged = TRUE, active = FALSE WHERE id = ?", by_mail)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        if not has_list:
            world.refused["/admin/users/list/staged.json"] = 404
        world.night()
        assert (by_mail in world.held("users")) == has_list
        world.night()  # who wrote and is in no list is asked for alone
        assert world.held("users")[by_mail]["staged"]
        assert [part for part in world.parts() if part.records] == []


@pytest.mark.parametrize("prints", [0, 1])
def test_where_printing_is_counted_topics_are_read_twenty_posts_at_a_time(
    world_of: Serve, quiet: Switches, prints: int
) -> None:
    quiet.max_prints_per_hour = prints
    history = lived_in(quiet)
    for topic in range(3):
        for n in range(25):
            history.reply(topic, n)
        history.delete(topic * 2)  # lists count posts that /posts.json does not show
        history.forum.write("UPDATE posts SET post_type = 2 WHERE id = ?", history.posts[-1])
    history.forum.write("UPDATE users SET admin = FALSE, moderator = TRUE WHERE name = 'Admin'")
    with world_of(history.forum, way_in="rest", username="admin", who_liked=False) as world:
        world.night()
        assert seen(world)["posts"] == true(world)["posts"]
        refused = [asked for asked in world.site.log if asked.status in {403, 422}]
        assert len(refused) == 1


@pytest.mark.usefixtures("no_turns")
def test_an_answer_not_accepted_any_more_is_seen_after_data_explorer_is_off(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.accept(3)
    history.accept(5)
    with world_of(history.forum, who_liked=False) as world:
        world.night()
        kept, taken = (str(history.posts[n]) for n in (5, 3))
        assert set(world.held("solutions")) == {kept, taken}
        quiet.explorer = False
        history.unaccept(3)
        world.site.log.clear()
        world.night()
        assert (set(world.held("solutions")), world.gone("solutions")) == ({kept}, {taken})
        read = {asked.path for asked in world.site.log if asked.path.startswith("/t/")}
        assert f"/t/{history.topics[2]}.json" not in read


def test_calls_are_spread_over_the_seconds(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", share=1) as world:
        world.keeps_limits = True
        world.night()
        asked = sorted(world.moments)
        assert len(asked) > 15
        assert all(later - first >= 1 for first, later in zip(asked, asked[3:], strict=False))


ids = st.lists(st.integers(0, 99), unique=True, max_size=40)


@given(ids=ids, size=st.integers(1, 9), repeats=st.booleans())
def test_a_list_is_read_to_its_end_however_long_its_pages_are(
    ids: list[int], size: int, repeats: bool
) -> None:
    every: list[dict[str, Any]] = [{"id": n} for n in ids]
    items = [every[at : at + size] for at in range(0, len(every), size)]

    def ask(number: int) -> list[dict[str, Any]]:
        beyond = items[-1] if repeats and items else []
        return items[number] if number < len(items) else beyond

    assert [item["id"] for page in pages(ask) for item in page] == ids


@pytest.mark.parametrize(
    "written",
    ["2026-03-01T00:00:00.5Z", "2026-03-01T01:00:00.500+01:00", "2026-03-01T00:00:00.500"],
)
def test_a_time_with_any_offset_or_none(written: str) -> None:
    assert micros(written) == 1772323200500000
