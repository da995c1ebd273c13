"""Night by night: after each, the store holds what the server shows."""

from datetime import timedelta

import pytest

from pipeline.sources.rocketchat import messages
from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def filled(world):
    """Read once: ten messages in #general, one a minute, and one in #help."""
    for n in range(10):
        world.workspace.post("general", "ann", f"line {n}", START - (60 - n) * MINUTE, id=f"m{n}")
    world.workspace.post("help", "ben", "hello", START - DAY, id="h0")
    world.night(START)
    assert world.store.live("messages") == world.truth()
    assert len(world.truth()) == 11
    return world


def test_the_first_night_holds_all_and_asks_each_room_once(world):
    world.workspace.post("general", "ann", "hello", START - DAY)
    asked = world.night(START)
    assert world.store.live("messages") == world.truth()
    assert sorted(r.values["roomId"] for r in asked if r.endpoint == "chat.syncMessages") == [
        "general",
        "help",
    ]
    assert set(world.store.live("rooms")) == {"general", "help"}


def test_a_night_costs_one_request_a_room_and_few_more(filled):
    asked = filled.night(START + DAY)
    assert sorted(call.endpoint for call in asked) == [
        "chat.syncMessages",
        "chat.syncMessages",
        "moderation.reportsByUsers",
        "roles.list",
        "rooms.adminRooms",
        "rooms.get",
        "users.list",
    ]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("show", [False, True])
def test_changes_of_every_kind(filled, keep, show):
    chat, at = filled.workspace, START + 3 * MINUTE
    chat.switches.keep_history, chat.switches.show_deleted = keep, show
    chat.post("general", "ben", "new", at, id="new")
    chat.post("general", "ben", "an answer", at, tmid="m1", id="reply")
    chat.edit("m2", "line 2, mended", at)
    chat.react("m3", "ben", ":+1:", at)
    chat.delete("m4", "ann", at)
    chat.delete("m1", "ann", at + MINUTE)  # a thread's root
    chat.pin("m5", at)
    chat.rename_user("ann", "anna", at + 2 * MINUTE)
    filled.night(START + DAY)
    silent = {"m4"} if keep and not show else set()  # the pin's own message fills the gap
    held = filled.store.live("messages")
    assert held.keys() - filled.truth().keys() == silent
    assert {mid: m for mid, m in held.items() if mid not in silent} == filled.truth()
    chat.unreact("m3", "ben", ":+1:", START + DAY + MINUTE)
    filled.night(START + 8 * DAY)  # by now each room was read whole
    assert filled.store.live("messages") == filled.truth()
    assert "m4" in filled.store.gone("messages") or show


def test_what_happens_after_the_servers_clock_was_set_back_is_seen(filled):
    chat, hours, second = filled.workspace, timedelta(hours=3), timedelta(seconds=1)
    chat.post("general", "ben", "by a clock that is ahead", START + hours, id="ahead")
    filled.night(START + hours)
    chat.post("general", "ben", "by a clock set right", START + second, id="right")
    chat.edit("m2", "line 2, mended", START + second)
    chat.delete("m4", "ann", START + second)
    filled.night(START + 2 * second)
    assert filled.store.live("messages") == filled.truth()


def test_a_room_read_by_a_clock_years_ahead_does_not_rest_until_then(world):
    chat = world.workspace
    chat.post("general", "ann", "hello", START - DAY, id="m0")
    chat.post("general", "ann", "hello again", START - DAY, id="m1")
    world.night(START + 3650 * DAY)
    chat.switches.keep_history = True
    chat.delete("m0", "ann", START)
    chat.post("general", "ann", "the counter is as before", START, id="m2")
    world.night(START + DAY)
    assert world.store.live("messages") == world.truth()


def test_a_deletion_without_a_trace_is_looked_for_where_the_counter_fell(filled):
    chat = filled.workspace
    chat.switches.keep_history = True

    def lists(night):
        return sum("next" in call.values for call in filled.night(START + night * DAY))

    chat.post("general", "ben", "new", START + MINUTE, id="new")
    chat.edit("m2", "mended", START + MINUTE)
    assert lists(1) == 0  # nothing fell
    chat.post("general", "ben", "newer", START + DAY + MINUTE, id="newer")
    chat.delete("m4", "ann", START + DAY + MINUTE)
    assert lists(2) == 1
    assert "m4" in filled.store.gone("messages")
    assert filled.store.live("messages") == filled.truth()
    assert lists(3) == 0


def test_a_message_changed_and_then_deleted_is_gone_and_keeps_its_last_text(filled):
    filled.workspace.edit("m1", "second thoughts", START + MINUTE)
    filled.night(START + 2 * MINUTE)
    filled.workspace.delete("m1", "ann", START + 3 * MINUTE)
    filled.night(START + DAY)
    row = filled.store.rows["messages", "m1"]
    assert (row["gone"], row["payload"]["msg"]) == (True, "second thoughts")


def test_of_a_message_in_both_lists_the_later_word_counts(filled):
    """The trash is written before a deletion is done; and an id may be posted again."""
    chat, deleted = filled.workspace, START + 2 * MINUTE
    for mid, changed in (("m1", START + MINUTE), ("m2", START + 3 * MINUTE)):
        chat.messages[mid]["_updatedAt"] = changed
        row = {"_id": mid, "rid": "general", "_updatedAt": START, "_deletedAt": deleted}
        chat.trash["general"].append(row)
    filled.night(START + DAY)
    assert filled.store.gone("messages") == {"m1"}
    assert "m2" in filled.store.live("messages")


def test_a_change_stamped_by_a_slow_clock_is_not_missed(filled):
    filled.workspace.post("general", "ann", "on time", START + 10 * MINUTE)
    filled.night(START + DAY)
    filled.workspace.post("general", "ben", "by a server 4 minutes behind", START + 6 * MINUTE)
    filled.night(START + 2 * DAY)
    assert filled.store.live("messages") == filled.truth()


def test_pruned_hidden_and_expired_messages_go(filled):
    filled.workspace.prune("general", START - 57 * MINUTE, START + MINUTE)
    filled.workspace.hide("m7", START + MINUTE)
    filled.workspace.expire("m8")
    filled.night(START + DAY)
    assert {"m0", "m1", "m2"} <= filled.store.gone("messages")
    filled.night(START + 8 * DAY)
    assert filled.store.live("messages") == filled.truth()
    assert filled.store.gone("messages") == {"m0", "m1", "m2", "m7", "m8"}


def test_a_pause_longer_than_the_servers_memory_of_deletions(filled):
    filled.workspace.delete("m3", "ann", START + DAY)
    filled.workspace.post("general", "ann", "meanwhile", START + 20 * DAY)
    filled.night(START + 45 * DAY)
    assert filled.store.live("messages") == filled.truth()
    assert filled.store.gone("messages") == {"m3"}


def test_a_quiet_room_is_asked_every_night_and_read_whole_every_week(filled):
    for n in range(1, 15):
        filled.night(START + n * DAY, units=("messages",))
    calls = [r for r in filled.app.state.log if r.values.get("roomId") == "general"]
    whole = [r for r in calls if r.values["lastUpdate"].startswith("1970")]
    assert (len(calls), len(whole)) == (15, 3)


def test_a_second_night_of_the_same_day_reads_no_room_whole(filled):
    for n in range(1, 8):
        filled.night(START + n * DAY, units=("messages",))
        again = filled.night(START + n * DAY + MINUTE, units=("messages",))
        since = [r.values["lastUpdate"][:4] for r in again if r.endpoint == "chat.syncMessages"]
        assert since == ["2026", "2026"]


def test_a_room_that_closed_to_us_is_lost_and_keeps_its_messages(filled):
    filled.private = ("staff",)
    filled.workspace.join("staff", "hearthReader23456", START)
    filled.workspace.post("staff", "ann", "inside", START, id="s0")
    filled.night(START + DAY)
    assert "s0" in filled.store.live("messages")
    filled.workspace.leave("staff", "hearthReader23456", START + 2 * DAY)
    filled.night(START + 3 * DAY)
    assert filled.store.live("room_reads")["staff"]["access"] == "lost"
    assert "s0" in filled.store.live("messages")
    filled.workspace.delete("s0", "ann", START + 4 * DAY)
    filled.workspace.join("staff", "hearthReader23456", START + 50 * DAY)
    filled.night(START + 51 * DAY)
    assert filled.store.live("room_reads")["staff"]["access"] == "read"
    assert "s0" in filled.store.gone("messages")


def test_a_deleted_room_is_gone_with_its_messages(filled):
    filled.workspace.delete_room("help", START + DAY)
    filled.night(START + 2 * DAY)
    assert filled.store.live("messages") == filled.truth()
    assert filled.store.gone("rooms") == {"help"}
    assert filled.store.gone("messages") == {"h0"}


def test_a_room_deleted_longer_ago_than_the_server_remembers(filled):
    filled.workspace.delete_room("help", START + DAY)
    filled.night(START + 60 * DAY)
    assert filled.store.gone("rooms") == {"help"}
    assert filled.store.gone("messages") == {"h0"}


def test_a_channel_made_private_is_not_asked_any_more(filled):
    filled.workspace.make_private("help", START + DAY)
    asked = filled.night(START + 2 * DAY)
    assert "help" not in {call.values.get("roomId") for call in asked}
    assert filled.store.live("room_reads")["help"]["access"] == "private"
    assert "h0" in filled.store.live("messages")


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_known_to_be_private_stays_so_when_no_list_names_it(filled, listed):
    """Also where it was never listed as private: without the right to list, none is."""
    right = filled.workspace.roles["extractor"]
    if not listed:
        right.remove("view-room-administration")
    filled.workspace.make_private("help", START + DAY)
    filled.night(START + 2 * DAY)
    first = filled.store.live("room_reads")["help"]["access"]
    right.discard("view-room-administration")
    filled.night(START + 3 * DAY)
    then = filled.store.live("room_reads")["help"]["access"]
    assert (first, then) == (("private", "private") if listed else ("lost", "lost"))
    filled.workspace.rooms["help"]["t"] = "c"
    filled.night(START + 4 * DAY)
    assert filled.store.live("room_reads")["help"]["access"] == "read"


def test_a_private_room_that_is_deleted_keeps_its_last_access(filled):
    filled.workspace.make_private("help", START + DAY)
    filled.night(START + 2 * DAY)
    filled.workspace.delete_room("help", START + 3 * DAY)
    filled.night(START + 4 * DAY)
    row = filled.store.rows["room_reads", "help"]
    assert (row["gone"], row["payload"]["access"]) == (True, "private")


def test_a_channel_whose_team_went_private_keeps_its_last_access(filled):
    chat = filled.workspace
    chat.add_room("guild", START, id="guild", team_id="t", team_main=True, members=["ann"])
    chat.add_room("craft", START, id="craft", team_id="t", members=["ann"])
    filled.night(START + DAY)
    chat.make_private("guild", START + DAY)
    filled.night(START + 2 * DAY)
    chat.delete_room("guild", START + 2 * DAY)
    filled.night(START + 3 * DAY)
    chat.delete_room("craft", START + 3 * DAY)
    filled.night(START + 4 * DAY)
    rows = {rid: filled.store.rows["room_reads", rid] for rid in ("guild", "craft")}
    assert {rid: row["payload"]["access"] for rid, row in rows.items()} == {
        "guild": "private",
        "craft": "private",
    }


def test_a_private_room_that_was_opened_is_asked_first_under_the_limit(filled, monkeypatch):
    monkeypatch.setattr(messages, "ROOMS_A_NIGHT", 1)
    filled.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    filled.workspace.make_private("help", START + DAY)
    filled.night(START + 2 * DAY)
    filled.workspace.rooms["help"]["t"] = "c"
    filled.night(START + 3 * DAY)
    assert filled.store.live("room_reads")["help"]["access"] == "read"


def test_a_room_opened_later(filled):
    filled.workspace.add_room("late", START + DAY, id="late", members=["ann"])
    filled.workspace.post("late", "ann", "welcome", START + DAY)
    filled.night(START + 2 * DAY)
    assert filled.store.live("messages") == filled.truth()


def test_accounts_that_are_deleted_are_gone(filled):
    filled.workspace.delete_user("ben", START + MINUTE)
    filled.night(START + DAY)
    assert filled.store.gone("users") == {"ben"}
    assert set(filled.store.live("users")) == {"ann", "hearthReader23456"}
    assert filled.store.live("messages") == filled.truth()


def test_one_clock_that_is_ahead_hides_nothing(filled):
    """One server of a cluster stamps an hour ahead; what others stamp meanwhile is read all the same."""
    filled.workspace.post("general", "ann", "ahead", START + 70 * MINUTE, id="ahead")
    filled.night(START + 10 * MINUTE)
    filled.workspace.post("general", "ben", "after", START + 20 * MINUTE, id="after")
    filled.night(START + 30 * MINUTE)
    assert filled.store.live("messages") == filled.truth()
