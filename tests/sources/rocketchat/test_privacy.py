"""What must leave no trace, planted as words that would be found anywhere."""

from datetime import timedelta

import pytest

from pipeline.sandbox.rocketchat import READER_ID
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
