"""Posting: once, whole, harmless, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest.safe import for_chat
from pipeline.errors import FixSettings, TryLater
from pipeline.sources.rocketchat.client import Client
from pipeline.sources.rocketchat.posting import Poster, fold, message_id, split

AFTER_THE_SERVER_ACTED = ("cut", "truncated")
BEFORE = ("bad_gateway", "unavailable", "reset", "too_many")


def poster(world, **more):
    return Poster(Client(world.transport(world.settings(), **more), share=1.0))


def said(world, rid="general"):
    return [m["msg"] for m in world.workspace.by_room[rid].values() if "t" not in m]


def test_the_same_key_posts_once(world):
    first = poster(world).post("#general", "three newcomers wait", key="2026-03-02/head")
    again = poster(world).post("general", "three newcomers wait", key="2026-03-02/head")
    assert first == again
    assert said(world) == ["three newcomers wait"]


def test_another_key_or_room_is_another_message(world):
    ids = [
        poster(world).post(room, "text", key=key)[0]
        for room in ("general", "help")
        for key in ("a", "b")
    ]
    assert len(set(ids)) == 4
    assert said(world) == said(world, "help") == ["text", "text"]


def test_an_item_answers_the_head(world):
    (head,) = poster(world).post("general", "head", key="head")
    (item,) = poster(world).post("general", "item", key="item", thread=head)
    assert world.workspace.messages[item]["tmid"] == head
    assert world.workspace.messages[head]["tcount"] == 1


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER_THE_SERVER_ACTED])
def test_a_fault_neither_doubles_nor_loses(world, fault):
    world.faults.next_answers(None, fault, fault)
    poster(world).post("general", "once", key="k")
    assert said(world) == ["once"]


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER_THE_SERVER_ACTED])
def test_a_sick_server_is_given_up_and_asked_again_later(world, fault):
    writer = poster(world, patience_s=3)
    world.faults.next_answers(None, *[fault] * 40)
    with pytest.raises(Exception) as caught:
        writer.post("general", "once", key="k")
    assert isinstance(caught.value, TryLater) or "not whole JSON" in str(caught.value)
    world.faults._planned.clear()
    writer.post("general", "once", key="k")
    assert said(world) == ["once"]


def test_many_messages_through_many_faults(world):
    world.faults.rate, world.faults.delay_s = 0.4, 0
    writer = poster(world, patience_s=600)
    for number in range(30):
        writer.post("general", f"item {number}", key=str(number))
    assert said(world) == [f"item {number}" for number in range(30)]
    assert len(world.faults.seen) > 5


def test_a_long_text_comes_in_pieces_the_server_takes(world):
    text = "\n\n".join("word " * 190 for _ in range(12))
    ids = poster(world).post("general", text, key="long")
    assert len(ids) == 3
    assert " ".join(said(world)).split() == text.split()


def test_a_room_that_takes_no_message_says_what_to_change(world):
    world.workspace.rooms["general"]["ro"] = True
    with pytest.raises(FixSettings, match="must be allowed to write in 'general'"):
        poster(world).post("general", "text", key="k")
    with pytest.raises(FixSettings, match="sees no room 'nowhere'"):
        poster(world).post("nowhere", "text", key="k")
    assert said(world) == []


def test_quoted_text_calls_nobody(world):
    hostile = "@all @ann see #help"
    (mid,) = poster(world).post("general", for_chat(hostile), key="quote")
    message = world.workspace.messages[mid]
    assert (message["mentions"], message["channels"]) == ([], [])


def test_reactions_are_folded(world):
    (mid,) = poster(world).post("general", "judge me", key="k")
    at = world.clock.now()
    for who, emoji in (
        ("ann", ":thumbsup_tone3:"),
        ("ben", ":+1:"),
        ("ann", ":+1:"),
        ("ben", ":x:"),
    ):
        world.workspace.react(mid, who, emoji, at)
    assert poster(world).reactions(mid) == {":+1:": ["ann", "ben"], ":x:": ["ben"]}


@pytest.mark.parametrize(
    ("emoji", "folded"),
    [(":+1:", ":+1:"), (":thumbsup:", ":+1:"), (":-1_tone5:", ":-1:"), ("eyes", ":eyes:")],
)
def test_folding(emoji, folded):
    assert fold(emoji) == folded


@given(st.text(alphabet=st.sampled_from("ab \n中😀"), max_size=200), st.integers(4, 40))
def test_pieces_are_short_and_lose_no_word(text, most):
    pieces = split(text, most)
    assert all(len(piece.encode("utf-16-le")) <= 2 * most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(st.text(), st.text())
def test_ids_have_the_servers_form_and_differ(one, other):
    assert len(message_id(one)) == 17
    assert (message_id(one) == message_id(other)) == (one == other)
