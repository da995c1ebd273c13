"""The chat plugin's pages, as `plugins/chat` gives them."""

from datetime import timedelta

import pytest

from tests.sandbox.conftest import NOON

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def talking(served):
    """Ada and Bob in a flat channel and in one with threads."""
    forum = served.forum
    served.flat = forum.chat_channel("lounge", served.category, NOON)
    served.threaded = forum.chat_channel(None, served.category, NOON, threads=True)
    served.first = forum.chat(served.threaded, served.ada, "Who comes, @bob?", NOON)
    served.reply = forum.chat(served.threaded, served.bob, "Me.", LATER, reply_to=served.first)
    return served


def messages(served, channel, thread=None, **query):
    place = f"/chat/api/channels/{channel}" + (f"/threads/{thread}" if thread else "")
    return served.get(f"{place}/messages.json", params=query)["messages"]


def test_public_channels_are_listed_by_a_name_or_their_categorys(talking):
    forum = talking.forum
    forum.chat_direct([talking.ada, talking.bob], NOON)
    forum.chat_trash_channel(forum.chat_channel("old", talking.category, NOON), -1, NOON)
    listed = talking.get("/chat/api/channels.json")["channels"]
    assert {c["id"]: (c["title"], c["status"], c["threading_enabled"]) for c in listed} == {
        talking.flat: ("lounge", "open", False),
        talking.threaded: ("Support", "open", True),
    }
    assert listed[0]["chatable"]["read_restricted"] is False


def test_a_channel_with_threads_shows_where_they_begin(talking):
    (first,) = messages(talking, talking.threaded)
    assert first["message"] == "Who comes, @bob?"
    assert first["thread"]["preview"] == {
        "last_reply_id": talking.reply,
        "last_reply_created_at": "2026-03-01T13:00:00.000Z",
        "reply_count": 1,
    }
    assert [user["username"] for user in first["mentioned_users"]] == ["bob"]
    inside = messages(talking, talking.threaded, first["thread_id"])
    assert [(m["id"], (m.get("in_reply_to") or {}).get("id")) for m in inside] == [
        (talking.first, None),
        (talking.reply, talking.first),
    ]


def test_without_threads_answers_stand_in_the_channel(talking):
    forum = talking.forum
    first = forum.chat(talking.flat, talking.ada, "Hello", NOON)
    answer = forum.chat(talking.flat, talking.bob, "Hi", LATER, reply_to=first)
    shown = messages(talking, talking.flat)
    assert [m["id"] for m in shown] == [first, answer]
    assert shown[1]["in_reply_to"]["id"] == first
    assert not {"thread", "thread_id"} & shown[0].keys()
    thread = forum.read("SELECT id FROM chat_threads WHERE original_message_id = ?", first)[0]["id"]
    talking.get(f"/chat/api/channels/{talking.flat}/threads/{thread}/messages.json", status=404)


def test_pages_go_back_from_a_message(talking):
    said = [talking.forum.chat(talking.flat, talking.ada, f"Line {n}", NOON) for n in range(5)]

    def page(**query):
        return [m["id"] for m in messages(talking, talking.flat, page_size=2, **query)]

    assert page() == said[3:]
    assert page(direction="past", target_message_id=said[3]) == said[1:3]
    assert page(direction="future", target_message_id=said[1]) == said[2:4]
    talking.get(f"/chat/api/channels/{talking.flat}/messages.json?page_size=51", status=400)


def test_what_became_of_a_message_is_shown(talking):
    forum = talking.forum
    forum.chat_edit(talking.first, "Who comes?", LATER)
    forum.chat_react(talking.first, talking.bob, "wave", LATER)
    forum.chat_delete(talking.reply, talking.ada, LATER)
    first, gone = messages(talking, talking.threaded, 1)
    assert (first["message"], first["edited"], first["mentioned_users"]) == ("Who comes?", True, [])
    assert [(r["emoji"], r["count"], len(r["users"])) for r in first["reactions"]] == [
        ("wave", 1, 1)
    ]
    assert (gone["deleted_at"], gone["deleted_by_id"]) == ("2026-03-01T13:00:00Z", talking.ada)
    forum.chat_restore(talking.reply)
    assert "deleted_at" not in messages(talking, talking.threaded, 1)[1]


def test_a_message_of_nobody_is_shown_as_deleted_now(talking):
    talking.forum.delete_user(talking.bob, LATER)
    talking.clock.set(LATER)
    _, reply = messages(talking, talking.threaded, 1)
    assert (reply["user"]["id"], reply["deleted_at"]) == (None, "2026-03-01T13:00:00Z")


def test_what_expires_is_gone_with_all_about_it(talking):
    talking.forum.chat_react(talking.first, talking.bob, "wave", NOON)
    talking.forum.chat_expire(LATER)
    assert [row["id"] for row in talking.forum.read("FROM chat_messages")] == [talking.reply]
    assert talking.forum.read("SELECT in_reply_to_id FROM chat_messages") == [
        {"in_reply_to_id": None}
    ]
    assert talking.forum.read("FROM chat_message_reactions") == []


def test_what_is_not_for_all_is_refused(talking):
    direct = talking.forum.chat_direct([talking.ada, talking.bob], NOON)
    talking.get(f"/chat/api/channels/{direct}/messages.json", status=403)
    talking.switches.chat = False
    talking.get("/chat/api/channels.json", status=404)
