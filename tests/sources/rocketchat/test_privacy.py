"""What must leave no trace, planted as words that would be found anywhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.sandbox.rocketchat import READER_ID
from pipeline.sandbox.rocketchat.app import ROUTES
from pipeline.sources.rocketchat import messages
from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
SECRETS = ("quillon", "marrowby", "thistlewick", "ombersley", "pellitory", "@example.org")


@pytest.fixture
def planted(world):
    """Secrets in a group we belong to, its discussion, a direct message, a private team's channel."""
    chat, at = world.workspace, START - DAY
    chat.join("staff", READER_ID, at)
    chat.post("staff", "ann", "quillon", at, id="secret")
    chat.add_room("about marrowby", at, id="talk", t="p", prid="staff", members=["ann", READER_ID])
    chat.post("talk", "ann", "marrowby", at)
    chat.join("annben", READER_ID, at)
    chat.post("annben", "ann", "thistlewick", at, id="direct")
    main = {"t": "p", "team_id": "team", "team_main": True, "members": ["ann", READER_ID]}
    chat.add_room("ombersley", at, id="main", **main)
    chat.add_room("pellitory", at, id="inner", team_id="team", members=["ann", READER_ID])
    chat.post("inner", "ann", "pellitory", at)
    chat.post("general", "ann", "hello", at)
    for mid in ("secret", "direct"):
        chat.report(mid, "ben", f"reported {mid}", at)
    return world


def test_private_places_leave_no_trace(planted):
    for night in range(3):
        planted.night(START + night * DAY)
    text = planted.store.text()
    assert [word for word in SECRETS if word in text] == []
    assert set(planted.store.live("rooms")) == {"general", "help"}
    assert planted.store.live("messages") == planted.truth("general", "help")
    assert planted.store.live("reports") == {}
    asked = {call.values.get("roomId") for call in planted.app.state.log}
    assert asked == {None, "general", "help"}


def test_a_group_that_is_named_is_read_with_its_discussions_and_no_other(planted):
    planted.private = ("staff",)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "staff", "talk"}
    text = planted.store.text()
    assert [word for word in SECRETS if word in text] == ["quillon", "marrowby"]


def test_a_display_name_that_anybody_may_choose_opens_no_discussion(planted):
    """The names of discussions are made by the server; their display names are free text."""
    chat = planted.workspace
    chat.add_room("by the way", START, id="talk2", t="p", prid="general", members=[READER_ID])
    for rid in ("talk", "talk2"):
        chat.rooms[rid] |= {"name": f"made{rid}", "fname": "mods"}
    chat.add_room("mods", START, id="mods", t="p", members=["ann", READER_ID])
    chat.rooms["staff"]["fname"] = "mods"
    planted.private = ("mods",)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "mods"}
    assert [word for word in SECRETS if word in planted.store.text()] == []


@pytest.mark.parametrize("name", ["talk", "madetalk"])
def test_a_discussion_is_named_by_its_id_or_its_name(planted, name):
    planted.workspace.rooms["talk"] |= {"name": "madetalk", "fname": "mods"}
    planted.private = (name,)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "talk"}


def test_a_display_name_opens_a_group_that_alone_bears_it(planted):
    chat = planted.workspace
    chat.rooms["staff"]["fname"] = chat.rooms["general"]["fname"] = "The Crew"
    planted.private = ("The Crew",)
    source, bookmarks = planted.source(), planted.store.bookmarks()
    list(source.read("messages", bookmarks))
    assert source.gaps == ()
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "staff", "talk"}


def test_a_display_name_that_two_groups_bear_opens_none_and_is_told(planted):
    planted.workspace.add_room("other", START, id="other", t="p", members=["ann", READER_ID])
    for rid in ("staff", "other"):
        planted.workspace.rooms[rid]["fname"] = "The Crew"
    planted.private = ("The Crew",)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help"}
    source = planted.source()
    list(source.read("messages", planted.store.bookmarks()))
    (gap,) = source.gaps
    assert gap.startswith("The private rooms called 'The Crew': several bear this name")
    problems = {f.text for f in source.probe() if f.level == "warn"}
    assert "several private rooms are called 'The Crew': none of them is read" in problems
    assert not [text for text in problems if text.startswith("no private group")]


@pytest.fixture
def below(planted):
    """Discussions of a channel: a public one with one of its own below it, and a private one."""
    chat, people = planted.workspace, ["ann", READER_ID]
    chat.add_room("open", START, id="open", prid="help", members=people)
    chat.add_room("deep", START, id="deep", prid="open", members=people)
    chat.add_room("aside", START, id="aside", t="p", prid="help", members=people)
    chat.post("aside", "ann", "quillon", START)
    return planted


@pytest.mark.parametrize("remembers_removed", [True, False])
def test_a_discussion_of_a_public_channel_that_was_deleted_is_read_on(below, remembers_removed):
    chat = below.workspace
    below.night(START)
    chat.delete_room("help", START + DAY)
    for night in (1, 2, 3):
        chat.post("open", "ann", "hello", START + night * DAY)
        chat.post("deep", "ann", "hello", START + night * DAY)
        below.night(START + night * DAY + timedelta(hours=1))
        assert set(below.store.live("rooms")) == {"general", "open", "deep"}
        assert below.store.live("messages") == below.truth("general", "open", "deep")
        assert {r["access"] for r in below.store.live("room_reads").values()} == {"read"}
        if not remembers_removed:
            chat.removed_rooms.clear()


def test_a_discussion_of_a_channel_nobody_knew_is_not_read_and_told(below):
    below.workspace.delete_room("help", START)
    source = below.source()
    list(source.read("messages", below.store.bookmarks()))
    (gap,) = source.gaps
    assert gap.startswith("Public rooms below a channel or team that was deleted")
    assert ": 2 tonight" in gap
    below.night()
    assert set(below.store.live("rooms")) == {"general"}
    warned = [f.text for f in source.probe() if f.level == "warn"]
    assert any(text.startswith("2 public rooms are below a channel") for text in warned)


def test_a_discussion_of_a_channel_that_was_private_when_it_was_deleted_is_not_read(below):
    below.night(START)
    below.workspace.make_private("help", START + DAY)
    below.night(START + DAY)
    below.workspace.delete_room("help", START + 2 * DAY)
    for night in (2, 3):
        below.workspace.post("open", "ann", "marrowby", START + night * DAY)
        below.night(START + night * DAY)
        assert below.store.live("room_reads")["open"]["access"] == "private"
        assert "marrowby" not in below.store.text()


def test_a_discussion_of_a_named_group_that_was_deleted_is_not_read_on(below):
    """The settings may have changed since: what was public through and through is trusted."""
    below.private = ("staff",)
    below.workspace.add_room("inside", START, id="inside", prid="staff", members=["ann"])
    below.night(START)
    assert "inside" in below.store.live("rooms")
    below.workspace.delete_room("staff", START + DAY)
    below.night(START + DAY)
    assert below.store.live("room_reads")["inside"]["access"] == "private"


def test_naming_a_teams_room_opens_its_channels(planted):
    planted.private = ("ombersley",)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "main", "inner"}


def test_a_private_discussion_of_a_public_channel_stays_private(planted):
    planted.private = ("general",)
    members = ["ann", READER_ID]
    planted.workspace.add_room("aside", START, id="aside", t="p", prid="general", members=members)
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help"}


def test_a_public_team_and_a_public_discussion_are_read(planted):
    chat = planted.workspace
    chat.add_room("guild", START, id="guild", team_id="t2", team_main=True, members=["ann"])
    chat.add_room("craft", START, id="craft", team_id="t2", members=["ann"])
    chat.add_room("about tools", START, id="tools", prid="craft", members=["ann"])
    planted.night()
    assert set(planted.store.live("rooms")) == {"general", "help", "guild", "craft", "tools"}
    assert planted.store.live("messages") == planted.truth(*planted.store.live("rooms"))


def test_a_named_group_the_account_is_not_in_is_known_as_closed(world):
    world.private = ("staff",)
    world.workspace.post("staff", "ann", "quillon", START)
    world.night()
    assert world.store.live("room_reads")["staff"]["access"] == "lost"
    assert "quillon" not in world.store.text()


@pytest.fixture
def during(world, monkeypatch):
    """What `happens` is done once, when the first room of a night is asked: after the rooms were
    listed, and before their turn."""
    route, happens = ROUTES["GET"]["chat.syncMessages"], []

    def handler(call):
        if happens:
            happens.pop()()
        return route.handler(call)

    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", replace(route, handler=handler))
    return happens


def test_a_room_made_private_between_the_list_and_its_turn_is_not_read(world, during):
    chat, at = world.workspace, START + DAY
    chat.join("help", READER_ID, START)
    chat.post("help", "ann", "hello", START, id="h")
    world.night(START)

    def closes():
        chat.make_private("help", at)
        chat.post("help", "ann", "quillon", at)

    during.append(closes)
    world.night(at)
    held = world.store.live("messages")
    for night in range(1, 3):
        assert world.store.live("room_reads")["help"]["access"] == "private"
        assert "quillon" not in world.store.text()
        assert world.store.live("messages") == held
        world.night(at + night * DAY)
    assert "h" in held


def test_a_room_that_says_it_was_private_and_is_public_again_is_read(world):
    world.workspace.make_private("help", START)
    world.workspace.rooms["help"]["t"] = "c"
    world.workspace.post("help", "ann", "hello", START)
    world.night(START)
    assert world.store.live("messages") == world.truth()


@pytest.mark.parametrize("most", [5_000, 0])
def test_what_was_read_after_a_team_went_private_is_let_go_the_next_night(
    world, during, monkeypatch, most
):
    """No answer of the channel tells that its team went private meanwhile. In a large room too."""
    monkeypatch.setattr(messages, "WHOLE_ROOM", most)
    chat, at = world.workspace, START + DAY
    members = ["ann", READER_ID]
    chat.add_room("guild", START, id="guild", team_id="t", team_main=True, members=members)
    chat.add_room("craft", START, id="craft", team_id="t", members=members)
    chat.post("craft", "ann", "hello", START, id="c")
    world.night(START)

    def closes():
        chat.rooms["guild"]["t"] = "p"
        chat.post("craft", "ann", "quillon", at + timedelta(seconds=1), id="secret")

    during.append(closes)
    world.night(at)
    assert "quillon" in world.store.text()
    world.night(at + DAY)
    assert "quillon" not in world.store.text()
    assert world.store.live("messages")["c"]["msg"] == "hello"
    assert world.store.live("messages")["secret"]["_hidden"]
    chat.rooms["guild"]["t"] = "c"
    world.night(at + 3 * DAY)
    assert world.store.live("messages") == world.truth()


def test_encrypted_messages_keep_their_kind(world):
    content = {"algorithm": "rc.v1.aes-sha2", "ciphertext": "c2VjcmV0"}
    world.workspace.post("general", "ann", "", START, t="e2e", content=content, id="e")
    world.night()
    assert world.store.live("messages")["e"]["t"] == "e2e"


def test_secrets_of_the_account_show_nowhere(world):
    source = world.source(token="a very secret token")
    with pytest.raises(Exception) as caught:
        source.plan()
    shown = repr(source) + repr(source._client.transport) + str(caught.value) + repr(caught.value)
    assert "secret token" not in shown
