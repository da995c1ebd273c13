"""When readers are told: on their own clocks, once, and never in their quiet hours."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.digest.due import due_at, is_due
from pipeline.settings import Audience

ZONES = ("UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe")
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def reader(**settings):
    return Audience.model_validate(settings)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(moments, clocks, st.sampled_from(ZONES))
def test_a_night_is_due_once_within_a_day_on_the_readers_own_clock(as_of, clock, zone):
    at = due_at(reader(send_at=clock), zone, as_of)
    assert timedelta() <= at - as_of <= timedelta(hours=25)
    local = at.astimezone(ZoneInfo(zone))
    shifted = local.replace(tzinfo=None) - datetime.combine(local.date(), clock)
    assert shifted in (timedelta(), timedelta(minutes=30), timedelta(hours=1))


@given(moments, clocks, clocks, st.sampled_from(ZONES), st.integers(0, 48))
def test_nothing_is_due_in_quiet_hours(as_of, begins, ends, zone, hours):
    if begins == ends:
        return
    quiet, now = reader(quiet=(begins, ends)), as_of + timedelta(hours=hours)
    assert is_due(quiet, zone, as_of, now) != quiet.is_quiet(now.astimezone(ZoneInfo(zone)).time())


@pytest.mark.parametrize(
    ("night", "wanted"),
    [
        ("2026-03-28T01:00", "2026-03-28T08:00"),  # winter time
        ("2026-03-29T01:00", "2026-03-29T07:00"),  # the clocks went forward in the night
        ("2026-10-25T01:30", "2026-10-25T08:00"),  # and back
        ("2026-03-28T09:00", "2026-03-29T07:00"),  # made after nine: tomorrow
    ],
)
def test_nine_is_nine_in_summer_and_winter(night, wanted):
    assert due_at(reader(send_at="09:00"), "Europe/Berlin", utc(night)) == utc(wanted)


def test_an_hour_that_is_left_out_comes_an_hour_later_and_one_that_comes_twice_counts_once():
    early = reader(send_at="02:30")
    assert due_at(early, "Europe/Berlin", utc("2026-03-29T00:00")) == utc("2026-03-29T01:30")
    assert due_at(early, "Europe/Berlin", utc("2026-10-25T00:00")) == utc("2026-10-25T00:30")


def test_days_are_those_of_the_readers():
    monday_in_shanghai = utc("2026-03-01T20:00")  # a Sunday in Europe
    weekdays = reader(days=[1, 2, 3, 4, 5], send_at="09:00")
    at = utc("2026-03-02T01:00")
    assert is_due(weekdays, "Asia/Shanghai", monday_in_shanghai, at)
    assert not is_due(reader(days=[7], send_at="09:00"), "Asia/Shanghai", monday_in_shanghai, at)
    assert not is_due(weekdays, "Asia/Shanghai", monday_in_shanghai, at - timedelta(minutes=1))


def test_a_night_in_quiet_hours_waits_for_their_end_and_belongs_to_the_day_they_end():
    quiet = {"quiet": ["22:00", "08:00"]}
    friday_evening, saturday = utc("2026-03-06T22:30"), utc("2026-03-07T08:00")
    assert due_at(reader(**quiet), "UTC", friday_evening) == saturday
    assert due_at(reader(**quiet), "UTC", saturday) == saturday
    assert is_due(reader(**quiet), "UTC", friday_evening, saturday)
    assert not is_due(reader(**quiet, days=[1, 2, 3, 4, 5]), "UTC", friday_evening, saturday)
    assert is_due(reader(**quiet, days=[6]), "UTC", friday_evening, saturday)


def test_a_weekly_audience_is_told_on_the_first_of_its_days():
    friday = reader(weekly=True, days=[5, 1])
    told = [
        n
        for n in range(14)
        for at in [utc("2026-03-02T02:00") + timedelta(days=n)]
        if is_due(friday, "UTC", at, at)
    ]
    assert told == [4, 11]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"send_at": "23:00", "quiet": ["22:00", "08:00"]}, "send_at lies in the quiet hours"),
        ({"quiet": ["08:00", "08:00"]}, "begins when it ends"),
        ({"time_zone": "Europe/Nowhere"}, "IANA time zone"),
        ({"send_at": "25:00"}, "send_at"),
    ],
)
def test_hours_that_cannot_be_are_refused(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        reader(**settings)


def test_quiet_hours_end_on_the_minute():
    night = reader(quiet=["22:00", "08:00"])
    hours = [time(21, 59), time(22), time(0), time(7, 59), time(8)]
    assert [night.is_quiet(at) for at in hours] == [False, True, True, True, False]
