"""The forum by plain REST: all that lists and counts give away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline import load
from pipeline.errors import BadAnswer, SourceDown
from pipeline.sandbox.discourse import Forum, Limits, Switches
from pipeline.sources.discourse import (
    rest,
    rest_moderation,
    rest_newest_posts,
    rest_people,
    rest_suspects,
    rest_topics,
)
from pipeline.sources.discourse.rest_units import REST_UNITS
from tests.sources.discourse.history import LIKES, History, nights, play, truth
from tests.sources.discourse.world import DAWN, NAME, World

Serve = Callable[..., AbstractContextManager[World]]


def lived_in(switches: Switches) -> History:
    return History(Forum(switches), DAWN - timedelta(days=60))


def seen(world: World) -> dict[str, Any]:
    """What is held, of all that REST can see, one comparable value a stream. Whose a deleted post
    is after its author merged into another is not seen, and counts nowhere."""
    posts = {
        key: (
            post["topic_id"],
            post["post_number"],
            likes_of(post),
            bool(post.get("deleted_at")),
            None if post.get("deleted_at") else post["user_id"],
        )
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
        key: (
            post["topic_id"],
            post["post_number"],
            post["like_count"],
            post["deleted_us"] is not None,
            None if post["deleted_us"] is not None else post["user_id"],
        )
        for key, post in truth(world.forum, "posts").items()
    }
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


@pytest.mark.parametrize("examples", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_after_any_nights_all_that_can_be_seen_agrees(world_of: Serve, examples: int) -> None:
    @settings(max_examples=examples, derandomize=True, database=None)
    @given(nights=nights)
    def check(nights: list[list[tuple[Any, ...]]]) -> None:
        history = lived_in(Switches(limits=Limits.off()))
        with world_of(history.forum, way_in="rest") as world:
            for events in [[], *nights]:
                play(history, events)
                world.night()
                if any(name in {"merge", "delete_user"} for name, *_ in events):
                    world.night()  # that an account is gone is known to the other reads then
                assert seen(world) == true(world)

    check()


@pytest.mark.usefixtures("no_turns")
def test_what_a_merged_account_liked_and_wrote_is_the_others_from_the_night_after(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 2)
    for _ in range(rest_newest_posts.PAGE):  # the newest posts are read each night
        history.reply(1, 3)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        before = seen(world)
        history.merge(2)
        world.night()
        world.night()
        assert seen(world) == true(world)
        assert seen(world)["likes"] != before["likes"]
        assert seen(world)["posts"] != before["posts"]
        read_again = len(world.site.log)
        world.night()
        assert not [path for path in paths(world)[read_again:] if path.startswith("/t/")]


def test_likes_of_what_was_private_for_a_while_are_asked_for_again(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 2)
    forum, topic = history.forum, history.topics[1]
    with world_of(forum, way_in="rest") as world:
        world.night()
        before = seen(world)["likes"]
        for place in (history.closed, history.open[1]):
            forum.recategorise(topic, place, history.later())
            world.night()
            assert (seen(world)["likes"] == before) == (place != history.closed)


def test_a_last_like_taken_back_goes_though_the_read_that_saw_it_was_cut_short(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 0)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert len(world.held("likes")) == 1
        history.unlike(3, 0)
        world.night(who_liked=False)  # as far as a read got that was killed before it asked who
        assert len(world.held("likes")) == 1
        world.night()
        assert world.held("likes") == {}


def paths(world: World) -> list[str]:
    return [seen.path for seen in world.site.log]


@pytest.mark.usefixtures("no_turns")
def test_topics_are_read_only_where_their_lists_ask_for_it(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    for n in range(120):
        history.topic(n, n)
        history.reply(-1, n)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        assert seen(world)["posts"] == true(world)["posts"]
        with_whisper = f"/t/{history.topics[0]}.json"
        assert {path for path in paths(world) if path.startswith("/t/")} <= {with_whisper}
        world.site.log.clear()
        history.reply(4, 1)
        history.edit(11, 60)
        history.like(9, 1)
        world.night()
        assert seen(world)["posts"] == true(world)["posts"]
        read = {path for path in paths(world) if path.startswith("/t/")}
        rows = world.forum.read(
            "SELECT topic_id FROM posts WHERE id IN (?, ?)", history.posts[9], history.posts[11]
        )
        assert read == {f"/t/{row['topic_id']}.json" for row in rows}


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_topic_that_is_refused_stops_nothing_and_is_not_taken_for_deleted(
    world_of: Serve, quiet: Switches, status: int
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.delete(1)
        history.delete(3)
        refused = f"/t/{history.topics[0]}.json"
        world.refused[refused] = status
        world.night()
        assert world.gone("topics") == set()
        assert world.held("posts")[str(history.posts[3])]["deleted_at"]
        world.refused.clear()
        world.night()
        assert seen(world) == true(world)


def test_deleted_topics_are_told_from_destroyed_ones(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    history.topic(1, 1)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.delete_topic(1)
        history.destroy_topic(2)
        world.night()
        assert world.held("topics")[str(history.topics[1])]["deleted_at"]
        assert world.gone("topics") == {str(history.topics[2])}
        assert world.gone("posts") == {str(post) for post in history.posts[4:6]}
        history.recover_topic(1)
        world.night()
        assert seen(world) == true(world)


def test_the_description_of_a_category_that_was_private_for_a_while_comes_back(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    forum, (category, _) = history.forum, history.open
    about, post = forum.create_topic(
        history.admin, category, "About the General category", "What it is for", history.later()
    )
    forum.change("categories", category, topic_id=about)
    for n in range(60):  # more than an answer of /posts.json holds
        history.reply(1, n)
    with world_of(forum, way_in="rest") as world:
        world.night()
        assert {str(about)} <= world.held("topics").keys()
        for restricted in (True, False):
            forum.change("categories", category, read_restricted=restricted)
            world.night()
            assert (str(about) in world.held("topics")) is not restricted
            assert (str(post) in world.held("posts")) is not restricted
        assert seen(world) == true(world)


@pytest.mark.slow
@pytest.mark.parametrize(
    "old",
    [
        {"latest_posts_by_window": True},
        {"per_page": False, "tags_as_objects": False},
        {"page_overflow_redirects": False},
        {"mega_topic_posts": 20},
        {"mega_topic_posts": 20, "page_overflow_redirects": False},
        {"detailed_404": True},
        {"category_definitions_listed": True},
    ],
)
def test_old_and_odd_servers_give_the_same(world_of: Serve, old: dict[str, Any]) -> None:
    history = lived_in(Switches(limits=Limits.off(), **old))
    for n in range(70):
        history.topic(n, n)
        history.reply(0, n)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        for event in (("delete", 9), ("retitle", 0), ("reply", 0, 1), ("move", 11, 5)):
            play(history, [event])
        world.night()
        for stream in ("posts", "topics", "users"):
            assert seen(world)[stream] == true(world)[stream]


def test_a_move_that_leaves_all_counts_as_they_were_is_seen(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.move(3, 0)  # a small action takes the place of the post
        world.night()
        assert seen(world) == true(world)


def test_likes_that_never_add_up_are_asked_for_once(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    history.forum.write("UPDATE posts SET like_count = 7 WHERE id = ?", history.posts[3])
    history.forum.write("UPDATE topics SET like_count = 7 WHERE id = ?", history.topics[1])
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert paths(world).count("/post_action_users.json") == 1
        world.night()
        assert paths(world).count("/post_action_users.json") == 1


def test_a_post_moved_out_of_a_topic_that_turns_private_stays(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.like(3, 0)
    for n in range(60):  # so that the list of newest posts does not tell first
        history.reply(2, n)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.move(3, 0)
        history.forum.recategorise(history.topics[1], history.closed, history.later())
        world.night()
        assert seen(world) == true(world)
        assert world.gone("topics") == {str(history.topics[1])}
        assert str(history.posts[3]) not in world.gone("posts")


@pytest.mark.slow
def test_what_is_deleted_for_good_after_it_was_deleted_is_gone_within_nights(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_suspects, "TURN", 0)
    monkeypatch.setattr(rest_suspects, "DELETED_TURN", 1)
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.delete(1)
        history.delete_topic(1)
        world.night()
        assert world.gone("posts") == set()
        history.forum.destroy_post(history.posts[1])
        history.forum.destroy_topic(history.topics[1])
        world.nights((1, 2))
        assert world.gone("topics") == {str(history.topics[1])}
        assert world.gone("posts") == {str(post) for post in history.posts[1:4]}
        assert seen(world) == true(world)
        quiet_night = world.night()
        world.night()
        assert world.night() == quiet_night


@pytest.mark.usefixtures("no_turns")
def test_a_deleted_topic_of_a_category_that_turns_private_is_gone(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.delete_topic(1)
        world.night()
        category = world.held("topics")[str(history.topics[1])]["category_id"]
        history.forum.restrict_category(category, history.later(), [3])
        world.night()
        assert seen(world) == true(world)
        assert str(history.topics[1]) in world.gone("topics")


def test_an_answer_that_is_gone_is_no_solution_any_more(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    history.accept(1)
    with world_of(history.forum) as world:
        world.night()
        assert len(world.held("solutions")) == 1
        history.forum.destroy_topic(history.topics[0])
        world.night(way_in="rest")
        assert world.gone("solutions") == {str(history.posts[1])}


@pytest.mark.usefixtures("no_turns")
def test_private_messages_that_data_explorer_told_stay_as_they_are(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, private=("private_messages",)) as world:
        world.night()
        before = {stream: world.held(stream) for stream in ("topics", "posts")}
        messages = {key for key, topic in before["topics"].items() if not topic["category_id"]}
        assert messages
        world.night(way_in="rest")
        world.site.log.clear()
        world.night(way_in="rest")
        assert not {f"/t/{key}.json" for key in messages} & set(paths(world))
        for stream, held in before.items():
            assert world.held(stream).keys() == held.keys()
            assert not world.gone(stream)
        plans = world.source(way_in="rest").plan()
        assert "Private messages" in str([plan.blind_spots for plan in plans])
        findings = world.source(way_in="rest").probe()
        assert any("no private messages" in finding.text for finding in findings)
        history.forum.change(
            "topics", history.topics[1], archetype="private_message", category_id=None
        )
        world.night(way_in="rest")
        assert not world.gone("topics")
        assert world.held("topics")[str(history.topics[1])]["archetype"] == "private_message"
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert not {"private_message"} & {t["archetype"] for t in world.held("topics").values()}


@pytest.mark.slow
@pytest.mark.usefixtures("no_turns")
def test_a_large_forum_is_swept_in_slices(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_topics, "WHOLE_SWEEP", 0)
    monkeypatch.setattr(rest_topics, "LIST_PAGE", 5)
    monkeypatch.setattr(rest_people, "WHOLE_SWEEP", 0)
    history = lived_in(quiet)
    for n in range(40):
        history.topic(n, n)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        world.site.log.clear()
        play(history, [("like", 2, 1), ("delete_topic", 3), ("like", 60, 1), ("destroy_topic", 20)])
        world.nights(range(1, 8))
        asked = [path for path in paths(world) if path.startswith(("/t/", "/admin/users/"))]
        assert len(asked) < 30
        assert seen(world)["topics"] == true(world)["topics"]
        assert seen(world)["posts"] == true(world)["posts"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize("order", ["split", "imported", "tied"])
def test_topics_deleted_on_a_large_forum_are_found_whatever_the_order_of_their_ids(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(rest_topics, "WHOLE_SWEEP", 0)
    monkeypatch.setattr(rest_topics, "LIST_PAGE", 5)
    monkeypatch.setattr(rest, "MOST_MISSING", 5)
    history = lived_in(quiet)
    for n in range(60):
        history.topic(n, n)
    first = history.now
    for n, topic in enumerate(history.topics[:60]):
        ago = {"split": n if n % 10 else 500 + n, "imported": 17 * n % 60, "tied": n // 20}[order]
        history.forum.change("topics", topic, created_at=first - timedelta(hours=ago))
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        assert seen(world)["topics"] == true(world)["topics"]
        for n in (2, 23, 44, 58):
            history.delete_topic(n)
        world.site.log.clear()
        world.nights(range(1, 8))
        assert seen(world)["topics"] == true(world)["topics"]
        read = [path for path in paths(world) if path.startswith("/t/")]
        assert len(read) <= 12


def test_topics_that_no_page_of_a_list_has_shown_are_held_after_the_first_night(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_topics, "LIST_PAGE", 5)
    monkeypatch.setattr(rest, "MOST_MISSING", 2)
    history = lived_in(quiet)
    for n in range(60):
        history.topic(n, n)
    history.forum.write("UPDATE topics SET created_at = ?", history.now)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.night()
        assert seen(world)["topics"] == true(world)["topics"]


def test_accounts_made_at_one_time_are_all_held_after_the_first_night(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    for n in range(250):
        history.forum.add_user(f"person{n}", "", history.now)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert seen(world)["users"] == true(world)["users"]


def test_authors_without_an_account_are_asked_for(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_people, "MOST_AUTHORS", 2)
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        lost = history.people[1:4]  # as an older version's pages may have left them out
        world.db.execute(
            "DELETE FROM raw.records WHERE stream = 'users' AND key IN (SELECT unnest(?::VARCHAR[]))",
            [[str(person) for person in lost]],
        )
        history.forum.write("UPDATE users SET active = false WHERE id > 2")  # in no list
        for held in (2, 0):
            world.night()
            known = world.held("users").keys()
            assert len([person for person in lost if str(person) not in known]) <= held
        assert not [person for person in lost if str(person) not in world.held("users")]


def test_a_user_who_sees_less_takes_nothing_for_deleted(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    named = {"username": "admin", "private": ("Staff only",)}
    with world_of(history.forum, way_in="rest", **named) as world:
        world.night()
        streams = ("categories", "topics", "posts")
        before = {stream: world.held(stream) for stream in streams}
        assert len(before["categories"]) == len(history.open) + 1
        history.forum.write("UPDATE users SET admin = false, moderator = true WHERE id > 0")
        history.forum.write("DELETE FROM category_groups")
        world.night()
        assert {stream: world.held(stream) for stream in before} == before
        history.forum.write("UPDATE users SET admin = true WHERE username = 'admin'")
        history.destroy_topic(1)
        world.night()
        assert world.gone("topics") == {str(history.topics[1])}


@pytest.mark.parametrize(
    ("emptied", "units", "said"),
    [
        ("DELETE FROM categories", ("categories", "topics", "reports"), "names no category"),
        ("UPDATE users SET active = false WHERE id > 0", ("users",), "lists no account"),
    ],
)
def test_a_forum_that_seems_empty_is_not_believed(
    world_of: Serve, quiet: Switches, emptied: str, units: tuple[str, ...], said: str
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        bookmarks = world.bookmarks()
        history.forum.write(emptied)
        for unit in units:
            with pytest.raises(BadAnswer, match=said):
                assert all(not part.records for part in world.source().read(unit, bookmarks))


def test_of_many_that_no_list_names_others_are_asked_for_each_night(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "MOST_MISSING", 1)
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        left = history.people[:2]
        for person in left:
            history.forum.delete_user(person, history.later())
        world.refused = {f"/admin/users/{person}.json": 403 for person in left}
        world.night()
        assert world.gone("users") == set()
        del world.refused[f"/admin/users/{left[1]}.json"]
        world.nights((1, 2))
        assert world.gone("users") == {str(left[1])}


@pytest.mark.slow
def test_who_left_a_large_forum_is_found_within_a_week(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_people, "WHOLE_SWEEP", 0)
    history = lived_in(quiet)
    for n in range(250):
        history.forum.add_user(f"person{n}", "", history.later())
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        history.forum.delete_user(history.people[4] + 120, history.later())
        world.nights(range(1, 8))
        assert world.gone("users") == {str(history.people[4] + 120)}
        assert seen(world)["users"] == true(world)["users"]


def test_every_child_of_a_category_is_found_where_they_load_lazily(world_of: Serve) -> None:
    history = lived_in(Switches(limits=Limits.off(), lazy_categories=True))
    for n in range(23):
        history.forum.add_category(
            f"Child {n}",
            f"child-{n}",
            history.later(),
            parent_id=history.open[0],
            read_restricted=n == 2,
        )
    with world_of(history.forum, way_in="rest") as world:
        world.night()
        assert set(world.held("categories")) == set(truth(history.forum, "categories"))
        assert "Child 1" in world.words() and 'Child 2"' not in world.words()


def states(world: World) -> list[tuple[Any, ...]]:
    """All rows held, without their payloads: one post looks different in different answers."""
    return [row[:-1] for row in world.everything()]


def long_lists(history: History, apart_h: int = 0) -> None:
    """Lists that begin with the newest, each several pages long."""
    forum = history.forum
    for n in range(12):
        history.topic(n, n)
        forum.log("suspend", history.admin, history.later(), target_user_id=history.people[0])
        history.flag(-1, n + 1)
        history.rest(apart_h)


LONG = {"staff_actions": 12, "reports": 12, "report_scores": 12}


def test_a_list_whose_top_alone_was_read_is_read_to_its_end(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_moderation, "LOG_PAGE", 5)
    history = lived_in(quiet)
    long_lists(history, apart_h=24)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        source, bookmarks = world.source(), world.bookmarks()
        for unit in ("staff_actions", "reports"):
            world.landing.write(NAME, "run0", unit, next(source.read(unit, bookmarks)))
        load.load(world.db, world.landing)
        assert {stream: len(world.held(stream)) for stream in LONG} != LONG
        world.night()
        assert {stream: len(world.held(stream)) for stream in LONG} == LONG
        world.site.log.clear()
        world.night()
        review, log = "/review.json", "/admin/logs/staff_action_logs.json"
        lists = {review, log}
        planned_and_read = [review, log, review, review, log]  # of the reports all, and the pending
        assert [path for path in paths(world) if path in lists] == planned_and_read


@pytest.mark.parametrize("ahead_h", [-5, 5])
def test_a_read_cut_short_hides_nothing_where_clocks_differ(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch, ahead_h: int
) -> None:
    monkeypatch.setattr(rest_moderation, "LOG_PAGE", 5)
    history = lived_in(quiet)
    history.now = DAWN
    long_lists(history)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.ahead = timedelta(hours=ahead_h)
        world.clock.set(history.now)
        world.night()
        history.later(1)
        long_lists(history)
        world.clock.set(history.now)
        source, bookmarks = world.source(), world.bookmarks()
        for unit in ("staff_actions", "reports"):
            world.landing.write(NAME, "cut", unit, next(source.read(unit, bookmarks)))
        load.load(world.db, world.landing)
        history.later(24 * 60)
        world.clock.set(history.now)
        world.night()
        assert {s: len(world.held(s)) for s in LONG} == {s: 2 * n for s, n in LONG.items()}


def test_reports_made_after_the_forums_clock_was_set_back_are_read(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    history.now = DAWN
    long_lists(history)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.clock.set(history.now)
        world.night()
        history.now = DAWN - timedelta(hours=3)
        text = "Written by the clock set right"
        post = history.forum.reply(history.topics[0], history.people[0], text, history.later())
        flagged = history.forum.flag(post, history.people[1], "spam", history.later())
        history.forum.review(flagged, "approved", history.admin, history.later())
        world.night()
        assert str(flagged) in world.held("reports")


def test_an_old_report_that_a_new_flag_opens_again_is_open(
    world_of: Serve, quiet: Switches
) -> None:
    history = lived_in(quiet)
    forum, ann, ben = history.forum, *history.people[:2]
    old = forum.flag(history.posts[2], ann, "spam", history.later())
    forum.review(old, "ignored", history.admin, history.later())
    long_lists(history)
    with world_of(forum, way_in="rest", who_liked=False) as world:
        world.night()
        assert world.held("reports")[str(old)]["status"] == 3
        forum.flag(history.posts[2], ben, "spam", history.later())
        world.night()
        assert world.held("reports")[str(old)]["status"] == 0
        scores = [s["status"] for s in world.held("report_scores").values()]
        assert len(scores) == 14 and scores.count(0) == 1
        forum.review(old, "approved", history.admin, history.later())
        world.night()
        assert world.held("reports")[str(old)]["status"] == 1


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    world_of: Serve, quiet: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_moderation, "LOG_PAGE", 5)
    history = lived_in(quiet)
    long_lists(history)
    history.like(3, 0)
    with world_of(history.forum, way_in="rest") as whole:
        parts = len(whole.parts())
        whole.night()
    assert parts >= 14
    for killed_after in range(parts):
        with world_of(history.forum, way_in="rest") as world:
            world.night(stop_after=killed_after)
            world.night()
            assert states(world) == states(whole), killed_after


def test_what_is_not_available_says_why(world_of: Serve, quiet: Switches) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest") as world:
        world.refused["/admin/reports/visits.json"] = 404
        plans = {plan.stream: plan for plan in world.source().plan()}
        assert "/admin/reports/visits.json is refused (404)" in str(plans["visits"].unavailable)
        assert "HTML comparison" in str(plans["revisions"].unavailable)
        assert plans["topics"].blind_spots
        assert world.source().estimate(world.bookmarks()).requests > 10


@pytest.mark.parametrize("unit", ["chat", "reports", "staff_actions", "visits"])
def test_a_path_that_is_sick_costs_its_own_streams_and_little_time(
    world_of: Serve, quiet: Switches, unit: str
) -> None:
    history = lived_in(quiet)
    with world_of(history.forum, way_in="rest", who_liked=False) as world:
        world.refused[REST_UNITS[unit].probe] = 500
        began = world.time.now()
        plans = {plan.stream: plan.unavailable for plan in world.source().plan()}
        assert world.time.now() - began < 60
        assert "the server answered 500" in str(plans[unit])
        read = REST_UNITS.keys() - {unit}
        assert [stream for stream in sorted(read) if plans[stream]] == []


def test_a_forum_that_is_down_is_no_forum_without_plugins(world_of: Serve, quiet: Switches) -> None:
    with world_of(lived_in(quiet).forum, way_in="rest") as world:
        world.refused = {"/site.json": 502}
        with pytest.raises(SourceDown):
            world.source().plan()


def test_what_a_unit_costs_is_known_without_asking_for_data_explorer(
    world_of: Serve, quiet: Switches
) -> None:
    with world_of(lived_in(replace(quiet, explorer=False)).forum) as world:
        source = world.source()
        costs = {unit: source.estimate(world.bookmarks(), unit).requests for unit in REST_UNITS}
        assert {unit for unit, requests in costs.items() if requests} == {"users", "topics", "chat"}
        assert source.usage.requests == 3
