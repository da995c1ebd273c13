"""Reports of members, and what moderators did with them."""

from datetime import timedelta

import pytest

from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def reported(world):
    """Two reports of one message of ann's, one of another, one of ben's; read once."""
    chat, at = world.workspace, START - DAY
    for person, mid in (("ann", "a1"), ("ann", "a2"), ("ben", "b1")):
        chat.post("general", person, f"rude words {mid}", at, id=mid)
    for number, (mid, by) in enumerate(
        (("a1", "ben"), ("a1", "ann"), ("a2", "ben"), ("b1", "ann"))
    ):
        chat.report(mid, by, f"rude {number}", at + number * MINUTE)
    world.night(START)
    return world


def held(world):
    """(reported message, why) -> what was done."""
    return {
        (r["message"]["_id"], r["description"]): r.get("moderationInfo", {}).get("action")
        for r in world.store.live("reports").values()
    }


def truth(world):
    return {
        (r["message"]["_id"], r["description"]): r.get("moderationInfo", {}).get("action")
        for r in world.workspace.reports.values()
    }


def moderation_calls(calls):
    return [call.endpoint for call in calls if call.endpoint.startswith("moderation")]


def test_all_reports_arrive_with_the_message_as_it_was(reported):
    assert len(held(reported)) == 4
    assert held(reported) == truth(reported)
    reported.workspace.delete("a1", "ann", START + MINUTE)
    reported.night(START + DAY)
    texts = {r["message"]["msg"] for r in reported.store.live("reports").values()}
    assert texts == {"rude words a1", "rude words a2", "rude words b1"}


def test_a_night_without_news_costs_two_requests(reported):
    calls = reported.night(START + DAY)
    assert moderation_calls(calls) == ["moderation.reportsByUsers"] * 2


def test_outcomes_are_learned(reported):
    reported.workspace.dismiss("ben", START + MINUTE, mid="a1", action="dismissed", reason="banter")
    reported.night(START + DAY)
    assert held(reported) == truth(reported)
    assert set(held(reported).values()) == {None, "dismissed"}
    assert moderation_calls(reported.night(START + 2 * DAY)) == ["moderation.reportsByUsers"] * 2


def test_one_closed_and_one_opened_on_the_same_day(reported):
    reported.workspace.dismiss("ben", START + MINUTE, mid="a2", action="DELETE Messages")
    reported.workspace.report("a1", "ben", "again", START + 2 * MINUTE)
    reported.night(START + DAY)
    assert len(held(reported)) == 5
    assert held(reported) == truth(reported)


def test_a_report_opened_and_closed_between_two_nights_is_not_seen(reported):
    reported.workspace.post("help", "ben", "fine words", START, id="h")
    reported.workspace.report("h", "ann", "by mistake", START + MINUTE)
    reported.workspace.dismiss("ann", START + 2 * MINUTE, mid="h")
    reported.night(START + DAY)
    assert ("h", "by mistake") not in held(reported)


def test_a_report_of_a_message_in_a_new_room(reported):
    reported.workspace.add_room("late", START, id="late", members=["ann"])
    reported.workspace.post("late", "ann", "rude", START, id="l")
    reported.workspace.report("l", "ben", "rude", START + MINUTE)
    reported.night(START + DAY, units=("reports",))
    assert ("l", "rude") in held(reported)


def test_more_than_a_page_of_reports(world):
    for n in range(130):
        world.workspace.post("general", "ann", f"m{n}", START, id=f"m{n}")
        world.workspace.report(f"m{n}", "ben", "rude", START + timedelta(seconds=n))
    world.night(START + DAY)
    assert len(held(world)) == 130
    assert held(world) == truth(world)


def test_many_reports_of_one_message_are_asked_for_once(world):
    for mid in ("m", "n"):
        world.workspace.post("general", "ann", "rude words", START, id=mid)
    for n in range(250):
        world.workspace.report("m", "ben", f"rude {n}", START + timedelta(seconds=n))
    world.workspace.report("n", "ben", "rude too", START + DAY)
    calls = moderation_calls(world.night(START + 2 * DAY))
    assert held(world) == truth(world)
    assert len(held(world)) == 251
    assert calls == [
        "moderation.reportsByUsers",
        *["moderation.user.reportedMessages"] * 3,
        *["moderation.reports"] * 4,
    ]


def test_a_report_from_a_room_that_became_private_is_not_written_down(reported):
    reported.workspace.make_private("help", START + MINUTE)
    reported.workspace.post("help", "ben", "behind doors", START + 2 * MINUTE, id="p")
    reported.workspace.report("p", "ann", "rude", START + 3 * MINUTE)
    reported.night(START + DAY, units=("reports",))
    assert "behind doors" not in reported.store.text()
    assert len(held(reported)) == 4
