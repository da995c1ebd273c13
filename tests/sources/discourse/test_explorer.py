"""The forum by Data Explorer: everything, every change to it, with few requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline.errors import BadAnswer, FixAccess, SourceDown
from pipeline.sandbox.discourse import ADMIN_KEY, READ_KEY, Forum, Limits, Switches
from pipeline.sandbox.discourse import explorer as sandbox_explorer
from pipeline.sources import open_source
from pipeline.sources.discourse import FORUM, differences
from pipeline.sources.discourse.client import Refused
from tests.conftest import make_community
from tests.sources.discourse.history import (
    CLOSED_WORDS,
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


@pytest.mark.parametrize("examples", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_after_any_nights_all_tables_agree(world_of: Serve, examples: int) -> None:
    @settings(max_examples=examples, derandomize=True, database=None)
    @given(nights=nights)
    def check(nights: list[list[tuple[Any, ...]]]) -> None:
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

    check()


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_answers_are_found_in_every_way_the_plugin_has_kept_them(
    world_of: Serve, generation: int
) -> None:
    history = lived_in(Switches(limits=Limits.off(), solved=generation))
    history.accept(3)
    with world_of(history.forum) as world:
        world.night()
        held = world.held("solutions")
        assert {(row["topic_id"], row["answer_post_id"]) for row in held.values()} == {(2, 4)}
        history.unaccept(3)
        world.night()
        assert (world.held("solutions"), world.gone("solutions")) == ({}, set(held))


def test_a_category_that_is_closed_takes_its_posts_along(world_of: Serve) -> None:
    history = lived_in(Switches(limits=Limits.off()))
    place = history.open[0]
    with world_of(history.forum) as world:
        world.night()
        topics = {key for key, row in world.held("topics").items() if row["category_id"] == place}
        posts = {k for k, row in world.held("posts").items() if str(row["topic_id"]) in topics}
        assert topics
        assert posts
        history.forum.restrict_category(place, history.later(), [])
        world.night()
        assert world.gone("topics") == topics
        assert world.gone("posts") == posts
        assert world.gone("categories") == {str(place)}


def test_a_forum_without_plugins_says_what_it_lacks(world_of: Serve) -> None:
    history = lived_in(Switches(limits=Limits.off(), solved=None))
    history.forum.write("DROP TABLE chat_channels")
    history.forum.write("DROP TABLE topic_tags")
    history.forum.write("ALTER TABLE discourse_reactions_reaction_users DROP COLUMN reaction_id")
    with world_of(history.forum) as world:
        lacking = {plan.stream: str(plan.unavailable) for plan in world.source().plan()}
        assert lacking.keys() == {
            FORUM,
            "reactions",
            "chat_channels",
            "chat_messages",
            "chat_message_reactions",
        }
        assert "has no chat_channels" in lacking["chat_channels"]
        assert "has no discourse_reactions_reaction_users.reaction_id" in lacking["reactions"]
        world.night()
        assert world.held("posts")


STANDING = (
    " JOIN topics t ON t.id = p.topic_id JOIN categories c ON c.id = t.category_id"
    " WHERE t.archetype = 'regular' AND NOT c.read_restricted AND p.post_type <> 4"
    " AND p.deleted_at IS NULL AND t.deleted_at IS NULL"
)


@pytest.mark.parametrize("most", [10_000, 400])
def test_a_forum_that_gives_few_rows_at_once_is_read_whole(
    world_of: Serve, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """It refuses to give more, or ignores that more is asked for."""
    history = lived_in(Switches(limits=Limits.off(), explorer_limit=400, explorer_max_limit=most))
    forum, topic = history.forum, history.topics[0]
    for n in range(700):
        forum.reply(topic, history.people[0], f"Answer number {n}, quite long enough", history.now)
    if most > 400:
        monkeypatch.setattr(sandbox_explorer, "_limit", lambda *_: 400)
    with world_of(forum) as world:
        for _ in range(2):
            world.night()
            assert len(world.held("posts")) > 700
            agrees(world)


def test_a_forum_whose_database_is_too_busy_is_asked_another_night(world_of: Serve) -> None:
    history = lived_in(Switches(limits=Limits.off()))
    with world_of(history.forum) as world:
        history.forum.switches.explorer_times_out = lambda _, __: True
        with pytest.raises(SourceDown, match="does not name all of the forum's tables .* it may"):
            world.source().plan()


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer holds little, so that a small forum needs many."""
    monkeypatch.setattr(differences, "FEW", 3)
    monkeypatch.setattr(differences, "PAGE_ROWS", 8)
    monkeypatch.setattr(differences, "PAGE_IDS", 2)
    monkeypatch.setattr(differences, "LIMIT", 12)


def busy(history: History) -> None:
    """A night in which every kind of thing happens."""
    for n in range(12):
        history.topic(n, n)
        history.reply(n, n + 1)
        history.like(n, n + 2)
    play(
        history,
        [
            ("edit", 3, 1),
            ("delete", 5),
            ("move", 9, 1),
            ("rename", 1),
            ("merge", 2),
            ("accept", 7),
            ("retitle", 3),
            ("delete_topic", 4),
            ("flag", 11, 1),
            ("destroy", 13),
            ("recategorise", 2, 2),
            ("unlike", 3, 5),
        ],
    )


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    world_of: Serve, quiet: Switches, small_answers: None
) -> None:
    history = lived_in(quiet)
    busy(history)
    with world_of(history.forum) as whole:
        parts = len(whole.parts())
        whole.night()
        agrees(whole)
    assert parts > 15
    for killed_after in range(0, parts, 5):
        with world_of(history.forum) as world:
            world.night(stop_after=killed_after)
            world.night()
            assert world.everything() == whole.everything()


@pytest.mark.slow
def test_a_busy_night_reads_only_what_differs(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    for n in range(300):
        history.topic(n, n)
    with world_of(history.forum) as world:
        world.night()
        busy(history)
        parts = world.parts()
        assert sum(len(part.records) for part in parts) < 1200
        assert world.night() <= 8
        agrees(world)


def test_a_merge_that_moves_a_like_a_report_and_a_renaming_is_seen(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 0)
    history.flag(3, 0)
    history.rename(0)
    (renaming,) = history.forum.read("SELECT id FROM user_histories WHERE action = 21")
    with world_of(history.forum) as world:
        world.night()
        history.forum.merge_users(history.people[0], history.people[2], history.later())
        world.night()
        agrees(world)
        held = world.held("staff_actions")[str(renaming["id"])]
        assert (held["acting_user_id"], held["target_user_id"]) == (history.people[2],) * 2


@pytest.mark.slow
def test_small_answers_bring_the_same(
    world_of: Serve, quiet: Switches, small_answers: None
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:
        world.night()
        busy(history)
        world.night()
        agrees(world)
        assert world.parts() == []


@pytest.mark.parametrize("way", ["data_explorer", "rest"])
def test_nothing_private_is_left_behind_unless_it_is_named(
    world_of: Serve, quiet: Switches, way: str
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in=way) as world:
        world.night()
        assert [word for word in CLOSED_WORDS if word in world.words()] == []
        assert world.held("posts")


@pytest.mark.parametrize("way", ["data_explorer", "rest"])
def test_a_report_goes_with_its_place(world_of: Serve, quiet: Switches, way: str) -> None:
    history = lived_in(quiet)
    forum, (general, support), ann = history.forum, history.open, history.people[0]
    forum.enqueue(ann, history.closed, "A topic held back", "It waits.", history.later())
    waiting = forum.enqueue(ann, general, "Another held back", "It waits.", history.later())
    general_post, support_post = history.posts[1], history.posts[3]
    flags = {
        place: forum.flag(post, history.people[4], "spam", history.later())
        for place, post in ((general, general_post), (support, support_post))
    }
    with world_of(forum, way_in=way) as world:
        world.night()
        every = {str(waiting), *map(str, flags.values())}
        assert set(world.held("reports")) == every
        # A report keeps the category in which its topic was when that is deleted
        other = forum.add_category("Other", "other", history.later())
        forum.write("UPDATE topics SET category_id = ? WHERE category_id = ?", other, support)
        forum.write("DELETE FROM categories WHERE id = ?", support)
        forum.review(flags[support], "approved", history.admin, history.later())
        world.night()
        assert world.held("reports")[str(flags[support])]["status"] == 1
        forum.write("UPDATE categories SET read_restricted = TRUE WHERE id = ?", general)
        world.night()
        world.night()
        scores = {str(score["reviewable_id"]) for score in world.held("report_scores").values()}
        assert set(world.held("reports")) | scores <= {str(flags[support])}


def test_what_is_named_is_read(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    named = ("Staff only", "whispers", "private_messages")
    with world_of(history.forum, private=named) as world:
        world.night()
        assert [word for word in CLOSED_WORDS if word not in world.words()] == []


def test_what_becomes_private_is_gone(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:
        world.night()
        history.recategorise(1, 2)
        world.night()
        agrees(world)
        assert world.gone("topics") == {str(history.topics[1])}


@pytest.mark.parametrize("way", ["data_explorer", "rest"])
def test_faults_change_nothing(world_of: Serve, quiet: Switches, way: str) -> None:
    history = lived_in(quiet)
    busy(history)
    with world_of(history.forum, way_in=way) as healthy, world_of(history.forum, way_in=way) as ill:
        ill.faults.rate = 0.5 if way == "data_explorer" else 0.3
        for events in ([], [("reply", 1, 1), ("delete", 3), ("like", 5, 5)]):
            play(history, events)
            healthy.night()
            ill.night()
            assert ill.everything() == healthy.everything()
        assert len(ill.faults.seen) > 2


@pytest.mark.parametrize("way", ["data_explorer", "rest"])
@pytest.mark.parametrize("keeps_limits", [True, False])
def test_under_the_servers_limits_no_request_is_lost(
    world_of: Serve, way: str, keeps_limits: bool
) -> None:
    limits = Limits(admin_per_minute=20, explorer_blocks=True, ip_per_10_seconds=50)
    history = lived_in(Switches(limits=limits))
    busy(history)
    with world_of(history.forum, way_in=way, requests_per_minute=20) as world:
        world.keeps_limits = keeps_limits
        for _ in range(2):
            world.night()
        rows = world.forum.read("SELECT p.id FROM posts p" + STANDING)
        assert set(world.held("posts")) >= {str(row["id"]) for row in rows}
        refused = [seen for seen in world.site.log if seen.status == 429]
        assert bool(refused) != keeps_limits


def test_an_old_server_knows_only_the_old_route(world_of: Serve) -> None:
    history = lived_in(Switches(limits=Limits.off(), explorer_legacy_only=True))
    with world_of(history.forum) as world:
        world.night()
        agrees(world)


def test_a_read_only_key_runs_queries_made_by_hand(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, key=READ_KEY, way_in="data_explorer") as world:
        for _ in range(3):
            with pytest.raises(FixAccess, match="an admin must make") as raised:
                world.night()
            title = str(raised.value).split("query '")[1].split("'")[0]
            sql = str(raised.value).split("without a description:")[1].strip()
            world.source(key=ADMIN_KEY)._client.submit(
                "/admin/plugins/explorer/queries.json",
                **{"query[name]": title, "query[sql]": sql},
            )
        world.night()
        agrees(world)


def test_queries_are_made_once_replaced_when_they_change_and_removed(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:

        def stored() -> list[str]:
            answer = world.source()._client.fetch("/admin/plugins/explorer/queries.json")
            return sorted(query["name"] for query in answer["queries"] if query["id"] > 0)

        world.night()
        world.night(private=("whispers",))
        assert stored() == ["Hearth digest (forum)", "Hearth rows (forum)", "Hearth schema (forum)"]


def test_two_installations_leave_each_others_queries_alone(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:

        def stored() -> set[int]:
            answer = world.source()._client.fetch("/admin/plugins/explorer/queries.json")
            return {query["id"] for query in answer["queries"] if query["id"] > 0}

        world.night()
        ours = stored()
        world.installation = "theirs"
        world.night(private=("whispers",))
        assert ours < stored()
        both = stored()
        world.night(private=("whispers",))
        world.installation = "ours"
        world.night()
        assert stored() == both


def test_two_homes_are_two_installations_whatever_their_folders_are_called(tmp_path: Path) -> None:
    def installation(home: Path) -> str:
        return str(open_source(make_community(home), "forum")._installation)  # type: ignore[attr-defined]

    here, there = tmp_path / "here", tmp_path / "there"
    first = installation(here)
    assert first == installation(here) != installation(there)
    here.rename(tmp_path / "moved")
    there.rename(here)  # the same path on another machine
    assert installation(here) != first
    assert installation(tmp_path / "moved") == first


def test_a_forums_words_cannot_steer_a_terminal(world_of: Serve, quiet: Switches) -> None:
    with world_of(lived_in(quiet).forum) as world:
        world.refused["/about.json"] = 422
        world.said = "no \x1b[2J\u202e way\n out\x07"
        with pytest.raises(Refused, match="no") as raised:
            world.source()._client.about()
        assert raised.value.said == "no [2J way out"
        assert str(raised.value).isprintable()


def test_a_forum_that_seems_empty_is_not_believed(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum) as world:
        world.night()
        before = world.everything()
        history.forum.write("DELETE FROM posts")
        with pytest.raises(BadAnswer, match="shows none of the posts"):
            world.night()
        assert world.everything() == before


def test_without_the_plugin_rest_is_the_way_in(world_of: Serve, quiet: Switches) -> None:
    quiet.explorer = False
    history = lived_in(quiet)
    with world_of(history.forum) as world:
        plans = world.source().plan()
        assert {plan.via for plan in plans} == {"rest"}
        with pytest.raises(FixAccess, match="data_explorer_enabled"):
            world.source(way_in="data_explorer").plan()


def test_a_wrong_key_is_named_and_never_shown(world_of: Serve, quiet: Switches) -> None:
    with world_of(lived_in(quiet).forum, key="0123456789abcdef") as world:
        with pytest.raises(FixAccess, match="Check the key") as raised:
            world.source().plan()
        assert "0123456789abcdef" not in str(raised.value)
        findings = world.source().probe()
        assert [finding.level for finding in findings][-1] == "fail"


def test_the_estimate_is_close(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    busy(history)
    with world_of(history.forum) as world:
        estimate = world.source().estimate(world.bookmarks())
        assert abs(estimate.requests - world.night()) <= 4
        assert world.source().estimate(world.bookmarks()).requests == 3


def test_no_email_is_read_unless_asked(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    ((address,),) = [
        tuple(row.values()) for row in history.forum.read("SELECT email FROM user_emails LIMIT 1")
    ]
    with world_of(history.forum) as world:
        world.night()
        assert address not in world.words() and "email" not in str(world.held("users"))
        world.night(emails=True)
        assert address not in world.words() and "email_md5" in str(world.held("users"))
