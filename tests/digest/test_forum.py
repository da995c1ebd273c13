"""A digest as messages of a forum: one thread a week, one reply a night, never a second time."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.digest.edition import Health
from pipeline.digest.forum import answers, post_to_group
from pipeline.errors import FixSettings, HearthError
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import ADMIN_KEY, Forum, app
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.server import running
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse.client import ForumClient, headers, signed_in
from pipeline.sources.http import Budget, Transport
from tests.digest.night import BUSY, HEALTH, edition, row

MONDAY = date(2026, 3, 2)


class World:
    def __init__(self, url, forum, faults, clock):
        settings = DiscourseSettings(
            platform="discourse", url=url, key=ADMIN_KEY, username="system"
        )
        transport = Transport(
            url,
            headers(settings),
            source="forum",
            budget=Budget(None, 10_000, 60),
            timeout_s=5,
            patience_s=5,
            check=signed_in,
            sleep=self.sleep,
        )
        self.client = ForumClient(transport, "system")
        self.forum, self.faults, self.clock = forum, faults, clock

    def sleep(self, seconds):
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))

    def post(self, night=MONDAY, rows=BUSY, group="moderators"):
        self.clock.set(datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=3))
        return post_to_group(self.client, group, replace(edition(rows, HEALTH), night=night), "en")

    def threads(self):
        """title -> texts of every private message, in order."""
        found = {}
        for title, raw in self.forum.db.execute(
            "SELECT t.title, p.raw FROM topics AS t JOIN posts AS p ON p.topic_id = t.id"
            " WHERE t.archetype = 'private_message' AND p.post_type = 1 ORDER BY p.id"
        ).fetchall():
            found.setdefault(title, []).append(raw)
        return found


@pytest.fixture
def world():
    forum, clock = Forum(), Clock(datetime(2026, 3, 2, 3, tzinfo=UTC), frozen=True)
    faults = Faults(app(forum, clock=clock))
    with running(forum_app=faults) as addresses:
        yield World(addresses.forum, forum, faults, clock)


def test_the_week_is_one_thread_and_a_night_one_reply(world):
    addresses = {world.post(MONDAY + timedelta(n), BUSY[: n + 1]) for n in range(8)}
    threads = world.threads()
    assert {title: len(texts) for title, texts in threads.items()} == {
        "Ember users: the morning list, week 10 of 2026": 7,
        "Ember users: the morning list, week 11 of 2026": 1,
    }
    assert len(addresses) == 2
    first = threads["Ember users: the morning list, week 10 of 2026"][0]
    assert first.startswith("**1 newcomer waiting · incomplete**")
    assert first.endswith("<!-- hearth 2026-03-02 0 -->")


def test_a_night_posted_again_even_days_later_is_there_once(world):
    for at in (MONDAY, MONDAY, MONDAY + timedelta(1), MONDAY):
        world.post(at)
    assert [len(texts) for texts in world.threads().values()] == [2]


def test_what_is_too_long_for_one_post_is_two(world):
    long = "www.a.b " * 60
    rows = [
        row(
            str(n),
            "toxic",
            title=long,
            sentence=long,
            channel=long,
            person=long,
            reasons=[{"code": long, "x": long}] * 3,
        )
        for n in range(15)
    ] + [row(f"q{n}", title=long, sentence=long, channel=long, person=long) for n in range(20)]
    made = edition(rows, Health(), most_flags=15, most_questions=20)
    for _ in range(2):
        post_to_group(world.client, "moderators", made, "en")
    (texts,) = world.threads().values()
    assert len(texts) == 2
    assert max(map(len, texts)) <= 32_000


@pytest.mark.parametrize("fault", ["bad_gateway", "unavailable", "cut", "truncated"])
def test_a_fault_is_told_and_the_rerun_completes_without_doubling(world, fault):
    world.faults.next_answers(None, fault, fault, fault)
    for _ in range(3):
        with suppress(HearthError):
            world.post()
    world.post()
    assert [len(texts) for texts in world.threads().values()] == [1]


def test_a_group_that_takes_no_messages_is_named(world):
    with pytest.raises(FixSettings, match="can't send a personal message to nobody"):
        world.post(group="nobody")
    assert world.threads() == {}


def test_replies_of_readers_in_the_threads_of_three_weeks_are_read_back(world):
    assert answers(world.client, "demo", "moderators", MONDAY) == []
    ada = world.forum.add_user("ada", "Ada", world.clock.now(), moderator=True)
    told, friday = MONDAY - timedelta(2), MONDAY + timedelta(4)
    for night in (told, MONDAY):
        topic = int(world.post(night).rpartition("/")[2])
        world.forum.reply(topic, ada, f"zmp6zan agree, {night}", world.clock.now())
    before = int(world.post(told).rpartition("/")[2])
    for day in (friday, MONDAY + timedelta(7)):  # the latter is too late for this thread
        world.clock.set(datetime.combine(day, datetime.min.time(), UTC))
        world.forum.reply(before, ada, f"zmp6zan unsure, {day}", world.clock.now())

    def heard(days):
        found = answers(world.client, "demo", "moderators", MONDAY + timedelta(days))
        return [(text.split()[1].strip(","), at.date()) for _, text, at in found]

    first, second, third = ("agree", told), ("agree", MONDAY), ("unsure", friday)
    assert heard(-1) == [first, third]
    assert heard(3) == heard(7) == [first, third, second]
    assert heard(14) == [second]
    assert heard(21) == []
