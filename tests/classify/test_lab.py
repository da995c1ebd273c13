"""The lab walks the past as the nights saw it, and says how right a change would have been."""

import json
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

from pipeline import steps, warehouse
from pipeline.classify.judge import Judge
from pipeline.classify.lab import Setup, Tally, compare
from pipeline.cli import app
from pipeline.settings import load
from tests.classify.test_judging import NOW, Quarrels

CHANGED = Setup(Judge(("en",)), {"strict": 1.0}, frozenset({"sour/reports"}))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two nights; between them a moderator agreed with the attack, and deleted it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("pipeline.steps.running.validate", lambda night: {})
        world = Quarrels(tmp_path_factory.mktemp("home"), monkeypatch)
        with world.serve() as addresses:
            world.settings(addresses)
            world.night()
            world.found = world.work(
                "SELECT source, thread_id, kind, message_id, list_sort(evidence)"
                " FROM judgement.threads WHERE kind <> 'question' OR level = 'L0' ORDER BY ALL"
            )
            ledger = (world.folder / "digests" / "ledger.jsonl").read_text().splitlines()[-1]
            attack = next(
                item["ref"]
                for item in json.loads(ledger)["items"]
                for key in item["keys"]
                if key[2] == "toxic"
            )
            steps.give_verdict(attack, "agree", "mo")
            world.forum.delete_post(world.rude, world.ben, NOW + timedelta(hours=5))
            world.clock.set(NOW + timedelta(days=1))
            world.night(day=1)
        yield world


def outcome(nights=180, current=None, tried=None):
    home = load().community()
    plain = Setup(Judge(("en",)))
    with warehouse.read_only(home) as db:
        return compare(db, home, current or plain, tried or plain, nights)


def test_the_past_is_flagged_as_the_nights_did(world):
    """Also what a moderator deleted since; a flag stands on the first night that had it."""
    found = outcome()
    flags = [
        (flag.source, flag.thread_id, flag.kind, flag.message_id, sorted(flag.evidence))
        for flag in found.current
    ]
    assert sorted(flags) == world.found
    assert found.adds == found.loses == []
    nights = {flag.kind: flag.night for flag in found.current if flag.message_id == str(world.rude)}
    assert nights == {"toxic": date(2026, 2, 28), "sour": date(2026, 2, 28)}


def test_a_change_is_held_against_what_is_in_use_and_what_moderators_said(world):
    found = outcome(tried=CHANGED)
    assert found.adds == []
    assert [flag.kind for flag in found.loses] == ["toxic"]
    assert found.tally(found.loses) == Tally(1, 1, 1)
    assert found.tally(found.loses).precision == "100% (21 to 100)"
    sour = [
        [f.evidence for f in flags if f.kind == "sour"] for flags in (found.current, found.tried)
    ]
    assert set(sour[0][0]) - set(sour[1][0]) >= {"alert", "reports"}


def test_what_was_open_before_the_first_night_is_no_news_of_it(world):
    whole = outcome().current
    last, newest = date(2026, 3, 3), max(flag.night for flag in whole)
    for first in (newest, last):
        found = outcome(nights=(last - first).days + 1)
        news = [flag for flag in found.current if not flag.was_open]
        assert news == [flag for flag in whole if flag.night >= first]
        before = {flag.item for flag in found.current if flag.was_open}
        assert before == {flag.item for flag in whole if flag.night < first} != set()
        assert found.tally(found.current) == Tally(len(news), 2, 2, len(before))
        assert found.most_a_night(found.current) == len(news)
    assert newest < last
    assert outcome().tally(whole).open_before == 0


def test_a_change_also_loses_what_was_open_before(world):
    found = outcome(nights=1, tried=CHANGED)
    assert (found.adds, found.tally(found.loses)) == ([], Tally(0, 1, 1, 1))


def test_nights_before_the_first_message_are_none(world):
    first = outcome().nights
    assert first < 40
    assert outcome(nights=2).nights == 2


def test_the_command_prints_it_masked_or_whole(world):
    run = CliRunner().invoke(app, ["lab", "--threshold", "strict=1", "--rule", "sour/reports"])
    assert run.exit_code == 0, run.output
    assert "loses" in run.output
    assert "idiot" not in run.output
    data = CliRunner().invoke(app, ["lab", "--threshold", "strict=1", "--json"])
    said = json.loads(data.output)
    assert [(f["kind"], f["agreed"]) for f in said["loses"]] == [("toxic", True)]
    assert said["loses"][0]["url"].startswith("http")


def test_nothing_is_compared_with_itself(world):
    run = CliRunner().invoke(app, ["lab"])
    assert run.exit_code == 0, run.output
    assert "Nothing was tried: name it with --threshold, --rule, --models or" in run.output
    assert " now " in run.output
    assert " tried " not in run.output
    assert " adds " not in run.output
    learned = CliRunner().invoke(app, ["lab", "--learned"])
    assert "ember: no model is in the shadow; `hearth models` says" in str(learned.exception)


@pytest.mark.parametrize(
    "wrong", [["--threshold", "strict=high"], ["--threshold", "rude=0.5"], ["--rule", "sour/pase"]]
)
def test_a_wrong_word_is_named(world, wrong):
    run = CliRunner().invoke(app, ["lab", *wrong])
    assert wrong[1] in str(run.exception)
