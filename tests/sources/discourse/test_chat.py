"""The forum's chat, by both ways in: the same messages, threads and people, and no direct ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline import build
from pipeline.contracts import contracts
from pipeline.person import Person, Standing, clear
from pipeline.sandbox.discourse import Forum, Limits, Switches
from pipeline.sources.discourse import rest_chat
from tests.conftest import make_community
from tests.sources.discourse.history import History
from tests.sources.discourse.world import DAWN, World

Serve = Callable[..., AbstractContextManager[World]]
both_ways = pytest.mark.parametrize("way", ["data_explorer", "rest"])
A_WEEK = [DAWN + timedelta(days=day) for day in range(1, 8)]


class Talk(History):
    """A forum with a flat channel, one with threads, and two that are not for all."""

    def __init__(self) -> None:
        super().__init__(Forum(Switches(limits=Limits.off())), DAWN - timedelta(days=60))
        f, (general, support), (ann, ben, cem, *_) = self.forum, self.open, self.people
        self.flat = f.chat_channel("lounge", general, self.later())
        self.threaded = f.chat_channel(None, support, self.later(), threads=True)
        self.staff = f.chat_channel("staff", self.closed, self.later())
        f.chat(self.staff, self.admin, "axolotl", self.later())
        f.chat(f.chat_direct([ann, ben], self.later()), ann, "kakapo", self.later())
        self.hi = f.chat(self.flat, ann, "hi @ben", self.later())
        self.back = f.chat(self.flat, ben, "hello", self.later(), reply_to=self.hi)
        self.first = f.chat(self.threaded, cem, "who has a level?", self.later())
        self.reply = f.chat(self.threaded, ann, "I do", self.later(), reply_to=self.first)
        f.chat_react(self.reply, cem, "+1:t3", self.later())


@pytest.fixture
def talk() -> Talk:
    return Talk()


def typed(world: World, columns: str, table: str = "messages") -> set[tuple[Any, ...]]:
    """Rows of the chat in a table of staging, made of all that is held."""
    community = make_community(world.folder, forum=world.url)
    build.set_scene(world.db, community, datetime(2026, 6, 1, tzinfo=UTC))
    world.db.execute("SET VARIABLE since_load = 0")
    build.make(world.db, contracts()[f"staging.{table}"])
    found = world.db.execute(f"SELECT {columns} FROM staging.{table} WHERE record LIKE 'chat_%'")
    return set(found.fetchall())


def named(*ids: int) -> tuple[str, ...]:
    return tuple(f"chat:{one}" for one in ids)


@both_ways
def test_public_channels_their_threads_and_addresses_arrive(
    world_of: Serve, talk: Talk, way: str
) -> None:
    flat, threaded = named(talk.flat, talk.threaded)
    hi, back, first, reply = named(talk.hi, talk.back, talk.first, talk.reply)
    ann, ben, cem = map(str, talk.people[:3])
    with world_of(talk.forum, way_in=way) as world:
        world.night()
        assert typed(world, "channel_id, name, kind, is_private, gone_at", "channels") == {
            (flat, "lounge", "room", False, None),
            (threaded, "Support", "room", False, None),
        }
        assert typed(world, "thread_id, channel_id, account_id", "threads") == {
            (hi, flat, ann),
            (back, flat, ben),
            (first, threaded, cem),
        }
        told = typed(
            world,
            "message_id, thread_id, account_id, body, mentioned_accounts::VARCHAR,"
            " quoted_messages::VARCHAR, url",
        )
        place, room = (f"{world.url}/chat/c/-/{id_}" for id_ in (talk.flat, talk.threaded))
        assert told == {
            (hi, hi, ann, "hi @ben", f"[{ben}]", "[]", f"{place}/{talk.hi}"),
            (back, back, ben, "hello", "[]", f"['{hi}']", f"{place}/{talk.back}"),
            (first, first, cem, "who has a level?", "[]", "[]", f"{room}/{talk.first}"),
            (reply, first, ann, "I do", "[]", f"['{first}']", f"{room}/t/2/{talk.reply}"),
        }
        assert not {"axolotl", "kakapo"} & set(world.words().split('"'))


@both_ways
def test_what_becomes_of_a_message_is_seen(world_of: Serve, talk: Talk, way: str) -> None:
    forum = talk.forum
    with world_of(forum, way_in=way) as world:
        world.night()
        forum.chat_edit(talk.hi, "hi all", talk.later())
        forum.chat_delete(talk.back, talk.admin, talk.later())
        late = forum.chat(talk.threaded, talk.people[1], "me too", talk.later(), talk.first)
        alone = forum.chat(talk.flat, talk.people[0], "anyone?", talk.later())
        world.night()
        told = {
            m: (t, b, d)
            for m, t, b, d in typed(world, "message_id, thread_id, body, deleted_at IS NULL")
        }
        hi, back, first, reply, late_, alone_ = named(
            talk.hi, talk.back, talk.first, talk.reply, late, alone
        )
        assert told == {
            hi: (hi, "hi all", True),
            back: (back, "hello", False),
            first: (first, "who has a level?", True),
            reply: (first, "I do", True),
            late_: (first, "me too", True),
            alone_: (alone_, "anyone?", True),
        }
        forum.chat_restore(talk.back)
        world.night()
        assert (back, True) in typed(world, "message_id, deleted_at IS NULL")
        world.night()
        assert [part for part in world.parts() if part.records] == []


@both_ways
def test_what_expires_still_counts_without_its_words(world_of: Serve, talk: Talk, way: str) -> None:
    forum, dora = talk.forum, talk.people[3]
    spam = forum.chat(talk.flat, dora, "buy this", talk.later())
    with world_of(forum, way_in=way) as world:
        world.night()
        before = typed(world, "message_id, thread_id, created_at, quoted_messages::VARCHAR")
        liked = typed(world, "message_id, account_id, emoji", "reactions")
        forum.delete_user(dora, talk.later(), with_chat=True)
        forum.chat_expire(talk.later())
        for night in A_WEEK:
            world.clock.set(night)
            world.night()
        assert typed(world, "message_id, thread_id, created_at, quoted_messages::VARCHAR") == before
        assert typed(world, "message_id, account_id, emoji", "reactions") == liked
        told = typed(world, "message_id, gone_at IS NOT NULL, body, characters")
        if way == "data_explorer":
            assert (*named(spam), True, None, 8) in told
            assert (*named(talk.reply), False, None, 4) in told
            assert liked == {(*named(talk.reply), str(talk.people[2]), ":+1:")}
        else:  # what is not there any more is not looked for
            assert (*named(talk.reply), False, "I do", 4) in told


@pytest.mark.slow
def test_by_rest_what_was_destroyed_with_its_authors_account_goes_within_a_week(
    world_of: Serve, talk: Talk
) -> None:
    forum, dora = talk.forum, talk.people[3]
    talk.now = DAWN
    first = forum.chat(talk.threaded, talk.people[2], "sure?", talk.later())
    forum.chat(talk.flat, talk.people[0], "hello all", talk.later())
    spam = [
        forum.chat(talk.flat, dora, "buy this", talk.later()),
        forum.chat(talk.threaded, dora, "buy that", talk.later(), reply_to=first),
    ]
    stays = forum.chat(talk.threaded, talk.people[0], "I am", talk.later(), reply_to=first)
    with world_of(forum, way_in="rest") as world:
        world.night()
        before = typed(world, "message_id, thread_id")
        forum.delete_user(dora, talk.later(), with_chat=True)
        forum.chat_expire(talk.now - timedelta(days=30))  # all that was said before
        for night in A_WEEK:
            world.clock.set(night)
            world.night()
        assert typed(world, "message_id, thread_id") == before
        gone = typed(world, "message_id, gone_at IS NOT NULL")
        assert {name for name, is_gone in gone if is_gone} == {*named(*spam)}
        assert (*named(stays), False) in gone


@pytest.mark.slow
def test_by_rest_a_channels_oldest_message_was_destroyed_where_older_ones_stand_elsewhere(
    world_of: Serve, talk: Talk
) -> None:
    forum, ann, dora = talk.forum, talk.people[0], talk.people[3]
    late, later = (
        forum.chat_channel(name, talk.open[0], talk.later()) for name in ("new", "newer")
    )
    talk.now = DAWN - timedelta(days=10)
    spam = forum.chat(late, dora, "buy this", talk.later())
    lone = forum.chat(later, dora, "buy that", DAWN - timedelta(days=59))  # it may have expired
    for channel in (late, later):
        forum.chat(channel, ann, "first!", talk.later())
    with world_of(forum, way_in="rest") as world:
        world.night()
        forum.delete_user(dora, talk.later(), with_chat=True)
        for night in A_WEEK:
            world.clock.set(night)
            world.night()
        gone = typed(world, "message_id, gone_at IS NOT NULL")
        assert {name for name, is_gone in gone if is_gone} == {*named(spam)}
        assert (*named(lone), False) in gone


@pytest.mark.slow
def test_by_rest_what_became_of_a_reply_of_late_shows_within_a_week(
    world_of: Serve, talk: Talk
) -> None:
    talk.now = DAWN
    ann, first = talk.people[0], talk.forum.chat(talk.threaded, talk.people[2], "sure?", DAWN)
    late = talk.forum.chat(talk.threaded, ann, "I am", talk.later(), reply_to=first)
    with world_of(talk.forum, way_in="rest") as world:
        world.night()
        for reply in (late, talk.reply):
            talk.forum.chat_edit(reply, "not at all", talk.later())
        for night in A_WEEK:
            world.clock.set(night)
            world.night()
        told = {name for name, body in typed(world, "message_id, body") if body == "not at all"}
        assert told == {*named(late)}  # the other's thread was last answered months ago


@both_ways
def test_a_message_of_a_deleted_account_stands(world_of: Serve, talk: Talk, way: str) -> None:
    with world_of(talk.forum, way_in=way) as world:
        world.night()
        talk.forum.delete_user(talk.people[2], talk.later())
        for _ in range(2):
            world.night()
        assert (f"chat:{talk.first}", None, None) in typed(world, "message_id, deleted_at, gone_at")
        assert [part for part in world.parts() if part.records] == []


@both_ways
def test_a_channel_that_is_closed_or_deleted_is_so(world_of: Serve, talk: Talk, way: str) -> None:
    forum = talk.forum
    with world_of(forum, way_in=way) as world:
        world.night()
        forum.restrict_category(talk.open[0], talk.later(), [])
        forum.chat_trash_channel(talk.threaded, talk.admin, talk.later())
        world.night()
        told = {
            c: (p, g)
            for c, p, g in typed(world, "channel_id, is_private, gone_at IS NOT NULL", "channels")
        }
        flat, threaded = named(talk.flat, talk.threaded)
        assert told[flat] == (True, True)
        assert told[threaded] == (way == "rest", True)  # where one is gone, why is not told


@both_ways
def test_a_channel_that_was_private_for_a_while_comes_back_with_what_still_stands(
    world_of: Serve, talk: Talk, way: str
) -> None:
    forum, (general, _), dora = talk.forum, talk.open, talk.people[3]
    spam = forum.chat(talk.flat, dora, "buy this", talk.later())
    with world_of(forum, way_in=way) as world:
        world.night()
        before = typed(world, "message_id, gone_at, body")
        forum.restrict_category(general, talk.later(), [])
        forum.chat_channel("as many as before", talk.open[1], talk.later())
        for day in range(1, 4):
            world.clock.set(DAWN + timedelta(days=day))
            if day == 2:
                forum.delete_user(dora, talk.later(), with_chat=True)
                forum.chat(talk.threaded, talk.people[0], "elsewhere", talk.later())
            world.night()
        assert (*named(talk.flat), True) in typed(world, "channel_id, is_private", "channels")
        assert [part for part in world.parts() if part.records] == []
        forum.change("categories", general, read_restricted=False)
        world.clock.set(DAWN + timedelta(days=4))
        world.night()
        assert (*named(talk.flat), False) in typed(world, "channel_id, is_private", "channels")
        told = typed(world, "message_id, gone_at, body")
        assert told >= before - {(*named(spam), None, "buy this")}
        if way == "data_explorer":  # by REST nobody tells that messages were destroyed
            assert {gone for name, gone, _ in told if (name,) == (*named(spam),)} != {None}


@both_ways
def test_threads_are_switched_off_and_on_again(world_of: Serve, talk: Talk, way: str) -> None:
    forum = talk.forum
    hi, back, first, reply = named(talk.hi, talk.back, talk.first, talk.reply)
    threads = {
        False: {(hi, hi), (back, back), (first, first), (reply, reply)},
        True: {(hi, hi), (back, hi), (first, first), (reply, first)},
    }
    with world_of(forum, way_in=way) as world:
        world.night()
        for on in (False, True):
            for channel in (talk.flat, talk.threaded):
                forum.change("chat_channels", channel, threading_enabled=on)
            world.night()
            assert typed(world, "message_id, thread_id") == threads[on]
            assert typed(world, "gone_at") == {(None,)}
        assert [part for part in world.parts() if part.records] == []


@both_ways
def test_a_named_category_brings_its_channels_as_private(
    world_of: Serve, talk: Talk, way: str
) -> None:
    with world_of(talk.forum, way_in=way, private=("Staff only",)) as world:
        world.night()
        assert (f"chat:{talk.staff}", True) in typed(world, "channel_id, is_private", "channels")
        assert "axolotl" in world.words() and "kakapo" not in world.words()


def test_a_reaction_taken_back_and_given_again_is_one(world_of: Serve, talk: Talk) -> None:
    forum, cem = talk.forum, talk.people[2]
    with world_of(forum) as world:
        world.night()
        forum.chat_unreact(talk.reply, cem, "+1:t3")
        world.night()
        world.clock.set(DAWN + timedelta(days=1))
        assert typed(world, "message_id", "reactions") == set()
        forum.chat_react(talk.reply, cem, "thumbsup", talk.later())
        world.night()
        assert typed(world, "message_id, emoji", "reactions") == {(*named(talk.reply), ":+1:")}


@pytest.mark.slow
def test_a_long_channel_is_read_from_the_newest_down_and_whole_once_a_week(
    world_of: Serve, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_chat, "PAGE", 10)
    forum, ann = talk.forum, talk.people[0]
    said = [forum.chat(talk.flat, ann, f"line {n}", talk.later(1)) for n in range(55)]
    replies = [
        forum.chat(talk.threaded, ann, f"re {n}", talk.later(1), talk.first) for n in range(25)
    ]

    def asked() -> int:
        return len([seen for seen in world.site.log if "/messages" in seen.path])

    with world_of(forum, way_in="rest", who_liked=False) as world:
        world.night(stop_after=4)
        world.night()
        told = typed(world, "message_id")
        assert told >= {(name,) for name in named(*said, *replies)}
        world.site.log.clear()
        forum.chat_edit(said[0], "the first line", talk.later())
        world.night()
        assert asked() <= 2
        for night in A_WEEK:
            world.clock.set(night)
            world.night()
        assert ("the first line",) in typed(world, "body")
        assert asked() < 40


@both_ways
def test_a_person_leaves_and_the_places_of_their_messages_stay(
    world_of: Serve, talk: Talk, way: str
) -> None:
    """Ann speaks and is quoted, Ben is spoken to."""
    ann, ben = (
        Person("forum", str(id_), frozenset({name}), frozenset({name.title()}))
        for id_, name in zip(talk.people, ("ann", "ben"), strict=False)
    )
    standing = Standing(frozenset({"chat_channels"}), frozenset({"chat_messages"}))
    with world_of(talk.forum, way_in=way) as world:
        world.night()
        told = world.held("chat_messages")

        def left(key: int, person: Person) -> Any:
            return clear("chat_messages", str(key), told[str(key)], person, standing)

        spoken = left(talk.hi, ann)
        assert (spoken["message"], spoken["chat_channel_id"]) == ("", talk.flat)
        assert not spoken.get("user_id") and not spoken.get("user")
        heard = left(talk.hi, ben)
        assert (heard["message"], heard["mentioned_user_ids"]) == ("hi @erased", [])
        assert left(talk.first, ann) == told[str(talk.first)]
        cem = Person("forum", str(talk.people[2]), frozenset({"cem"}))
        for key, given in world.held("chat_message_reactions").items():
            assert clear("chat_message_reactions", key, given, cem, standing) is None


@both_ways
def test_words_that_are_let_go_leave_their_length(world_of: Serve, talk: Talk, way: str) -> None:
    with world_of(talk.forum, way_in=way) as world:
        world.night()
        columns = "message_id, thread_id, account_id, characters, url, quoted_messages::VARCHAR"
        before = typed(world, columns)
        world.db.execute("UPDATE raw.records SET payload = without_text(stream, payload)")
        assert typed(world, columns) == before
        assert typed(world, "body") == {(None,)}


def test_threads_count_in_what_a_read_by_rest_will_cost(world_of: Serve, talk: Talk) -> None:
    forum, (ann, ben, *_) = talk.forum, talk.people
    for n in range(40):
        first = forum.chat(talk.threaded, ann, f"question {n}?", talk.later())
        forum.chat(talk.threaded, ben, "yes", talk.later(), reply_to=first)

    def told(threads: bool) -> int:
        for channel in (talk.flat, talk.threaded):
            forum.change("chat_channels", channel, threading_enabled=threads)
        return int(world.source().estimate(world.bookmarks(), "chat").requests)

    with world_of(forum, way_in="rest") as world:
        flat, threaded = told(False), told(True)
        assert flat < 10 <= threaded < 40
        world.night()
        assert told(True) < 10


def test_a_forum_without_chat_says_so(world_of: Serve, talk: Talk) -> None:
    talk.forum.switches.chat = False
    with world_of(talk.forum, way_in="rest") as world:
        plans = {plan.stream: plan for plan in world.source().plan()}
        assert "/chat/api/channels.json is refused (404)" in str(plans["chat"].unavailable)
        assert plans["chat"].blind_spots


def test_an_old_chat_plugin_knows_no_threads_and_no_mentions(world_of: Serve, talk: Talk) -> None:
    talk.forum.write("DROP TABLE chat_mentions")
    talk.forum.write("ALTER TABLE chat_channels DROP COLUMN threading_enabled")
    talk.forum.write("ALTER TABLE chat_threads DROP COLUMN force")
    with world_of(talk.forum) as world:
        world.night()
        reply = f"chat:{talk.reply}"
        told = typed(world, "message_id, thread_id, mentioned_accounts")
        assert (reply, reply, None) in told
