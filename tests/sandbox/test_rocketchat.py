"""The sandbox's Rocket.Chat behaves as the real server does, its faults included."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.rocketchat import READER_ID, READER_TOKEN, Switches, Workspace, chat_app
from pipeline.sandbox.server import running

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
KEYS = {"X-User-Id": READER_ID, "X-Auth-Token": READER_TOKEN}
TYPED = pytest.mark.parametrize("version", ["7.7.1", "8.8.1"])


class Server:
    def __init__(self, workspace, clock, url):
        self.workspace, self.clock, self.url = workspace, clock, url

    def get(self, endpoint, keys=KEYS, **params):
        return requests.get(f"{self.url}/api/v1/{endpoint}", params, headers=keys, timeout=10)

    def post(self, endpoint, keys=KEYS, **body):
        return requests.post(f"{self.url}/api/v1/{endpoint}", json=body, headers=keys, timeout=10)

    def sync(self, **params):
        answer = self.get("chat.syncMessages", roomId="general", **params)
        return answer.json().get("result") or answer.json()


@pytest.fixture
def server():
    workspace, clock = Workspace(Switches()), Clock(START, frozen=True)
    for name in ("ann", "ben"):
        workspace.add_user(name, name.title(), START, id=name)
    workspace.add_room("general", START, id="general", members=["ann", "ben"])
    with running(chat_app=chat_app(workspace, clock)) as addresses:
        yield Server(workspace, clock, addresses.chat)


def at(ms):
    return START + timedelta(milliseconds=ms)


def ms(offset):
    return str(int(START.timestamp() * 1000) + offset)


def iso(offset):
    return at(offset).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def post(server, *offsets):
    return [server.workspace.post("general", "ann", f"m{o}", at(o), id=f"m{o}") for o in offsets]


def ids(rows):
    return [row["_id"] for row in rows]


def test_the_version_is_whole_only_for_those_who_may_see_statistics(server):
    assert requests.get(f"{server.url}/api/info", timeout=5).json() == {
        "version": "7.7",
        "success": True,
    }
    known = requests.get(f"{server.url}/api/info", headers=KEYS, timeout=5).json()
    assert known["version"] == "7.7.1"


def test_without_a_token(server):
    answer = server.get("me", keys={})
    text = "You must be logged in to do this."
    body = {"success": False, "error": text, "status": "error", "message": text}
    assert (answer.status_code, answer.json()) == (401, body)


def test_answers_are_plain_json(server):
    answer = server.get("me")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-ratelimit-limit" not in answer.headers


def test_an_unknown_endpoint_is_not_even_json(server):
    answer = server.get("chat.nothing")
    assert (answer.status_code, answer.text) == (404, "404 Not Found")


@TYPED
def test_a_missing_parameter(server, version):
    server.workspace.switches.version = version
    answer = server.get("chat.syncMessages")
    text = "must have required property 'roomId'"
    legacy = {"error": f"{text} [invalid-params]", "errorType": "invalid-params"}
    typed = {"error": text, "errorType": "error-invalid-params"}
    expected = typed if version.startswith("8") else legacy
    assert (answer.status_code, answer.json()) == (400, {"success": False, **expected})


@TYPED
def test_a_parameter_too_many(server, version):
    server.workspace.switches.version = version
    answer = server.get("chat.syncMessages", roomId="general", type="UPDATED", query="{}")
    assert answer.status_code == 400
    assert "must NOT have additional properties" in answer.json()["error"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "error-param-required"),
        ({"next": "0"}, "error-param-required"),
        ({"lastUpdate": "yesterday"}, "error-lastUpdate-param-invalid"),
        ({"type": "UPDATED", "next": "1", "previous": "2"}, "error-cursor-conflict"),
        (
            {"type": "UPDATED", "next": "1", "lastUpdate": "2026-01-01T00:00:00.000Z"},
            "error-cursor-and-lastUpdate-conflict",
        ),
    ],
)
def test_contradictions_are_refused(server, params, code):
    assert server.sync(**params)["errorType"] == code


def test_the_last_update_mode_is_newest_first_and_not_paged(server):
    post(server, *range(1, 131))
    result = server.sync(lastUpdate=iso(0))
    assert ids(result["updated"]) == [f"m{n}" for n in range(130, 0, -1)]
    assert (result["deleted"], "cursor" in result) == ([], False)
    assert server.sync(lastUpdate=iso(130)) == {"updated": [], "deleted": []}


def test_a_deleted_message_moves_from_one_list_to_the_other(server):
    post(server, 1, 2)
    server.workspace.delete("m1", "ann", at(5))
    result = server.sync(lastUpdate=iso(0))
    assert ids(result["updated"]) == ["m2"]
    assert result["deleted"] == [{"_id": "m1", "_deletedAt": iso(5)}]


def test_pages_of_updates(server):
    post(server, 1, 2, 3)
    first = server.sync(type="UPDATED", next=ms(0), count=2)
    assert ids(first["updated"]) == ["m1", "m2"]
    assert first["cursor"] == {"next": ms(2), "previous": ms(1)}
    second = server.sync(type="UPDATED", next=ms(2), count=2)
    assert ids(second["updated"]) == ["m3"]
    assert second["cursor"] == {"next": None, "previous": ms(3)}
    back = server.sync(type="UPDATED", previous=ms(3), count=1)
    assert ids(back["updated"]) == ["m2"]
    assert back["cursor"] == {"next": ms(2), "previous": ms(2)}


def test_the_cursor_loses_what_shares_a_millisecond_with_a_pages_end(server):
    post(server, 1, 2, 3)
    for message in server.workspace.messages.values():
        message["_updatedAt"] = at(9)
    first = server.sync(type="UPDATED", next="0", count=2)
    assert ids(server.sync(type="UPDATED", next=first["cursor"]["next"])["updated"]) == []


def test_the_deletion_cursor_loses_what_changed_before_its_page(server):
    post(server, 1, 2, 3)
    for mid, when in (("m2", 10), ("m3", 20), ("m1", 30)):
        server.workspace.delete(mid, "ann", at(when))
    first = server.sync(type="DELETED", next="0", count=1)
    assert ids(first["deleted"]) == ["m1"]
    assert ids(server.sync(type="DELETED", next=first["cursor"]["next"])["deleted"]) == []
    server.workspace.switches.deletions_sorted_by_update = False
    assert ids(server.sync(type="DELETED", next="0")["deleted"]) == ["m2", "m3", "m1"]


def test_counts_are_not_capped_by_the_feed_but_by_lists(server):
    post(server, *range(1, 131))
    assert len(server.sync(type="UPDATED", next="0", count=125)["updated"]) == 125
    listed = server.get("channels.messages", roomId="general", count=125).json()
    assert (listed["count"], listed["total"]) == (100, 130)
    assert server.get("channels.messages", roomId="general", count=0).json()["count"] == 130
    server.workspace.switches.infinite_count = False
    assert server.get("channels.messages", roomId="general", count=0).json()["count"] == 50


@pytest.mark.parametrize(
    ("keep", "show", "listed", "tombstone"),
    [
        (False, False, True, False),
        (True, False, False, False),
        (False, True, False, True),
        (True, True, False, True),
    ],
)
def test_the_four_ways_to_delete(server, keep, show, listed, tombstone):
    server.workspace.switches.keep_history, server.workspace.switches.show_deleted = keep, show
    post(server, 1)
    server.workspace.delete("m1", "ben", at(5))
    result = server.sync(lastUpdate=iso(0))
    assert ids(result["deleted"]) == (["m1"] if listed else [])
    assert [(m["_id"], m["t"], m["msg"]) for m in result["updated"]] == (
        [("m1", "rm", "")] if tombstone else []
    )


def test_a_threads_root_leaves_a_tombstone(server):
    post(server, 1)
    server.workspace.post("general", "ben", "answer", at(2), tmid="m1", id="r")
    server.workspace.post("general", "ann", "thanks", at(3), tmid="r", id="r2")
    assert server.workspace.messages["r2"]["tmid"] == "m1"
    server.workspace.delete("m1", "ann", at(5))
    kinds = {m["_id"]: m.get("t") for m in server.sync(lastUpdate=iso(0))["updated"]}
    assert kinds == {"m1": "rm", "r": None, "r2": None}


def test_hidden_copies_are_listed_before_8_8(server):
    server.workspace.switches.keep_history = True
    post(server, 1)
    server.workspace.edit("m1", "mended", at(2))
    assert server.get("channels.messages", roomId="general").json()["total"] == 2
    server.workspace.switches.version = "8.8.1"
    assert server.get("channels.messages", roomId="general").json()["total"] == 1


def test_deletions_are_forgotten_after_thirty_days(server):
    post(server, 1)
    server.workspace.delete("m1", "ann", at(5))
    server.clock.set(START + timedelta(days=29))
    assert ids(server.sync(lastUpdate=iso(0))["deleted"]) == ["m1"]
    server.clock.set(START + timedelta(days=31))
    assert server.sync(lastUpdate=iso(0))["deleted"] == []


def test_a_rename_stamps_many_messages_with_one_time_and_no_reaction(server):
    post(server, 1, 2)
    server.workspace.react("m1", "ann", ":+1:", at(3))
    server.workspace.rename_user("ann", "anna", at(9))
    for message in server.sync(lastUpdate=iso(8))["updated"]:
        assert (message["u"]["username"], message["_updatedAt"]) == ("anna", iso(9))
        assert "editedAt" not in message
    assert server.workspace.messages["m1"]["reactions"] == {":+1:": {"usernames": ["ann"]}}


def test_the_last_reaction_takes_the_field_with_it(server):
    post(server, 1)
    server.post("chat.react", messageId="m1", emoji="+1")
    assert server.workspace.messages["m1"]["reactions"] == {":+1:": {"usernames": ["hearth"]}}
    server.post("chat.react", messageId="m1", emoji="+1")
    assert "reactions" not in server.workspace.messages["m1"]


def test_the_limit_counts_calls_of_a_route_refused_ones_too(server):
    server.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    answers = [server.get("me") for _ in range(12)]
    assert [a.status_code for a in answers] == [200] * 10 + [429] * 2
    assert answers[9].headers["x-ratelimit-remaining"] == "0"
    assert answers[11].headers["x-ratelimit-reset"] == ms(60_000)
    assert "retry-after" not in answers[11].headers
    assert "You must wait 60 seconds" in answers[11].json()["error"]
    assert server.get("roles.list").status_code == 200
    server.clock.set(at(60_000))
    assert server.get("me").status_code == 200


@TYPED
def test_since_8_a_malformed_call_is_not_counted(server, version):
    server.workspace.roles["extractor"].remove("api-bypass-rate-limit")
    server.workspace.switches.version = version
    for _ in range(10):
        server.get("chat.syncMessages")
    answer = server.get("chat.syncMessages", roomId="general", lastUpdate=iso(0))
    assert answer.status_code == (200 if version.startswith("8") else 429)


def test_a_bot_reads_the_feed_of_a_channel_it_has_not_joined_but_no_list(server):
    server.workspace.tokens["bot"] = server.workspace.add_user("bot", "Bot", START, roles=["bot"])
    keys = {"X-User-Id": server.workspace.tokens["bot"], "X-Auth-Token": "bot"}
    feed = server.get("chat.syncMessages", keys, roomId="general", lastUpdate=iso(0))
    listed = server.get("channels.messages", keys, roomId="general")
    assert (feed.status_code, listed.status_code) == (200, 403)
    assert listed.json() == {"success": False, "error": "unauthorized"}


def test_nobody_but_members_reads_a_private_group(server):
    server.workspace.add_room("staff", START, id="staff", t="p", members=["ann"])
    server.workspace.users[READER_ID]["roles"].append("admin")
    feed = server.get("chat.syncMessages", roomId="staff", lastUpdate=iso(0))
    assert (feed.status_code, feed.json()["errorType"]) == (400, "error-not-allowed")
    assert server.get("groups.messages", roomId="staff").json()["errorType"] == (
        "error-room-not-found"
    )
    assert [r["_id"] for r in server.get("groups.listAll").json()["groups"]] == ["staff"]


def test_team_rooms_and_discussions_are_listed_only_when_asked_for(server):
    chat = server.workspace
    chat.add_room("team", START, id="team", team_id="t", team_main=True)
    chat.add_room("talk", START, id="talk", prid="general", members=["ann"])
    plain = server.get("rooms.adminRooms", **{"types[]": ["c", "p"]}).json()["rooms"]
    every = server.get("rooms.adminRooms", **{"types[]": ["c", "discussions", "teams"]}).json()
    assert (ids(plain), ids(every["rooms"])) == (["general"], ["general", "talk", "team"])
    assert not {"lm", "_updatedAt"} & plain[0].keys()


def test_a_message_with_an_id_is_posted_once(server):
    body = {"message": {"_id": "mine", "rid": "general", "msg": "hello @ben"}}
    first, second = (server.post("chat.sendMessage", **body) for _ in range(2))
    assert first.json()["message"]["mentions"][0]["username"] == "ben"
    assert (second.status_code, second.json()["success"]) == (400, False)
    assert list(server.workspace.by_room["general"]) == ["mine"]
    assert server.get("chat.getMessage", msgId="mine").json()["message"]["msg"] == "hello @ben"
    assert server.get("chat.getMessage", msgId="other").json() == {"success": False}


def test_what_may_not_be_posted(server):
    def refusal(**message):
        return server.post("chat.sendMessage", message={"rid": "general", **message}).json()

    assert refusal(msg="x" * 5_001)["errorType"] == "error-message-size-exceeded"
    assert refusal(msg="x", alias="Owl") == {"success": False, "error": "Not enough permission"}
    assert refusal(msg="x", rid="nowhere")["errorType"] == "error-not-allowed"
    assert server.workspace.by_room["general"] == {}


def test_reports_are_reached_in_three_steps_and_stay_readable_when_closed(server):
    server.workspace.users[READER_ID]["roles"].append("admin")
    post(server, 1)
    server.post("chat.reportMessage", messageId="m1", description="rude")
    server.clock.set(at(1_000))
    (author,) = server.get("moderation.reportsByUsers").json()["reports"]
    assert (author["userId"], author["count"], author["msgId"]) == ("ann", 1, "m1")
    (row,) = server.get("moderation.user.reportedMessages", userId="ann").json()["messages"]
    (report,) = server.get("moderation.reports", msgId="m1").json()["reports"]
    assert (row["message"]["msg"], report["description"]) == ("m1", "rude")
    assert server.get("moderation.reportsByUsers", count=0).status_code == 400
    server.post("moderation.dismissReports", msgId="m1", action="dismissed", reason="banter")
    assert server.get("moderation.reportsByUsers").json()["reports"] == []
    kept = server.get("moderation.reportInfo", reportId=report["_id"]).json()["report"]
    assert (kept["_hidden"], kept["moderationInfo"]["action"]) == (True, "dismissed")


def test_direct_messages_of_others_are_closed(server):
    answer = server.get("im.messages.others", roomId="general")
    assert (answer.status_code, answer.json()["errorType"]) == (400, "error-endpoint-disabled")


def test_a_login(server):
    answer = server.post("login", keys={}, user="ann", password="wrong")
    assert (answer.status_code, answer.json()["status"]) == (401, "error")
    data = server.post("login", keys={}, user="ann", password="ann").json()["data"]
    keys = {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}
    assert server.get("me", keys).json()["username"] == "ann"
