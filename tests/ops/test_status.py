"""What the operations page, its data and `hearth status` say of nights."""

import json
import os
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline import cli, settings, status, tonight, validate
from pipeline.errors import ContractBroken, Degraded, FixSettings
from pipeline.journal import Journal, Line
from pipeline.validate import Broken, Validation
from tests.conftest import MAIL, make_community


def line(level, step, text=""):
    return Line(0.0, level, step, text)


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([], "unfinished"),
        ([line("done", "load"), line("progress", "forum/forum")], "unfinished"),
        ([line("done", "publish"), line("done", "night")], "whole"),
        ([line("trouble", "load"), line("done", "load"), line("done", "night")], "whole"),
        ([line("trouble", "forum"), line("trouble", "conclude")], "stale"),
        ([line("trouble", "validate")], "failed"),
        ([line("done", "digest"), line("trouble", "write_reports")], "failed"),
        ([line("trouble", "publish"), line("done", "publish")], "unfinished"),
        ([line("trouble", "ping"), line("done", "publish")], "unfinished"),
    ],
)
def test_a_journal_tells_how_a_run_ended(lines, state):
    assert status.outcome(lines)[0] == state


def test_a_whole_night_on_the_page_and_in_the_data(world, quickly_validated):
    with world.serve() as addresses:
        world.settings(addresses)
        night = world.night()
    state = json.loads((world.folder / "ops" / "status.json").read_text())
    assert state["published"]["run"] == night["run"]
    assert [(run["run"], run["state"], run["troubles"]) for run in state["runs"]] == [
        (
            night["run"],
            "whole",
            [{"step": "marts.threads", "text": "r (warning): S. Rows that break it: 2."}],
        )
    ]
    assert [(s["source"], s["messages"]) for s in state["sources"]] == [("forum", 18), ("chat", 9)]
    assert state["sources"][1]["newest_at"] == "2026-02-28T08:00:00Z"
    read = {(s["source"], s["stream"]): s for s in state["streams"]}
    assert read["chat", "messages"]["records"] > 0
    assert 0 <= read["forum", "forum"]["share_used"] <= 1
    assert all(s["lag_h"] < 1 for s in state["streams"] if not s["unavailable"])
    broken = {"table": "marts.threads", "rule": "r", "severity": "warning", "says": "S.", "rows": 2}
    assert state["validation"] == {
        "run": night["run"],
        "has_docs": False,
        "checked": 3,
        "broken": [broken],
        "rows": {"marts.threads": {"forum": 12}},
    }
    assert [(d["audience"], d["channel"], d["night"]) for d in state["digests"]] == [
        ("moderators", "files", "2026-03-02")
    ]
    assert state["sizes"]["published"] > 0
    page = (world.folder / "ops" / "index.html").read_text()
    assert night["run"] in page
    assert "anna" not in page  # counts and places, no people
    assert (world.folder / "ops" / "index.html").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def quickly_validated(monkeypatch):
    """What Great Expectations finds after seconds; it has its own tests."""
    broken = (Broken("marts.threads", "r", "warning", "S.", 2),)
    found = Validation(3, broken, Path("index.html"), {"marts.threads": {"forum": 12}})
    monkeypatch.setattr(validate, "validate", lambda file, docs, last_night: found)


def test_a_community_without_nights_has_a_page(community):
    state = status.write_page(community, datetime.now(UTC))
    assert (state["published"], state["runs"], state["streams"], state["digests"]) == (
        None,
        [],
        [],
        [],
    )
    assert "Nothing was published yet" in (community.home / "ops" / "index.html").read_text()


def test_a_rollback_makes_no_night_younger(tmp_path):
    community = make_community(tmp_path)
    folder = tmp_path / "published"
    folder.mkdir()
    night = folder / "community-1Z.duckdb"
    duckdb.connect(night).close()
    os.utime(night, (0, 3600))
    told = {"name": night.name, "rows": {}}
    said = {"run": "1Z", "as_of": "1970-01-01T00:00:00+00:00", "community": told}
    (folder / "manifest.json").write_text(json.dumps({**said, "restricted": told}))
    state = status.collect(community, datetime(1970, 1, 1, 3, tzinfo=UTC))
    assert (state["published"]["at"], state["published"]["age_h"]) == (
        "1970-01-01T01:00:00+00:00",
        2.0,
    )


def test_what_servers_say_is_text_on_the_page(tmp_path):
    community = make_community(tmp_path)
    (tmp_path / "runs" / "20260302T020000000000Z").mkdir(parents=True)
    journal = Journal(tmp_path / "runs" / "20260302T020000000000Z" / "journal.jsonl")
    journal.trouble("forum", "<script>alert(1)</script>\u2028<b>")
    status.write_page(community, datetime.now(UTC))
    page = (tmp_path / "ops" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_night_at_work_shows_how_far_it_has_come(tmp_path):
    community = make_community(tmp_path)
    run = "20260302T020000000000Z"
    journal = Journal(community.home / "runs" / run / "journal.jsonl")
    journal.file.parent.mkdir(parents=True)
    journal.done("forum/forum", "12 posts; 5 requests via data_explorer")
    journal.progress("chat/messages", "8 records, 2 requests, 44.4 a second")
    reached = {"step": "chat/messages", "text": "8 records, 2 requests, 44.4 a second"}
    [told] = status.write_page(community, datetime.now(UTC))["runs"]
    assert (told["run"], told["state"], told["reached"]) == (run, "unfinished", reached)
    assert "Came as far as <b>chat/messages</b>" in (community.home / "ops/index.html").read_text()
    journal.done("night", "whole")
    [told] = status.write_page(community, datetime.now(UTC))["runs"]
    assert (told["state"], told["reached"]) == ("whole", None)


def test_data_docs_that_an_erasure_removed_are_not_linked(tmp_path):
    community = make_community(tmp_path)
    for place in (
        "runs/20260302T020000000000Z/validation.json",
        "docs/20260302T020000000000Z/index.html",
    ):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text('{"checked": 9, "broken": [], "rows": {}}')
    status.write_page(community, datetime.now(UTC))
    link = "../docs/20260302T020000000000Z/index.html"
    assert link in (tmp_path / "ops/index.html").read_text()
    (tmp_path / "ops" / link).resolve().unlink()
    status.write_page(community, datetime.now(UTC))
    page = (tmp_path / "ops/index.html").read_text()
    assert link not in page and "9 promises, 0 broken." in page


def test_a_line_cut_short_is_left_out(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.trouble("forum", "down")
    with journal.file.open("ab") as out:
        out.write(b'{"at": 1, "level": "do')
    assert [(entry.step, entry.text) for entry in journal.lines()] == [("forum", "down")]


def test_a_broken_night_is_told_and_leaves_the_dead_man_as_he_was(world, monkeypatch):
    def break_(night):
        raise ContractBroken("1 critical rule(s) broken; nothing was published")

    monkeypatch.setattr("pipeline.steps.running.validate", tonight.in_journal(break_))
    break_.__name__ = "validate"
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(ContractBroken):
            world.night()
    state = json.loads((world.folder / "ops" / "status.json").read_text())
    assert state["published"] is None
    assert not (world.folder / "ops" / "last_published").exists()


@pytest.mark.parametrize(
    ("written", "error", "says"),
    [
        (None, Degraded, "no night was ever published"),
        ("2026-03-01T01:00:00+00:00", Degraded, r"25\.0 h old, more than 24 h"),
        ("2026-03-01T03:00:00+00:00", None, "published 23.0 h ago"),
        ("2026-03-", FixSettings, "damaged"),
    ],
)
def test_a_night_that_is_too_old_is_an_error(tmp_path, written, error, says):
    community = make_community(tmp_path)
    if written:
        (tmp_path / "ops").mkdir()
        (tmp_path / "ops" / "last_published").write_text(written)
    now = datetime(2026, 3, 2, 2, tzinfo=UTC)
    if error:
        with pytest.raises(error, match=says):
            status.check(community, now, 24)
    else:
        assert says in status.check(community, now, 24)


def test_the_command_prints_it(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
        night = world.night()
    shown = CliRunner().invoke(cli.app, ["status"])
    assert shown.exit_code == 0
    assert night["run"] in shown.output
    assert "chat/messages" in shown.output
    told = CliRunner().invoke(cli.app, ["status", "--json"])
    assert json.loads(told.output)["published"]["run"] == night["run"]
    assert CliRunner().invoke(cli.app, ["status", "--check", "30"]).exit_code == 0


class Watchdog(BaseHTTPRequestHandler):
    heard = []
    answer = 200

    def do_GET(self):
        self.heard.append(self.path)
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def watchdog():
    Watchdog.heard, Watchdog.answer = [], 200
    with HTTPServer(("127.0.0.1", 0), Watchdog) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("answer", [200, 500])
def test_the_watchdog_hears_of_a_publish_and_cannot_spoil_it(world, unchecked, watchdog, answer):
    Watchdog.answer = answer
    with world.serve() as addresses:
        world.settings(addresses)
        file = world.folder / "hearth.toml"
        ping = f'ping = "http://127.0.0.1:{watchdog}/planted-secret"'
        file.write_text(
            file.read_text().replace("[communities.ember]\n", f"[communities.ember]\n{ping}\n")
        )
        night = world.night()
    assert Watchdog.heard == ["/planted-secret"]
    said = (world.folder / "runs" / night["run"] / "journal.jsonl").read_text()
    assert ("answered 500" in said) == (answer == 500)
    assert "planted-secret" not in said


def test_operators_hear_of_a_night_that_was_not_whole(world, unchecked, inbox, monkeypatch):
    with world.serve() as addresses:
        world.settings(addresses)
        file = world.folder / "hearth.toml"
        text = file.read_text().replace("\nbots =", '\noperators = ["ops@example.org"]\nbots =')
        file.write_text(text + MAIL.format(port=inbox.port))
        world.night()
        assert inbox.messages == []
        monkeypatch.setenv("HEARTH_EMBER_CHAT_TOKEN", "x" * 43)
        with pytest.raises(Degraded):
            world.night(day=1)
    [mail] = inbox.messages
    assert mail.readers == ["ops@example.org"]
    assert "Subject: Hearth, Ember: the night was published, but something" in mail.text
    assert "chat" in mail.text
    assert "x" * 43 not in mail.text


def test_operators_hear_of_a_reader_whom_the_mail_server_refuses(world, unchecked, inbox):
    inbox.refuse_reader = "gone@example.org"
    with world.serve() as addresses:
        world.settings(addresses)
        file = world.folder / "hearth.toml"
        text = file.read_text().replace("\nbots =", '\noperators = ["ops@example.org"]\nbots =')
        readers = 'mail_to = ["mods@example.org", "gone@example.org"]\n'
        audience = f"[communities.ember.digest.audiences.moderators]\n{readers}"
        file.write_text(text + MAIL.format(port=inbox.port) + audience)
        world.night()
    [digest, notice] = inbox.messages
    assert (digest.readers, notice.readers) == (["mods@example.org"], ["ops@example.org"])
    said = "digest/moderators/mail: the mail server refused gone@example.org, the others have it"
    assert "Subject: Hearth, Ember: the night was published, but not everybody was told" in (
        notice.text
    )
    assert said in notice.text.replace("=\r\n", "")
    [run] = json.loads((world.folder / "ops" / "status.json").read_text())["runs"]
    assert run["state"] == "whole"
    assert "refused gone@example.org" in (world.folder / "ops" / "index.html").read_text()
    told = CliRunner().invoke(cli.app, ["status"])
    assert "gone@example.org" in "".join(told.output.split())


def test_operators_without_a_mail_server_are_a_mistake(tmp_path):
    text = '[communities.ember]\noperators = ["ops@example.org"]\n'
    with pytest.raises(FixSettings, match="operators: needs a table `mail`"):
        settings.parse(
            text + '[communities.ember.sources.forum]\nplatform = "discourse"\nurl = "http://x"\n',
            {"HEARTH_EMBER_PSEUDONYM_KEY": "k", "HEARTH_EMBER_FORUM_KEY": "k"},
        )
