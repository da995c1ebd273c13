"""By REST, things that change their place: while they are read, or after they were reported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from pipeline.sandbox.discourse import Switches, topic_pages
from pipeline.sources.discourse import rest_moderation
from tests.sources.discourse.history import History
from tests.sources.discourse.test_rest import lived_in, seen, true
from tests.sources.discourse.world import World

Serve = Callable[..., AbstractContextManager[World]]
SECRET = "A word among few: axolotl"  # noqa: S105 - no password


def as_message(history: History, topic: int) -> None:
    history.forum.write(
        "UPDATE topics SET archetype = 'private_message', category_id = NULL WHERE id = ?", topic
    )


def as_staffs(history: History, topic: int) -> None:
    history.forum.write("UPDATE topics SET category_id = ? WHERE id = ?", history.closed, topic)


@pytest.mark.parametrize("hide", [as_message, as_staffs])
@pytest.mark.parametrize("at_page", [1, 2])
def test_a_topic_that_becomes_private_while_it_is_read_is_gone(
    world_of: Serve,
    quiet: Switches,
    monkeypatch: pytest.MonkeyPatch,
    hide: Callable[[History, int], None],
    at_page: int,
) -> None:
    monkeypatch.setattr(topic_pages, "_PRINT_CHUNK", 3)
    history = lived_in(quiet)
    topic = history.topics[0]
    for n in range(4):
        history.reply(0, n)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        history.delete(6)  # now the topic is read by itself
        for n in range(2):
            history.reply(0, n)
        reads: list[str] = []

        def happens(path: str) -> None:
            if path == f"/t/{topic}.json":
                reads.append(path)
                if len(reads) == at_page:
                    hide(history, topic)
                    history.forum.reply(topic, history.people[0], SECRET, history.later())

        world.happens = happens
        world.night()
        assert len(reads) == at_page
        assert str(topic) in world.gone("topics")
        assert [p for p in world.held("posts").values() if p["topic_id"] == topic] == []
        world.night()
        assert SECRET not in world.words()
        assert seen(world) == true(world)


def test_a_report_goes_where_its_topic_goes(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    forum, (first, second, _) = history.forum, history.topics
    (message,) = forum.read("SELECT id FROM topics WHERE archetype = 'private_message'")
    (said,) = forum.read("SELECT id FROM posts WHERE topic_id = ? LIMIT 1", message["id"])
    flags = {
        topic: str(forum.flag(post, history.people[4], "spam", history.later()))
        for topic, post in (
            (first, history.posts[0]),
            (second, history.posts[2]),
            (message["id"], said["id"]),
        )
    }
    with world_of(forum, way_in="rest") as world:
        world.night()
        assert set(world.held("reports")) == {flags[first], flags[second]}
        as_message(history, first)
        as_staffs(history, second)
        forum.write(
            "UPDATE topics SET archetype = 'regular', category_id = ? WHERE id = ?",
            history.open[0],
            message["id"],
        )
        world.night()
        assert set(world.held("reports")) == {flags[message["id"]]}
        assert world.gone("reports") == {flags[first], flags[second]}
        assert len(world.held("report_scores")) == 1


@pytest.mark.parametrize("beside", [True, False])  # whether topics come with reports
def test_a_report_of_what_is_a_message_now_was_never_public(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    """On the first night nothing else is known of its topic than its own old category."""
    history = lived_in(quiet)
    forum, topic = history.forum, history.topics[0]
    forum.flag(history.posts[0], history.people[4], "spam", history.later())
    as_message(history, topic)
    if not beside:
        monkeypatch.setattr(rest_moderation, "MESSAGE", "none")
    with world_of(forum, way_in="rest") as world:
        world.night()
        assert world.held("reports") == world.held("report_scores") == {}
