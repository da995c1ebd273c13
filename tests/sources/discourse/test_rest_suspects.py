"""By REST, what no list and no count gives away, and how soon it is seen all the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from pipeline.sandbox.discourse import Forum, Switches
from pipeline.sources.discourse import rest_newest_posts, rest_suspects, rest_topics
from tests.sources.discourse.history import History
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]
PAGES = 3  # of /posts.json, to be filled with newer posts


def lived_in(switches: Switches, ago: timedelta = timedelta(days=60)) -> History:
    """A forum whose first posts are not among the newest that any client reads."""
    history = History(Forum(switches), DAWN - ago)
    for n in range(PAGES * rest_newest_posts.PAGE):
        history.reply(2, n)
    return history


def told(world: World, post: int) -> dict[str, Any]:
    """What of a post no count tells."""
    held = world.held("posts")[str(post)]
    return {name: held[name] for name in ("raw", "hidden", "user_deleted", "user_id")}


def changes(history: History, post: int) -> None:
    """A change of each kind to an old post that is not its topic's last one."""
    forum = history.forum
    forum.edit(post, "Written anew, much later and longer", history.later(600))
    forum.hide_post(post, history.later())


def topics_read(world: World) -> set[str]:
    return {seen.path for seen in world.site.log if seen.path.startswith("/t/")}


@pytest.mark.usefixtures("no_turns")
def test_an_edit_by_another_is_seen_the_night_after(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        post, title = history.posts[2], history.topics[1]
        history.now = DAWN - timedelta(days=1)
        history.forum.edit(post, "A moderator's words", history.later(), by=history.admin)
        world.site.log.clear()
        world.night()
        assert told(world, post)["raw"] == "A moderator's words"
        assert topics_read(world) == {f"/t/{title}.json"}
        world.site.log.clear()
        world.night()
        assert topics_read(world) == set()


@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize(("status", "signs"), [(404, True), (403, False), (504, True)])
def test_a_forum_that_refuses_the_report_of_edits_is_read_without_it(
    world_of: Serve, quiet: Switches, status: int, signs: bool
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.refused["/admin/reports/post_edits.json"] = status
        world.signs = signs
        world.night()
        history.reply(1, 1)
        world.night()
        assert str(history.posts[-1]) in world.held("posts")


@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize("whole_sweep", [rest_topics.WHOLE_SWEEP, 0])
def test_all_changes_to_what_was_written_of_late_are_seen_the_night_after(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch, whole_sweep: int
) -> None:
    monkeypatch.setattr(rest_topics, "WHOLE_SWEEP", whole_sweep)
    monkeypatch.setattr(rest_topics, "LIST_PAGE", 1)  # where not all is swept, few topics are named
    history = lived_in(quiet, timedelta(days=3))
    hidden, edited, untold = history.posts[1], history.posts[2], history.posts[4]
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        history.now = DAWN - timedelta(hours=1)
        history.forum.edit(edited, "The author thought again", history.later())
        history.forum.hide_post(hidden, history.later())
        history.forum.write("UPDATE topics SET visible = FALSE WHERE id = ?", history.topics[2])
        world.site.log.clear()
        world.night()
        assert told(world, edited)["raw"] == "The author thought again"
        assert told(world, hidden)["hidden"] is True
        assert topics_read(world) == {f"/t/{history.topics[0]}.json"}
        assert str(untold) in world.held("posts")


@pytest.mark.slow
def test_every_topic_has_its_turn_within_a_week(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        post = history.posts[0]
        changes(history, post)
        world.site.log.clear()
        world.nights(range(7))
        assert told(world, post)["raw"] == "Written anew, much later and longer"
        assert told(world, post)["hidden"] is True
        assert topics_read(world) == {f"/t/{topic}.json" for topic in history.topics}
        assert len([seen for seen in world.site.log if seen.path.startswith("/t/")]) == 3


@pytest.mark.slow
def test_of_many_topics_the_last_ones_have_turns(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_suspects, "TURN", 1)
    history = lived_in(quiet)
    for n in range(20):
        history.topic(n, n)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        world.site.log.clear()
        world.nights(range(7))
        assert topics_read(world) == {f"/t/{topic}.json" for topic in history.topics[-7:]}


@pytest.mark.usefixtures("no_turns")
@pytest.mark.slow
def test_what_describes_a_category_is_read_when_it_changed_and_once_a_week(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    forum, category = history.forum, history.open[0]
    about, post = forum.create_topic(
        history.admin, category, "About the General category", "What it is for", history.later()
    )
    forum.change("categories", category, topic_id=about, description="What it is for")
    page = f"/t/{about}.json"

    def reads() -> int:
        world.site.log.clear()
        world.night()
        return [seen.path for seen in world.site.log].count(page)

    with world_of(forum, way_in="rest", who_liked=False) as world:
        world.night()
        nights = []
        for day in range(7):
            world.clock.set(DAWN + timedelta(days=day))
            nights.append(reads())
        assert sum(nights) == 1
        world.clock.set(DAWN + timedelta(days=7 + nights.index(0)))
        forum.edit(post, "What it is really for", history.later())
        forum.change("categories", category, description="What it is really for")
        assert reads() == 1
        assert told(world, post)["raw"] == "What it is really for"
        assert reads() == 0
        forum.reply(about, history.people[0], "Thanks, that is clear now", history.later())
        assert reads() == 1
        assert world.held("topics")[str(about)]["posts_count"] == 2
