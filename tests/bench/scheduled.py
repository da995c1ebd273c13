"""What Airflow itself costs: the sandbox's nights through the DAG, beside the same by `hearth nightly`.

Measured is the tree of processes of a night, the servers left out: wall seconds, CPU seconds, and the
most memory they held together, ten times a second, a shared page counted once (PSS). What is Airflow's
own is the difference: to stay below a minute of CPU, which tells the same on a machine that others use.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from pipeline.sandbox import demo
from tests.bench.nights import Cost

NIGHTS = {1: "first fill", 2: "a day later"}
MOST_S = 60  # CPU seconds of Airflow's own
ALONE = "from pipeline.cli import main; main()"


def run(home: Path) -> None:
    """Print what each night costs both ways, and what of it is Airflow's own."""
    print(f"\n{'the sandbox community':34}{'seconds':>9}{'CPU s':>9}{'peak MB':>10}")
    tell("Airflow's own database, once", process(["-m", "airflow", "db", "migrate"], home, "dag"))
    for night, what in NIGHTS.items():
        alone, scheduled = by_hand(night, home), by_airflow(night, home)
        own = Cost(
            scheduled.wall_s - alone.wall_s,
            scheduled.cpu_s - alone.cpu_s,
            scheduled.peak_mb - alone.peak_mb,
        )
        tell(f"{what}, hearth nightly", alone)
        tell(f"{what}, through Airflow", scheduled)
        tell(f"{what}, Airflow's own", own)
        if own.cpu_s > MOST_S:
            print(f"that is more than {MOST_S} s of CPU", flush=True)


def by_hand(night: int, home: Path) -> Cost:
    """A night in one process, as cron runs it."""
    with demo.sandbox(night) as (forum, chat, as_of):
        write_settings(home / "alone", forum, chat)
        return process(["-c", ALONE, "nightly", "--as-of", as_of], home, "alone")


def by_airflow(night: int, home: Path) -> Cost:
    """The same night through the DAG, as `make nightly` runs it."""
    with demo.sandbox(night) as (forum, chat, as_of):
        write_settings(home / "dag", forum, chat)
        dag, given = f"hearth_nightly_{demo.COMMUNITY}", json.dumps({"as_of": as_of})
        return process(["-m", "airflow", "dags", "test", dag, "--conf", given], home, "dag")


def write_settings(place: Path, forum: str, chat: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "hearth.toml").write_text(demo.SETTINGS.format(forum=forum, chat=chat))


def process(arguments: list[str], home: Path, name: str) -> Cost:
    """What a Python process and all it starts cost. Raises where it fails."""
    airflow = home / "airflow"
    env = {
        **os.environ,
        **demo._secrets(),
        "HEARTH_SETTINGS": str(home / name / "hearth.toml"),
        "AIRFLOW_HOME": str(airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(demo.ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow}/airflow.db",
    }
    home.mkdir(parents=True, exist_ok=True)
    began, file = time.perf_counter(), home / f"{name}.log"
    with file.open("ab") as log:
        child = subprocess.Popen([sys.executable, *arguments], env=env, stdout=log, stderr=log)
    held = [0.0]
    watching = threading.Thread(target=watch, args=(child.pid, held))
    watching.start()
    _, status, used = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    watching.join()
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode} of {arguments}; see {file}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, max(held))


def watch(pid: int, held: list[float]) -> None:
    """Note the megabytes of a process and its descendants until it ends."""
    while megabytes := sum(map(proportional, family(pid))):
        held.append(megabytes)
        time.sleep(0.1)


def family(pid: int) -> list[int]:
    """A process and all its descendants, of those that live."""
    found = [pid]
    for each in found:
        for file in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += map(int, file.read_text().split())
            except OSError:  # it has ended meanwhile
                continue
    return found


def proportional(pid: int) -> float:
    """Megabytes of a process, of pages that several hold its part; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def tell(name: str, cost: Cost) -> None:
    print(f"{name:34}{cost.wall_s:9.1f}{cost.cpu_s:9.1f}{cost.peak_mb:10,.0f}", flush=True)
