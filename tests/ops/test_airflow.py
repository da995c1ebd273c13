"""The real DAG in the real Airflow, on SQLite: whole, degraded, and what it writes down."""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import settings, status
from pipeline.sandbox.discourse import ADMIN_KEY
from pipeline.sandbox.rocketchat.app import READER_TOKEN
from tests.conftest import MAIL
from tests.ops.searching import holders
from tests.test_night import NOW

ROOT = Path(__file__).parents[2]
VERBS = (
    "plan",
    "extract",
    "load",
    "build",
    "score",
    "write_reports",
    "validate",
    "publish",
    "digest",
    "conclude",
    "wrap_up",
)


class Airflow:
    """An Airflow of its own with the DAGs of this repository."""

    def __init__(self, home):
        self.home = home
        self.database = home / "airflow.db"

    def __call__(self, *arguments):
        env = {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, dag, **conf):
        return self("dags", "test", f"hearth_{dag}_ember", "--conf", json.dumps(conf))

    def night(self):
        return self.run("nightly", as_of=NOW.isoformat())

    def ask(self, sql):
        with sqlite3.connect(self.database) as db:
            return db.execute(sql).fetchall()


@pytest.fixture
def airflow(tmp_path_factory, world):
    made = Airflow(tmp_path_factory.mktemp("airflow"))
    with world.serve() as addresses:
        world.settings(addresses)
        assert made("db", "migrate").returncode == 0
        yield made


@pytest.mark.slow
def test_a_whole_night_is_green_wakes_others_and_keeps_its_secrets(airflow, world):
    told = airflow.night()
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    states = dict(airflow.ask("SELECT task_id, state FROM task_instance WHERE map_index < 1"))
    assert states == dict.fromkeys(VERBS, "success")
    assert airflow.ask("SELECT state FROM dag_run") == [("success",)]
    assert airflow.ask("SELECT name FROM asset_event JOIN asset ON asset.id = asset_id") == [
        ("hearth_ember_published",)
    ]
    assert (
        json.loads((world.folder / "ops" / "status.json").read_text())["runs"][0]["state"]
        == "whole"
    )
    for secret in (ADMIN_KEY, READER_TOKEN):  # the reader's id is an account like any other
        assert holders(airflow.home, secret) == []
        assert holders(world.folder, secret) == []
        assert secret not in told.stdout + told.stderr


@pytest.mark.slow
def test_a_refused_source_fails_at_once_and_the_rest_is_published(airflow, world, monkeypatch):
    monkeypatch.setenv("HEARTH_EMBER_CHAT_TOKEN", "revoked-t0ken-" * 3)
    told = airflow.night()
    assert told.returncode != 0
    states = dict(airflow.ask("SELECT task_id, state FROM task_instance WHERE map_index < 1"))
    assert (states["publish"], states["conclude"], states["wrap_up"]) == (
        "success",
        "failed",
        "success",
    )
    assert airflow.ask("SELECT state FROM dag_run") == [("failed",)]
    assert airflow.ask("SELECT max(try_number) FROM task_instance") == [(1,)]
    (run, *_) = json.loads((world.folder / "ops" / "status.json").read_text())["runs"]
    assert run["state"] == "stale"
    assert {trouble["step"].split("/")[0] for trouble in run["troubles"]} >= {"chat", "conclude"}
    assert holders(airflow.home, "revoked-t0ken-") == []
    assert "revoked-t0ken-" not in told.stdout + told.stderr


@pytest.mark.slow
def test_what_is_done_between_nights(airflow, world):
    assert airflow.night().returncode == 0
    before = world.content()
    told = airflow.run("rebuild", from_landing=True)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    assert world.content() == before
    (ben,) = world.published(
        "SELECT account_id FROM marts.accounts WHERE username = 'ben'", "restricted"
    )
    told = airflow.run("morning")
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    told = airflow.run("erase", source="forum", account=ben[0])
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    certificate = json.loads(next((world.folder / "erasures").iterdir()).read_text())
    assert (certificate["source"], certificate["was_held"]) == ("forum", True)
    assert airflow.ask("SELECT count(*) FROM asset_event") == [(3,)]


@pytest.mark.slow
def test_silence_is_an_alarm_and_is_mailed(airflow, world, inbox):
    file = world.folder / "hearth.toml"
    text = file.read_text().replace("\nbots =", '\noperators = ["ops@example.org"]\nbots =')
    file.write_text(text + MAIL.format(port=inbox.port))
    assert airflow.run("watch").returncode != 0
    ((_, readers, mail),) = inbox.messages
    assert readers == ["ops@example.org"]
    assert b"Subject: Hearth, Ember: hearth_watch_ember failed" in mail
    assert b"no night was ever published" in mail
    status.mark_published(settings.load().community(), datetime.now(UTC))
    assert airflow.run("watch").returncode == 0


RULES = """
import json, sys
from airflow.sdk.definitions.retry_policy import RetryAction
sys.path.insert(0, sys.argv[1])
import hearth_dags
from pipeline import errors
found = {}
for name in ("SourceDown", "BudgetSpent", "WarehouseBusy", "NightRuns", "FixAccess", "FixSettings",
             "BadAnswer", "ContractBroken", "Degraded"):
    decision = hearth_dags.BY_ERROR.evaluate(getattr(errors, name)("x"), 1, 4)
    found[name] = decision.action.name
print(json.dumps(found))
"""


@pytest.mark.slow
def test_only_what_waiting_mends_is_retried(world):
    with world.serve() as addresses:
        world.settings(addresses)
    told = subprocess.run(
        [sys.executable, "-c", RULES, str(ROOT / "dags")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    later = ("SourceDown", "BudgetSpent", "WarehouseBusy", "NightRuns")
    never = (
        "FixAccess",
        "FixSettings",
        "BadAnswer",
        "ContractBroken",
        "Degraded",
    )
    wanted = dict.fromkeys(later, "RETRY") | dict.fromkeys(never, "FAIL")
    assert json.loads(told.stdout.splitlines()[-1]) == wanted
