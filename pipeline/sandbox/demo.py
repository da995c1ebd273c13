"""The sandbox community as a server, and one night of it through Airflow: `make nightly`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import settings
from pipeline.errors import FixSettings, HearthError
from pipeline.journal import Journal

ROOT = Path(__file__).parents[2]
HOME = Path("var") / "demo"
COMMUNITY = "emberfield"
SHOWN = {"done": "[green]done[/]   ", "trouble": "[yellow]trouble[/]", "progress": "[dim]...[/]    "}


def run(out: Console) -> int:
    """The next night of the sandbox community through the real DAG; returns the exit code.

    All it keeps lies below `var/demo`; how many nights have passed is read from there."""
    night = _nights_passed() + 1
    out.print(f"[bold]Night {night} of the sandbox community[/] (everything is kept in {HOME}/)")
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sandbox(night) as (forum, chat, as_of):
        out.print(f"Sandbox: Discourse at {forum}, Rocket.Chat at {chat}, its clock at {as_of}")
        env = _environment(forum, chat)
        _migrate(out, env)
        code = _run_dag(out, env, as_of)
    if code:
        out.print(f"[red]The night failed.[/] What Airflow said is in {HOME / 'airflow.log'}")
        return 70
    _write_nights_passed(night)
    _tell(out, env)
    return 0


@contextmanager
def sandbox(night: int) -> Iterator[tuple[str, str, str]]:
    """Both servers on loopback as they stand on a night: their addresses and its moment."""
    from pipeline.sandbox import community, server
    from pipeline.sandbox.clock import Clock
    from pipeline.sandbox.discourse import Forum, forum_app
    from pipeline.sandbox.rocketchat import Workspace, chat_app

    moment = community.night(night)
    clock = Clock(moment)
    forum, chat = Forum(), Workspace()
    community.play(forum, chat, through=night)
    with server.running(forum_app(forum, clock), chat_app(chat, clock)) as (forum_url, chat_url):
        yield forum_url, chat_url, moment.isoformat()


def _environment(forum: str, chat: str) -> dict[str, str]:
    """What the DAG's process is given; the sandbox's keys open nothing else."""
    file = HOME / "hearth.toml"
    file.write_text(settings.template(COMMUNITY, forum, chat, "UTC"), encoding="utf-8")
    airflow = (HOME / "airflow").resolve()
    return {
        **os.environ,
        "HEARTH_SETTINGS": str(file.resolve()),
        "AIRFLOW_HOME": str(airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow}/airflow.db",
    }


def _migrate(out: Console, env: Mapping[str, str]) -> None:
    if not (HOME / "airflow" / "airflow.db").exists():
        out.print("Making Airflow's own database (SQLite, once) ...")
        _airflow(env, "db", "migrate").wait()


def _run_dag(out: Console, env: Mapping[str, str], as_of: str) -> int:
    """Run the DAG in a process of its own and show its journal as it grows."""
    runs = HOME / COMMUNITY / "runs"
    before = set(runs.glob("*"))
    process = _airflow(
        env, "dags", "test", f"hearth_nightly_{COMMUNITY}", "--conf", json.dumps({"as_of": as_of})
    )
    shown = 0
    while True:
        ended = process.poll() is not None
        new = sorted(set(runs.glob("*")) - before)
        lines = list(Journal(new[-1] / "journal.jsonl").lines()) if new else []
        for line in lines[shown:]:
            out.print(f"  {SHOWN[line.level]} {line.step}: ", end="")
            out.print(line.text, markup=False)
        shown = len(lines)
        if ended:
            return process.returncode
        time.sleep(0.2)


def _airflow(env: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    with (HOME / "airflow.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            env=dict(env),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
