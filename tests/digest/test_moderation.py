"""Mornings of a small community: a night is made, and readers are told at their hour."""

import json
from datetime import UTC, datetime

import pytest

from pipeline import steps, warehouse
from pipeline.digest.heard import Heard
from pipeline.digest.ledger import Ledger
from pipeline.digest.verdicts import Verdict
from pipeline.erase import _case_tells
from pipeline.errors import Degraded, FixSettings
from pipeline.housekeeping import alone
from pipeline.person import Person
from pipeline.settings import load
from tests.conftest import MAIL, SECRETS
from tests.test_night import World

READERS = """
[communities.ember.digest.audiences.moderators]
mail_to = ["mods@example.org"]
time_zone = "Europe/Berlin"
send_at = "09:00"
"""


@pytest.fixture
def morning(tmp_path, unchecked, monkeypatch, inbox):
    """A night of two o'clock that is over, and a clock to set."""
    world = World(tmp_path, monkeypatch)

    def at(hour, minute=0):
        now = datetime(2026, 3, 2, hour, minute, tzinfo=UTC)
        monkeypatch.setattr("pipeline.steps.moderation._now", lambda: now)

    world.at = at
    with world.serve() as addresses:
        world.settings(addresses)
        file = world.folder / "hearth.toml"
        file.write_text(file.read_text() + MAIL.format(port=inbox.port) + READERS)
        at(2, 30)
        world.night()
        yield world


def test_a_case_file_tells_what_happened_and_no_word_of_it(morning):
    topic, post = morning.topics[0]
    page, html, data = steps.case_file(f"forum/{topic}")
    told = page.read_text()
    assert told.startswith("# Ember: case file\n\nHow do I mend thing 0\\?")
    assert "- P1: Anna (" in told
    assert "- P2: Ben (" in told
    assert f"P1 wrote {post}, text " in told
    assert "## What was decided, by whom\n\n…" in told
    events = json.loads(data.read_text())["events"]
    assert [event["kind"] for event in events] == ["message", "found", "message"]
    assert not any("It broke" in file.read_text() for file in (page, html, data))
    assert {f.stat().st_mode & 0o077 for f in (page.parent, page, html, data)} == {0}
    page.write_text("What people decided.")
    steps.case_file(f"forum/{topic}")
    assert "What people decided." in [f.read_text() for f in page.parent.glob("case-*.md")]
    ben = Person("forum", str(morning.ben), frozenset({"ben"}), frozenset({"Ben"}))
    other = Person("forum", "999", frozenset({"zed"}), frozenset())
    assert _case_tells(page.parent, ben, {str(topic)})
    assert not _case_tells(page.parent, other, set())
    with pytest.raises(FixSettings, match="no thread forum/0 is held"):
        steps.case_file("forum/0")


def test_the_night_writes_and_the_hour_sends_once(morning, inbox, monkeypatch):
    assert (morning.folder / "digests" / "2026-03-02-moderators" / "digest.html").exists()
    with monkeypatch.context() as nobody:
        for secret in SECRETS:
            nobody.delenv(secret)
        [preview, mail] = steps.preview()
    assert mail.read_bytes().startswith(b"From: Ember <hearth@example.org>")
    assert preview.read_text().count("How do I mend thing") == 6
    assert inbox.messages == []
    morning.at(7, 59)
    assert steps.send_due() == []
    morning.at(8)
    file = morning.folder / "hearth.toml"
    text = file.read_text()
    file.write_text(text.replace(f"port = {inbox.port}", "port = 1"))
    with pytest.raises(Degraded, match="ember: not all was told; moderators/mail: mail server"):
        steps.send_due()
    file.write_text(text)

    def alone_too_late(home):
        monkeypatch.setattr("pipeline.steps.moderation.alone", alone)
        assert steps.send_due() == ["moderators/mail: 6 items; 1 of 1 readers"]
        return alone(home)

    monkeypatch.setattr("pipeline.steps.moderation.alone", alone_too_late)
    assert steps.send_due() == []
    morning.at(9)
    assert steps.send_due() == []
    [message] = inbox.messages
    assert "Subject: [Ember] 6 open questions" in message.text


def test_after_an_upgrade_the_next_night_comes_before_all_else(morning, inbox):
    with warehouse.opened(load().community()) as db:
        db.execute("ALTER TABLE marts.digest_items DROP COLUMN who_might_know")
        db.execute("DROP TABLE marts.health")
        db.execute("DROP TABLE marts.reports")
    morning.at(8)
    topic, _ = morning.topics[0]
    for ask in (steps.send_due, steps.preview, lambda: steps.case_file(f"forum/{topic}")):
        with pytest.raises(FixSettings, match="ember: the work file lacks what .* run a night"):
            ask()
    assert inbox.messages == []


def test_a_report_that_no_mail_server_took_goes_out_the_next_night(morning, inbox):
    file = morning.folder / "hearth.toml"
    text = file.read_text() + '\n[communities.ember.report]\nmail_to = ["team@example.org"]\n'
    text += 'periods = ["week"]\n'
    night = steps.last_night("ember")
    file.write_text(text.replace(f"port = {inbox.port}", "port = 1"))
    steps.write_reports(night)
    assert inbox.messages == []
    file.write_text(text)
    steps.write_reports(night)
    steps.write_reports(night)
    [message] = inbox.messages
    assert "Subject: Ember: the week" in message.text


def test_a_forum_that_is_down_keeps_no_reader_waiting_and_no_verdict_from_counting(morning, inbox):
    home = load().community()
    item = next(item for entry in Ledger.of(home) for item in entry.items)
    now = datetime(2026, 3, 2, 6, tzinfo=UTC)
    Heard.of(home).replace([Verdict(item.keys, "ada", "agree", now, via="forum")], now)
    file = morning.folder / "hearth.toml"
    forum = home.sources["forum"].url
    text = (
        file.read_text()
        .replace(forum, "http://127.0.0.1:9")
        .replace(
            "[communities.ember.sources.forum]", "[communities.ember.sources.forum]\npatience_s = 1"
        )
    )
    file.write_text(
        f'{text}\n[communities.ember.digest.audiences.others]\ndiscourse = "forum/staff"\n'
    )
    morning.at(8)
    with pytest.raises(Degraded, match="others/discourse: forum: "):
        steps.send_due()
    [message] = inbox.messages
    assert "Subject: [Ember] 5 open questions" in message.text
    assert '"what moderators said was not heard: forum: ' in morning.said()


def test_what_was_built_but_not_published_is_told_nobody(morning, inbox):
    steps.build({**steps.last_night("ember"), "as_of": "2026-02-20T02:00:00+00:00"})
    morning.at(8)
    for ask in (steps.send_due, steps.preview):
        with pytest.raises(FixSettings, match="the work file speaks of 2026-02-20 02:00 UTC"):
            ask()
    assert inbox.messages == []
