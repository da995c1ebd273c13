"""The first fill of large rooms: ties, kills, limits, and what it costs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.sandbox.rocketchat import Workspace
from pipeline.sandbox.rocketchat.app import ROUTES
from pipeline.sources.http import TooLarge
from pipeline.sources.rocketchat import messages
from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def small_pages(monkeypatch):
    """Rooms above 5 messages are large, and are read by 4."""
    for name, value in {"WHOLE_ROOM": 5, "PAGE": 4, "LIST_PAGE": 7}.items():
        monkeypatch.setattr(messages, name, value)


@pytest.fixture
def large(world, small_pages):
    """#general has 30 messages, one an hour; #help has one."""
    for n in range(30):
        world.workspace.post("general", "ann", f"line {n}", START + n * MINUTE, id=f"m{n}")
    world.workspace.post("help", "ben", "hello", START, id="h0")
    world.clock.set(START + 40 * MINUTE)
    return world


def sync_calls(calls, rid="general"):
    return [c.values for c in calls if c.values.get("roomId") == rid]


def test_a_large_room_is_walked_by_pages_and_then_asked_what_changed_meanwhile(large):
    calls = sync_calls(large.night())
    assert [("next" in c, c.get("count")) for c in calls] == [(True, "4")] * 10 + [(False, None)]
    assert large.store.live("messages") == large.truth()


def test_a_page_within_one_millisecond_loses_nothing(large):
    large.workspace.rename_user("ann", "anna", START + 35 * MINUTE)
    for message in large.workspace.by_room["general"].values():
        message["_updatedAt"] = START + 35 * MINUTE
    large.workspace.post("general", "ben", "later", START + 36 * MINUTE)
    calls = sync_calls(large.night())
    assert [int(c["count"]) for c in calls if "count" in c] == [4, 4, 8, 16, 32]
    assert large.store.live("messages") == large.truth()


@pytest.mark.parametrize("parts", range(13))
def test_killed_after_any_part_it_goes_on_and_ends_complete(large, parts):
    chat, pause = large.workspace, (timedelta(0), DAY, 40 * DAY)[parts % 3]
    reading = large.source().read("messages", large.store.bookmarks())
    for _, part in zip(range(parts), reading, strict=False):
        large.store.load(part)
    reading.close()
    later = large.clock.now() + pause
    for mid in ("m1", "m12", "m28"):
        chat.delete(mid, "ann", later + MINUTE)
    chat.edit("m2", "mended", later + MINUTE)
    chat.prune("general", START + 5 * MINUTE, later + 2 * MINUTE)
    calls = large.night(later + 60 * MINUTE)
    assert large.store.live("messages") == large.truth()
    done = max(0, parts - 3)  # parts of the rooms, of #help, and the page where it goes on
    if pause < 40 * DAY and done < 9:
        assert len(sync_calls(calls)) <= 11 - done


def test_a_large_room_is_listed_every_week(large):
    large.night()
    large.workspace.expire("m7")
    large.workspace.hide("m8", START + 50 * MINUTE)
    large.night(START + 8 * DAY)
    assert large.store.live("messages") == large.truth()
    assert large.store.gone("messages") == {"m7", "m8"}


def test_what_changes_between_the_news_and_the_list_is_seen_the_next_night(large, monkeypatch):
    large.night()
    chat, route = large.workspace, ROUTES["GET"]["chat.syncMessages"]

    def slowly(call):
        if "next" in call.values and chat.messages["m3"]["msg"] == "line 3":
            later = START + 8 * DAY + 10 * MINUTE
            chat.edit("m3", "mended", later)
            chat.react("m4", "ben", ":+1:", later)
            large.clock.set(later + 10 * MINUTE)
            chat.post("general", "ben", "meanwhile", later + 10 * MINUTE)
        return route.handler(call)

    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", replace(route, handler=slowly))
    large.night(START + 8 * DAY)
    assert chat.messages["m3"]["msg"] == "mended"
    large.night(START + 9 * DAY)
    assert large.store.live("messages") == large.truth()


@pytest.fixture
def flooded(large):
    """Read once; then 100 long messages came, more than one answer may hold."""
    large.night()
    for n in range(100):
        text = "long " * 50
        large.workspace.post("general", "ben", text, START + (60 + n) * MINUTE, id=f"n{n}")
    large.workspace.delete("m3", "ann", START + 61 * MINUTE)
    large.clock.set(START + 200 * MINUTE)
    large.max_body = 20_000
    return large


@pytest.mark.parametrize("parts", range(1, 16, 2))
def test_what_is_too_much_for_one_answer_is_caught_up_by_pages(flooded, parts):
    """Also where it is cut short after any part, and messages are deleted before it goes on."""
    reading = flooded.source().read("messages", flooded.store.bookmarks())
    for _, part in zip(range(parts), reading, strict=False):
        flooded.store.load(part)
    reading.close()
    flooded.workspace.delete("n2", "ben", START + 201 * MINUTE)
    flooded.workspace.delete("n90", "ben", START + 201 * MINUTE)
    assert any("next" in call for call in sync_calls(flooded.night(START + 202 * MINUTE)))
    assert flooded.store.live("messages") == flooded.truth()


def test_a_deletion_while_catching_up_is_not_hidden_by_a_newer_message(flooded):
    reading = flooded.source().read("messages", flooded.store.bookmarks())
    for part in reading:
        flooded.store.load(part)
        if any(span.keys for span in part.spans):  # the list has been made, the walk begins
            flooded.workspace.delete("m9", "ann", START + 201 * MINUTE)
            flooded.workspace.post("general", "ben", "news", START + 220 * MINUTE, id="news")
            flooded.clock.set(START + 220 * MINUTE)
        if not flooded.workspace.messages.get("m9") and "n99" in flooded.store.live("messages"):
            break
    reading.close()
    flooded.max_body = 2**26
    flooded.night(START + 221 * MINUTE)
    assert flooded.store.live("messages") == flooded.truth()


@pytest.mark.parametrize("parts", range(3, 24, 4))
def test_a_first_fill_after_which_too_much_changed_for_one_answer(large, parts):
    """It was cut short; then all messages changed, the last ones while it is caught up."""
    reading = large.source().read("messages", large.store.bookmarks())
    for _, part in zip(range(5), reading, strict=False):
        large.store.load(part)
    reading.close()
    chat, later = large.workspace, START + DAY
    chat.rename_user("ann", "anna", later)
    chat.delete("m3", "ann", later)
    for n, message in enumerate(chat.by_room["general"].values()):
        message["_updatedAt"] = later + timedelta(seconds=n)
    large.max_body = 5_000
    for night in range(2):
        large.clock.set(later + 2 * MINUTE + night * DAY)
        reading = large.source().read("messages", large.store.bookmarks())
        for number, part in enumerate(reading):
            if number == parts and not night:
                chat.delete("m5", "ann", large.clock.now())
                break
            large.store.load(part)
        reading.close()
    assert large.store.live("messages") == large.truth()
    assert len(large.store.bookmarks()["messages"].covered("general")) == 1


def test_pages_that_are_too_large_are_asked_for_smaller(flooded):
    flooded.max_body = 3_000
    calls = sync_calls(flooded.night())
    assert flooded.store.live("messages") == flooded.truth()
    assert {"7", "3"} <= {call.get("count") for call in calls}


def test_a_room_whose_messages_are_too_large_keeps_no_other_from_its_turn(large):
    for n in range(40):
        large.workspace.post("help", "ben", f"line {n}", START + n * MINUTE)
    large.workspace.post("general", "ann", "long " * 2_000, START + 35 * MINUTE)
    large.max_body = 9_000
    with pytest.raises(TooLarge, match="answers of these rooms are too large .*: general; all"):
        large.night()
    assert large.store.live("messages").keys() >= large.truth("help").keys()
    assert large.store.live("room_reads").keys() == {"help"}


def test_under_the_default_limit_it_waits_and_ends_complete(large):
    large.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    calls = large.night()
    assert large.store.live("messages") == large.truth()
    assert {call.status for call in calls} == {200}
    assert 55 < sum(large.waits) < 130


def test_half_of_the_limit_is_left_to_others(large):
    large.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    large.night(share=0.5)
    assert large.store.live("messages") == large.truth()
    assert 110 < sum(large.waits) < 250


def test_a_limit_used_up_by_others_is_waited_for(large):
    large.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    windows = large.app.state.limiter.windows
    now_ms = int(large.clock.now().timestamp() * 1000)
    windows["127.0.0.1", "chat.syncMessages", "GET"] = (now_ms, 9)
    calls = large.night()
    assert large.store.live("messages") == large.truth()
    assert sum(call.status == 429 for call in calls) <= 1


def test_many_rooms_under_the_limit_take_turns_and_lose_nothing(world, monkeypatch):
    monkeypatch.setattr(messages, "ROOMS_A_NIGHT", 4)
    chat = world.workspace
    chat.roles["extractor"].remove("api-bypass-rate-limit")
    for n in range(10):
        chat.add_room(f"room{n}", START - DAY, id=f"r{n}", members=["ann"])
        chat.post(f"r{n}", "ann", "hello", START - DAY, id=f"m{n}")
    assert len({c.values.get("roomId") for c in world.night(START)} - {None}) == 12
    chat.edit("m3", "hello all", START + MINUTE)  # no counter of the room shows this
    chat.post("r9", "ann", "news", START + MINUTE)
    asked = [
        {c.values.get("roomId") for c in world.night(START + n * DAY)} - {None} for n in range(1, 5)
    ]
    assert all(len(rooms) == 4 for rooms in asked)
    assert "r9" in asked[0]
    assert set.union(*asked) == chat.rooms.keys() - {"staff", "annben"}
    assert world.store.live("messages") == world.truth()


@pytest.mark.slow
def test_fifty_three_thousand_messages_in_twelve_rooms(tmp_path, open_world):
    chat = Workspace()
    chat.add_user("ann", "Ann", START, id="ann")
    for room in range(12):
        chat.add_room(f"room{room}", START, id=f"r{room}", members=["ann"])
    for n in range(53_000):
        room = f"r{min(n % 17, 11)}"  # one room with 18,700, the others with 3,100
        chat.post(room, "ann", f"message {n}", START + timedelta(seconds=n // 3))
    with open_world(tmp_path, chat) as world:
        calls = world.night(START + 2 * DAY)
        assert len(world.store.live("messages")) == 53_000
        assert world.store.live("messages") == world.truth()
        assert len(calls) <= 150
        assert len(world.night(START + 2 * DAY + MINUTE)) <= 12 + 8
