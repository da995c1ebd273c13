"""The source as the pipeline sees it: plan, probe, estimate, errors, and sick servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from pipeline.errors import BadAnswer, FixAccess, FixSettings, SourceDown
from pipeline.records import Bookmarks
from pipeline.sandbox.rocketchat import READER_ID
from pipeline.sandbox.rocketchat.app import ROUTES
from pipeline.sandbox.rocketchat.protocol import Refusal
from pipeline.sources import understood
from pipeline.sources.http import Budget
from pipeline.sources.rocketchat import connect, messages
from pipeline.sources.rocketchat.client import to_ms
from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def test_the_plan_has_three_units(world):
    plan = world.source().plan()
    assert [(p.stream, p.via, p.yields, p.unavailable) for p in plan] == [
        ("messages", "sync", ("rooms", "room_reads", "messages"), None),
        ("users", "rest", ("users", "roles"), None),
        ("reports", "rest", ("reports",), None),
    ]
    assert len(plan[0].blind_spots) == 8


def test_a_whole_night_costs_eight_requests_beside_the_rooms(world):
    world.workspace.post("general", "ann", "rude", START, id="m")
    world.workspace.report("m", "ben", "rude", START)
    world.night(START + DAY)
    before = len(world.app.state.log)
    world.source().plan()
    world.night(START + 2 * DAY)
    rooms = 2
    assert len(world.app.state.log) - before <= rooms + 8


def test_what_the_account_may_not_read_is_unavailable_and_says_why(world):
    world.workspace.roles["extractor"] -= {"view-moderation-console", "view-d-room"}
    reasons = {p.stream: p.unavailable for p in world.source().plan()}
    assert reasons["messages"] is None
    assert "do not grant view-d-room" in reasons["users"]
    assert "do not grant view-moderation-console" in reasons["reports"]


def test_a_bad_token_is_said_at_once(world):
    with pytest.raises(FixAccess, match="user id or the token was refused"):
        world.source(token="old").plan()
    assert world.waits == []


def test_a_permission_lost_since_the_plan(world):
    world.workspace.roles["extractor"].remove("view-d-room")
    with pytest.raises(FixAccess, match=r"users.list was refused \(403 error-unauthorized\)"):
        world.night(units=("users",))


def test_a_wall_in_front_of_the_server_is_no_lost_room(world, monkeypatch):
    world.night()
    refuse = replace(ROUTES["GET"]["chat.syncMessages"], handler=_blocked)
    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", refuse)
    with pytest.raises(BadAnswer, match="403, but not in Rocket.Chat's words"):
        world.night(START + DAY)
    assert {r["access"] for r in world.store.live("room_reads").values()} == {"read"}


def _blocked(_call):
    refusal = Refusal(None, status=403)
    refusal.body = "blocked"
    raise refusal


def test_the_pipeline_opens_a_source_that_reads_and_posts(world):
    source = connect(world.settings(), "chat", partial(Budget, None))
    records = [r for part in source.read("messages", Bookmarks()) for r in part.records]
    assert {r.stream for r in records} == {"rooms", "room_reads"}
    (mid,) = source.writer.post("general", "good morning", key="k")
    assert world.truth().keys() == {mid}
    assert source.usage.requests == len(world.app.state.log)


def test_a_server_that_does_not_say_what_roles_grant(world, monkeypatch):
    for silent in (ROUTES["GET"]["permissions.listAll"], None):  # no right to ask; no such route
        if silent is None:
            monkeypatch.delitem(ROUTES["GET"], "permissions.listAll")
        else:
            refuse = replace(silent, permission="access-permissions")
            monkeypatch.setitem(ROUTES["GET"], "permissions.listAll", refuse)
        assert [p.unavailable for p in world.source().plan()] == [None] * 3
        told = {finding.text: finding for finding in world.source().probe()}
        unknown = told["the server does not say what the account's roles grant"]
        assert (unknown.level, "view-room-administration" in unknown.fix) == ("warn", True)
        assert "may read public channels" in told
        assert not [text for text in told if text.startswith("may not")]
    world.workspace.roles["extractor"] -= {"view-moderation-console", "view-d-room"}
    reasons = {p.stream: p.unavailable for p in world.source().plan()}
    assert reasons["messages"] is None
    assert "do not grant view-d-room" in reasons["users"]
    assert "do not grant view-moderation-console" in reasons["reports"]


def test_a_room_that_no_list_names_and_that_cannot_be_asked_for_is_lost_not_deleted(
    world, monkeypatch
):
    world.workspace.post("help", "ann", "hello", START, id="m")
    world.night()
    world.workspace.rooms.pop("help")
    monkeypatch.delitem(ROUTES["GET"], "rooms.info")
    world.night(START + DAY)
    assert world.store.live("room_reads")["help"]["access"] == "lost"
    assert set(world.store.live("messages")) == {"m"}


def test_an_account_that_may_read_no_room_any_more_is_trouble_and_loses_none(world):
    """The right went after the plan: each room is refused, and the night must not be green."""
    world.workspace.post("general", "ann", "hello", START)
    world.night()
    world.workspace.roles["extractor"].remove("view-c-room")
    with pytest.raises(FixAccess, match=r"2 rooms are closed .* do not grant view-c-room"):
        world.night(START + DAY, units=("messages",))
    assert {r["access"] for r in world.store.live("room_reads").values()} == {"read"}
    world.workspace.roles["extractor"].add("view-c-room")
    world.night(START + 2 * DAY)
    assert world.store.live("messages") == world.truth()


def test_an_account_that_never_could_read_a_room(world, monkeypatch):
    monkeypatch.delitem(ROUTES["GET"], "permissions.listAll")
    world.workspace.roles["extractor"].remove("view-c-room")
    with pytest.raises(FixAccess, match="2 rooms are closed"):
        world.night(units=("messages",))


@pytest.mark.parametrize("asked_before", range(5))
def test_a_permission_lost_in_the_middle_of_the_night_loses_no_room(
    world, monkeypatch, asked_before
):
    """Few rooms are left then, so that most of them were still read."""
    for name in ("one", "two", "three"):
        world.workspace.add_room(name, START, id=name, members=["ann"])
        world.workspace.post(name, "ann", "hello", START)
    world.night()
    route, asked = ROUTES["GET"]["chat.syncMessages"], []

    def handler(call):
        if len(asked) == asked_before:
            world.workspace.roles["extractor"].discard("view-c-room")
        asked.append(call)
        return route.handler(call)

    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", replace(route, handler=handler))
    with pytest.raises(FixAccess, match=f"{5 - asked_before} rooms .* do not grant view-c-room"):
        world.night(START + DAY, units=("messages",))
    assert [r["access"] for r in world.store.live("room_reads").values()] == ["read"] * 5


def test_one_room_that_is_closed_is_lost_and_no_permission_is(world, monkeypatch):
    world.night()
    route = ROUTES["GET"]["chat.syncMessages"]

    def handler(call):
        if call.values["roomId"] == "help":
            raise Refusal("Not allowed", "error-not-allowed")
        return route.handler(call)

    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", replace(route, handler=handler))
    for night in (1, 2):
        calls = world.night(START + night * DAY, units=("messages",))
        access = {rid: r["access"] for rid, r in world.store.live("room_reads").items()}
        assert access == {"general": "read", "help": "lost"}
        asked = [call.endpoint for call in calls].count("permissions.listAll")
        assert asked == (night == 1)  # of a room known as lost nothing more is asked


def test_a_group_read_before_that_a_lost_permission_closes_is_no_lost_group(world):
    world.private = ("staff",)
    world.workspace.join("staff", READER_ID, START - DAY)
    world.night()
    world.workspace.roles["extractor"].remove("view-p-room")
    with pytest.raises(FixAccess, match="1 rooms .* do not grant view-p-room"):
        world.night(START + DAY, units=("messages",))
    assert world.store.live("room_reads")["staff"]["access"] == "read"


def add_team(world):
    for name in ("one", "two", "three"):
        world.workspace.add_room(name, START, id=name, team_id="t", members=["ann", READER_ID])
    members = ["ann", READER_ID]
    world.workspace.add_room("team", START, id="team", team_id="t", team_main=True, members=members)


def test_rooms_that_only_a_lost_permission_listed_are_not_lost(world):
    """A team's rooms vanish from the lists, but stand open; and what lies below them looks as if
    nobody knew what is above it."""
    add_team(world)
    for room in ("one", "two", "three", "team"):
        world.workspace.subscriptions.pop((room, READER_ID))
    world.workspace.add_room("about one", START, id="talk", prid="one", members=["ann"])
    world.night()
    world.workspace.roles["extractor"].remove("view-room-administration")
    before = world.store.text()
    for night in (1, 2):
        with pytest.raises(FixAccess, match="4 rooms .* do not grant view-room-administration"):
            world.night(START + night * DAY, units=("messages",))
        assert world.store.text() == before
    world.workspace.roles["extractor"].add("view-room-administration")
    world.night(START + 3 * DAY)
    assert world.store.live("messages") == world.truth()


def test_most_rooms_that_vanish_from_the_lists_are_lost_and_trouble(world):
    world.workspace.roles["extractor"].remove("view-room-administration")
    add_team(world)
    world.night()
    for room in ("one", "two", "three", "team"):
        world.workspace.subscriptions.pop((room, READER_ID))
    with pytest.raises(FixAccess, match="4 of 6 rooms are closed"):
        world.night(START + DAY, units=("messages",))
    access = {rid: r["access"] for rid, r in world.store.live("room_reads").items()}
    assert access == dict.fromkeys(("one", "two", "three", "team"), "lost") | {
        "general": "read",
        "help": "read",
    }
    world.night(START + 2 * DAY)  # told once; what is left is read


def test_a_list_of_rooms_that_is_not_there_any_more_is_trouble(world, monkeypatch):
    """A proxy's 404 must not pass for a server without the endpoint: rooms would look lost."""
    world.night()
    before = world.store.text()
    monkeypatch.delitem(ROUTES["GET"], "rooms.adminRooms")
    with pytest.raises(BadAnswer, match="listed the rooms before and is not there now"):
        world.night(START + DAY)
    assert world.store.text() == before


def test_a_server_that_never_had_the_list_of_all_rooms(world, monkeypatch):
    monkeypatch.delitem(ROUTES["GET"], "rooms.adminRooms")
    for night in range(2):
        world.night(START + night * DAY)
    assert set(world.store.live("rooms")) == {"general", "help"}


def test_a_list_that_counts_more_than_it_shows(world, monkeypatch):
    shown = ROUTES["GET"]["users.list"]

    def counted(call):
        page = shown.handler(call)
        return page | {"total": page["total"] + 2}

    monkeypatch.setitem(ROUTES["GET"], "users.list", replace(shown, handler=counted))
    world.night()
    assert {"ann", "ben"} <= world.store.live("users").keys()


def test_a_token_without_its_second_factor(world, monkeypatch):
    def asks(_call):
        raise Refusal("TOTP Required [totp-required]", "totp-required")

    guarded = replace(ROUTES["GET"]["users.list"], handler=asks)
    monkeypatch.setitem(ROUTES["GET"], "users.list", guarded)
    with pytest.raises(FixAccess, match="a token that ignores two-factor"):
        world.night(units=("users",))


def test_an_answer_in_another_shape_is_told_in_words(world, monkeypatch, community):
    world.workspace.post("general", "ann", "rude", START, id="m")
    world.workspace.report("m", "ben", "rude", START)
    bare = replace(
        ROUTES["GET"]["moderation.user.reportedMessages"],
        handler=lambda _: {
            "messages": [{"message": {"_id": "m"}}],
            "count": 1,
            "offset": 0,
            "total": 1,
        },
    )
    monkeypatch.setitem(ROUTES["GET"], "moderation.user.reportedMessages", bare)
    said = r"chat/reports: an answer of a form that Hearth does not know \(KeyError\)"
    with pytest.raises(BadAnswer, match=said), understood(community, "chat", "reports"):
        world.night(START + DAY)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T00:00:00.123Z",
        "2026-03-01T01:00:00.123+01:00",
        1772323200123,
        1772323200123.0,
        "1772323200123",
        {"$date": 1772323200123},
        {"$date": "2026-03-01T00:00:00.123Z"},
        {"$date": {"$numberLong": "1772323200123"}},
    ],
)
def test_a_date_in_any_form(written):
    assert to_ms(written) == 1772323200123


@pytest.mark.parametrize("written", ["soon", None, {}, [], {"$date": None}])
def test_a_date_that_is_none(written):
    with pytest.raises(BadAnswer, match="a date that is none"):
        to_ms(written)


def test_an_unknown_stream(world):
    with pytest.raises(FixSettings, match="no stream 'posts'"):
        list(world.source().read("posts", world.store.bookmarks()))


def test_a_server_that_is_down_all_night(world):
    world.faults.rate, world.faults.kinds = 1.0, ("bad_gateway",)
    with pytest.raises(SourceDown, match="502"):
        world.source().plan()


@pytest.mark.parametrize("version", ["7.1.0", "7.7.1", "8.8.1"])
def test_every_supported_version(world, version):
    world.workspace.switches.version = version
    world.private = ("staff",)
    world.workspace.join("staff", READER_ID, START - DAY)
    world.workspace.post("general", "ann", "hello", START - DAY, id="m")
    world.workspace.report("m", "ben", "rude", START - DAY)
    world.night()
    world.workspace.leave("staff", READER_ID, START + MINUTE)
    world.workspace.delete_room("help", START + MINUTE)
    world.workspace.edit("m", "good morning", START + MINUTE)
    world.workspace.dismiss("ann", START + MINUTE, mid="m", action="dismissed")
    world.night(START + DAY)
    assert world.store.live("messages").keys() >= world.truth().keys()
    assert world.store.live("messages")["m"]["msg"] == "good morning"
    assert world.store.live("room_reads")["staff"]["access"] == "lost"
    assert world.store.gone("rooms") == {"help"}
    (report,) = world.store.live("reports").values()
    assert report["moderationInfo"]["action"] == "dismissed"


def test_without_administration_rooms_come_from_other_lists(world):
    world.workspace.roles["extractor"].remove("view-room-administration")
    world.private = ("staff",)
    world.workspace.join("staff", READER_ID, START - DAY)
    world.workspace.post("staff", "ann", "inside", START - DAY)
    world.night()
    assert set(world.store.live("rooms")) == {"general", "help", "staff"}
    assert world.store.live("messages") == world.truth("general", "help", "staff")


def test_lists_longer_than_the_server_gives_at_once(world):
    world.workspace.switches.infinite_count = False
    for n in range(230):
        world.workspace.add_user(f"user{n}", f"User {n}", START)
    for n in range(120):
        world.workspace.add_room(f"room{n}", START, members=["ann"])
    world.night()
    assert len(world.store.live("users")) == 233
    assert len(world.store.live("rooms")) == 122


@pytest.mark.parametrize("seed", range(3))
def test_one_answer_in_ten_is_broken(world, seed):
    world.faults.rate, world.faults.delay_s = 0.1, 0
    world.faults._random.seed(seed)
    chat = world.workspace
    for n in range(6):
        chat.post("general", "ann", f"line {n}", START, id=f"m{n}")
        chat.report(f"m{n}", "ben", "rude", START)
    for night in range(5):
        chat.delete(f"m{night}", "ann", START + night * DAY + MINUTE)
        chat.post("help", "ben", "hello", START + night * DAY + MINUTE)
        world.source().plan()
        world.night(START + (night + 1) * DAY)
        assert world.store.live("messages") == world.truth()
    assert len(world.store.live("reports")) == 6
    assert world.faults.seen


def test_a_server_too_old_to_have_change_feeds(world, monkeypatch):
    route = ROUTES["GET"]["chat.syncMessages"]
    old = replace(route, handler=lambda _call: {"messages": []})
    monkeypatch.setitem(ROUTES["GET"], "chat.syncMessages", old)
    with pytest.raises(BadAnswer, match="is the server 7.1 or newer"):
        world.night()


def test_a_large_room_of_a_server_that_is_too_old_says_what_is_needed(world, monkeypatch):
    monkeypatch.setattr(messages, "WHOLE_ROOM", 1)
    for n in range(3):
        world.workspace.post("general", "ann", f"line {n}", START)
    world.workspace.switches.version = "6.13.0"
    with pytest.raises(BadAnswer, match=r"whether the server is 7\.1 or newer"):
        world.night(START)


def test_the_doctor_praises_a_good_account(world):
    world.clock.set(datetime.now(UTC))
    findings = world.source().probe()
    assert [f for f in findings if f.level != "ok"] == []
    texts = " / ".join(f.text for f in findings)
    for part in ("signed in as hearth", "Rocket.Chat 7.7.1", "Message_KeepHistory is False"):
        assert part in texts


def test_the_doctor_names_what_is_missing_and_what_is_too_much(world):
    world.clock.set(datetime.now(UTC))
    world.private = ("staff", "nowhere")
    role = world.workspace.roles["extractor"]
    role -= {"view-moderation-console", "api-bypass-rate-limit", "view-p-room"}
    role |= {"force-delete-message", "view-joined-room"}
    world.workspace.switches.version = "7.0.3"
    problems = {f.text: f.fix for f in world.source().probe() if f.level != "ok"}
    assert list(problems) == [
        "Rocket.Chat 7.0.3",
        "may not read reports and what became of them",
        "may not read the private groups you named",
        "the rate limit counts our calls: some rooms a minute",
        "has view-joined-room: it closes channels the account has not joined; a bot role brings it",
        "has force-delete-message: reading needs no power to delete",
        "no private group 'nowhere' is visible to the account",
    ]
    assert all(problems.values())


def test_the_doctor_says_that_nothing_can_be_asked(world):
    (finding,) = world.source(token="old").probe()
    assert finding.level == "fail"
    assert "the token was refused" in finding.text


def test_an_estimate_is_what_the_night_costs(world):
    for n in range(7):
        world.workspace.post("general", "ann", f"line {n}", START - DAY)
    estimate = world.source().estimate(world.store.bookmarks())
    calls = world.night()
    assert abs(estimate.requests - len(calls)) <= 2
    assert set(estimate.by_stream) == {"messages", "users", "reports"}


def test_what_small_units_cost_is_known_without_asking(world):
    source = world.source()
    assert [source.estimate(Bookmarks(), unit).requests for unit in ("users", "reports")] == [2, 2]
    assert source.usage.requests == 0
