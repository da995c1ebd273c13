"""What a night costs as a community grows: landed files to published file, without the network.

Each step runs in a process of its own, as Airflow runs it, on two threads. CPU seconds are told beside
wall seconds: they stay the same on a machine that others use too. A scan, the floor, is one aggregate
over every column of every message, text included, by a process that has read nothing yet. Of the first
night 20,000 messages are really judged (each costs the same); the other scores are made up, in their
real form and number.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipeline.landing import Landing
from tests.bench.synthetic import AS_OF, Synthetic

SETTINGS = """
[communities.bench]
home = "{home}"
memory = "{memory}"

[communities.bench.sources.forum]
url = "http://127.0.0.1:1"
platform = "discourse"

[communities.bench.sources.chat]
url = "http://127.0.0.1:1"
platform = "rocketchat"
"""
SECRETS = {
    "HEARTH_BENCH_PSEUDONYM_KEY": "k",
    "HEARTH_BENCH_FORUM_KEY": "f" * 64,
    "HEARTH_BENCH_CHAT_USER_ID": "u",
    "HEARTH_BENCH_CHAT_TOKEN": "t",
}
BEGIN = "from pipeline import settings, steps, warehouse; home = settings.load().community()\n"
BOOKMARKS = """
from pipeline.load import write_bookmarks
with warehouse.opened(home) as db:
    for name in home.sources:
        write_bookmarks(db, name, home.home / "work" / "bookmarks" / name)
"""
SCAN = """
import time
with warehouse.opened(home) as db:
    began, used = time.perf_counter(), time.process_time()
    db.execute("SELECT bit_xor(hash(m)) FROM staging.messages AS m").fetchall()
    print(time.perf_counter() - began, time.process_time() - used)
"""
JUDGED = """
from pipeline import build, tonight
from pipeline.classify.judge import Judge
with warehouse.opened(home) as db:
    build.set_scene(db, home, tonight.moment_of({night}["as_of"]))
    [(count,)] = db.execute("SELECT count(*) FROM marts.wordings WHERE is_human").fetchall()
    for part in range(32):  # what one transaction brings is held in memory until it ends
        db.execute(
            "INSERT INTO judgement.scores BY NAME SELECT s.source, s.message_id, label, s.body_hash,"
            " md5(s.body_hash) AS text_hash, 'en' AS language, hash(s.body_hash) % 1000 / 1000 AS score,"
            " 0.999 AS threshold, '[]'::JSON AS reasons, 'en' AS model, ? AS model_version"
            " FROM marts.wordings AS s, (VALUES ('uncivil'), ('strict'), ('question')) AS labels (label)"
            " WHERE s.is_human AND (s.is_first OR label <> 'question') AND hash(s.message_id) % ? >= ?"
            " AND hash(s.message_id, 'part') % 32 = ?",
            [Judge(home.languages).version, max(count, 20_000), 20_000, part],
        )
"""
NIGHTS = {"first night": 0, "quiet night": 0, "night of 5,000 changes": 5_000}
VERBS = ("load", "build", "score", "validate", "publish")
STEPS = {"bookmarks": BOOKMARKS, **{verb: f"steps.{verb}({{night}})" for verb in VERBS}}


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds, CPU seconds of all its threads, and the most memory it held (MB)."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(sizes: list[int], memory: str, home: Path) -> None:
    """Print what the nights of communities of these sizes cost."""
    for messages in sizes:
        place = home / f"{messages}"
        place.mkdir(parents=True)
        env = environment(place, memory)
        measure(Synthetic(Landing(place / "landing"), messages), place, env)


def environment(place: Path, memory: str) -> dict[str, str]:
    """A community of its own, its settings and secrets."""
    (place / "hearth.toml").write_text(SETTINGS.format(home=place, memory=memory))
    return {**os.environ, **SECRETS, "HEARTH_SETTINGS": str(place / "hearth.toml")}


def measure(community: Synthetic, place: Path, env: dict[str, str]) -> None:
    """Land, then run and tell the first night, a quiet one and one of 5,000 changes."""
    community.first_fill()
    print(f"\n{community.messages:,} messages, {size_of(place / 'landing'):,.0f} MB landed")
    floor = None
    for number, (name, changes) in enumerate(NIGHTS.items()):
        if number:
            community.night(number, changes)
        costs = {}
        for step, cost in night(number, env):
            costs[step] = cost
            print(f"{name}: {step}, {cost.cpu_s:.0f} CPU s", file=sys.stderr, flush=True)
        floor = floor or one_scan(env)
        tell(name, costs, floor)
    work, published = place / "work" / "warehouse.duckdb", place / "published"
    print(
        f"work file {size_of(work):,.0f} MB, a published night "
        f"{size_of((published / 'current.duckdb').resolve()):,.0f} MB and restricted "
        f"{size_of((published / 'restricted.duckdb').resolve()):,.0f} MB; "
        f"one scan {floor.wall_s:.2f} s, {floor.cpu_s:.2f} s of CPU",
        flush=True,
    )


def one_scan(env: dict[str, str]) -> Cost:
    """The floor: what reading all messages once costs, without the process that does."""
    asked = [sys.executable, "-c", BEGIN + SCAN]
    said = subprocess.run(asked, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    wall_s, cpu_s = map(float, said.split()[-2:])
    return Cost(wall_s, cpu_s, 0)


def night(number: int, env: dict[str, str]) -> Iterator[tuple[str, Cost]]:
    """The steps of one night, each with its cost."""
    moment = AS_OF + timedelta(days=number)
    said = {
        "community": "bench",
        "run": moment.strftime("%Y%m%dT%H%M%S%fZ"),
        "as_of": moment.isoformat(),
    }
    for step, code in STEPS.items():
        if step == "score" and number == 0:
            process(BEGIN + JUDGED.replace("{night}", repr(said)), env)
        yield step, process(BEGIN + code.replace("{night}", repr(said)), env)


def process(code: str, env: dict[str, str]) -> Cost:
    """What a Python process costs. Raises where it fails."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode} of: {code}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def tell(name: str, costs: dict[str, Cost], floor: Cost) -> None:
    """One night as a table; `scans` is its CPU as a multiple of the floor's."""
    whole = Cost(
        sum(c.wall_s for c in costs.values()),
        sum(c.cpu_s for c in costs.values()),
        max(c.peak_mb for c in costs.values()),
    )
    print(f"{name:26}{'seconds':>9}{'CPU s':>9}{'scans':>8}{'share':>8}{'peak MB':>10}")
    for step, cost in {**costs, "whole": whole}.items():
        print(
            f"  {step:24}{cost.wall_s:9.1f}{cost.cpu_s:9.1f}{cost.cpu_s / floor.cpu_s:8.1f}"
            f"{cost.cpu_s / whole.cpu_s:8.1%}{cost.peak_mb:10,.0f}",
            flush=True,
        )


def size_of(place: Path) -> float:
    """Megabytes of a file, or of all below a folder."""
    files = [place] if place.is_file() else place.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
