"""The sandbox community as a server, and one night of it through Airflow: `make nightly`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipeline import settings
from pipeline.files import write_whole
from pipeline.journal import Journal

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from pipeline.sandbox.discourse import Forum
    from pipeline.sandbox.rocketchat.workspace import Workspace

ROOT = Path(__file__).parents[2]
HOME = Path("var") / "demo"
COMMUNITY = "emberfield"
SETTINGS = """\
[communities.emberfield]
home = "emberfield"
languages = ["en", "zh"]
bots = ["ember_helper"]
digest.languages = ["en", "zh"]

[communities.emberfield.sources.forum]
platform = "discourse"
url = "{forum}"
share = 1.0

[communities.emberfield.sources.chat]
platform = "rocketchat"
url = "{chat}"
share = 1.0
"""
SHOWN = {
    "done": "[green]done[/]   ",
    "trouble": "[yellow]trouble[/]",
    "progress": "[dim]...[/]    ",
}


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


def serve(
    out: Console,
    ports: tuple[int, int],
    night: int,
    topics: Path | None = None,
    messages: Path | None = None,
) -> None:
    """Both servers in the foreground, made up or from recordings, until interrupted."""
    from pipeline.sandbox import server

    if topics or messages:
        apps, moment = _recorded(topics, messages)
    else:
        apps, moment = _made_up(night)
    forum, chat = (f"http://{server.HOST}:{port}" for port in ports)
    out.print(f"Discourse at {forum}, Rocket.Chat at {chat}; their clock stands at {moment}.")
    out.print(
        "Ctrl-C ends them. Settings and secrets for "
        f"`hearth nightly --as-of {moment.isoformat()}`:\n",
        soft_wrap=True,
    )
    out.print(SETTINGS.format(forum=forum, chat=chat), markup=False)
    for name, value in _secrets().items():
        out.print(f"export {name}={value!r}", markup=False)
    server.serve(*apps, forum_port=ports[0], chat_port=ports[1])


@contextmanager
def sandbox(night: int) -> Iterator[tuple[str, str, str]]:
    """Both servers on free loopback ports as they stand on a night: addresses and moment."""
    from pipeline.sandbox import server

    apps, moment = _made_up(night)
    with server.running(*apps) as (forum, chat):
        yield forum, chat, moment.isoformat()


def _made_up(night: int) -> tuple[tuple[ASGIApp, ASGIApp], datetime]:
    from pipeline.sandbox import community
    from pipeline.sandbox.discourse import Forum
    from pipeline.sandbox.rocketchat.workspace import Workspace

    forum, chat = Forum(), Workspace()
    community.play(forum, chat, through=night)
    return _apps(forum, chat, community.night(night)), community.night(night)


def _recorded(
    topics: Path | None, messages: Path | None
) -> tuple[tuple[ASGIApp, ASGIApp], datetime]:
    from pipeline.sandbox.discourse import Forum
    from pipeline.sandbox.recordings import forum_from_topics, workspace_from_messages
    from pipeline.sandbox.rocketchat.workspace import Workspace

    forum = forum_from_topics(topics) if topics else Forum()
    chat = workspace_from_messages(messages) if messages else Workspace()
    now = datetime.now(UTC)
    return _apps(forum, chat, now), now


def _apps(forum: Forum, chat: Workspace, moment: datetime) -> tuple[ASGIApp, ASGIApp]:
    from pipeline.sandbox.clock import Clock
    from pipeline.sandbox.discourse import app
    from pipeline.sandbox.rocketchat.app import chat_app

    clock = Clock(moment)
    return app(forum, clock=clock), chat_app(chat, clock)


def _secrets() -> dict[str, str]:
    """The sandbox's own keys by the names the settings want; they open nothing else."""
    from pipeline.sandbox.discourse import ADMIN_KEY
    from pipeline.sandbox.rocketchat.app import READER_ID, READER_TOKEN

    return {
        f"HEARTH_{COMMUNITY}_PSEUDONYM_KEY".upper(): "the sandbox's people are made up",
        settings.secret_variable(COMMUNITY, "forum", "key"): ADMIN_KEY,
        settings.secret_variable(COMMUNITY, "chat", "user_id"): READER_ID,
        settings.secret_variable(COMMUNITY, "chat", "token"): READER_TOKEN,
    }


def _environment(forum: str, chat: str) -> dict[str, str]:
    """What the DAG's process is given."""
    file = HOME / "hearth.toml"
    file.write_text(SETTINGS.format(forum=forum, chat=chat), encoding="utf-8")
    airflow = (HOME / "airflow").resolve()
    return {
        **os.environ,
        **_secrets(),
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
    runs = _home() / "runs"
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


def _tell(out: Console, env: Mapping[str, str]) -> None:
    """What the night cost and brought, and where it lies."""
    import duckdb

    home = _home()
    current = home / "published" / "current.duckdb"
    with duckdb.connect(current.resolve(), read_only=True) as db:
        reads = db.execute(
            "SELECT source, stream, via, map_values(brought).list_sum(), requests, bytes, waited_s"
            " FROM raw.reads WHERE run = (SELECT max(run) FROM raw.reads) AND unavailable IS NULL"
            " ORDER BY ALL"
        ).fetchall()
        (asked,) = db.execute(
            "SELECT questions, waiting, newcomers_waiting, flagged FROM marts.health"
        ).fetchall()
    table = Table("source", "unit", "way in", "records", "requests", "kB", "waited", box=None)
    for source, stream, via, records, requests, size, waited in reads:
        numbers = (f"{records or 0:,}", f"{requests:,}", f"{size / 1000:,.0f}", f"{waited:.0f} s")
        table.add_row(source, stream, via, *numbers)
    out.print()
    out.print(table)
    out.print(
        "\n{} questions in 90 days, {} wait ({} by newcomers); {} threads flagged".format(*asked)
    )
    docs = max((home / "docs").iterdir())
    digest = max((home / "digests").glob("*/digest.html"))
    out.print(f"""
  published   {current}
  Data Docs   {docs / "index.html"}
  digest      {digest}
              {digest.with_suffix(".txt")}

Ask it: [bold].venv/bin/hearth --settings {HOME / "hearth.toml"} query[/]""")


def _home() -> Path:
    """Where the settings of the demo put its community."""
    return HOME / COMMUNITY


def _nights_passed() -> int:
    """How many nights of the demo have been run to their end."""
    try:
        passed: int = json.loads((HOME / "nights.json").read_text())
    except FileNotFoundError:
        return 0
    return passed


def _write_nights_passed(night: int) -> None:
    write_whole(HOME / "nights.json", json.dumps(night).encode())
