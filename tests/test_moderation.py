"""What members report and moderators say, from the servers to the restricted file."""

import json
from datetime import timedelta

import pytest

from pipeline import steps, warehouse
from pipeline.tonight import home_of
from tests.test_night import NOW, World, ago


@pytest.mark.parametrize("way_in", ["data_explorer", "rest"])
def test_reports_and_what_became_of_them(way_in, tmp_path, unchecked, monkeypatch):
    world = World(tmp_path, monkeypatch)
    forum, chat = world.forum, world.chat
    moderator = forum.add_user("mo", "Mo", ago(900), moderator=True)
    first, second = (post for _, post in world.topics[:2])
    spam = forum.flag(first, world.ben, "spam", ago(20))
    forum.flag(second, world.ben, "off_topic", ago(20))
    keeper = chat.add_user("keeper", "Keeper", ago(900))
    for message in world.messages[:2]:
        chat.report(message, keeper, "rude", ago(10))
    forum.review(spam, "approved", moderator, ago(10))
    with world.serve() as addresses:
        world.settings(addresses, forum=f'way_in = "{way_in}"')
        world.night()
        chat.dismiss(keeper, NOW + timedelta(hours=1), mid=world.messages[0])
        world.clock.set(NOW + timedelta(days=1))
        world.night(day=1)
    found = world.published(
        "SELECT r.source, message_id, kind, outcome, b.username, time_to_resolution_h, m.username"
        " FROM marts.reports AS r JOIN marts.accounts AS b ON b.person_id = reporter_id"
        " LEFT JOIN marts.accounts AS m ON m.person_id = resolver_id"
        " WHERE is_by_human AND about = 'message' AND NOT is_private ORDER BY r.source, outcome",
        file="restricted",
    )
    assert found == [
        ("chat", world.messages[0], "free_text", "disagreed", "keeper", 11.0, "keeper"),
        ("chat", world.messages[1], "free_text", "open", "keeper", None, None),
        ("forum", str(first), "spam", "agreed", "ben", 10.0, "mo"),
        ("forum", str(second), "off_topic", "open", "ben", None, None),
    ]


def test_a_verdict_is_published_the_next_night_and_survives_a_new_work_file(
    tmp_path, unchecked, monkeypatch
):
    world = World(tmp_path, monkeypatch)
    sql = "SELECT finding, choice, via, evidence, is_last FROM marts.verdicts"
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        ledger = (world.folder / "digests" / "ledger.jsonl").read_text().splitlines()
        item = json.loads(ledger[0])["items"][0]
        assert steps.give_verdict(item["ref"], "disagree", "mo") == len(item["keys"]) == 1
        world.clock.set(NOW + timedelta(days=1))
        night = world.night(day=1)
    said = world.published(sql, file="restricted")
    assert said == [("question", "disagree", "", item["keys"][0][4], True)]
    steps.rebuild(night, from_landing=True)
    with warehouse.opened(home_of(night)) as db:
        assert db.execute(sql).fetchall() == said
