"""Nights killed at random instants, held against the same nights undisturbed: `make chaos`.

Both read the same servers, each into a home of its own. A killed night is started again until it
ends; then both homes must have published the same and told the same, once.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.contracts import contracts
from pipeline.digest.lines import Lines
from tests.test_night import NOW, World

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from pipeline import build, load, publish, steps, warehouse
from pipeline.digest import night, tell
from pipeline.sources import discourse, rocketchat
steps.validate = lambda night: {}  # takes seconds, writes nothing that later steps read
print("begun", flush=True)
steps.run_night(as_of=sys.argv[1])
"""


class Home:
    """A home with settings of its own, whose nights run in processes that may be killed."""

    def __init__(self, folder, world, addresses):
        folder.mkdir(mode=0o700)
        self.folder, self.kills = folder, 0
        served, world.folder = world.folder, folder
        world.settings(addresses)
        world.folder = served
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HEARTH_SETTINGS": str(folder / "hearth.toml"),
        }

    def night(self, day, kill_after=None):
        """Run a night; seconds it took after its imports, or null if it was killed before its end."""
        as_of = (NOW + timedelta(days=day)).isoformat()
        with subprocess.Popen(
            [sys.executable, "-c", RUN, as_of],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout.readline() == b"begun\n"
            began = time.monotonic()
            try:
                _, said = process.communicate(timeout=kill_after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                self.kills += 1
                return None
        assert process.returncode == 0, said.decode()
        return time.monotonic() - began

    def published(self):
        found = {}
        for audience, link in (("community", "current"), ("restricted", "restricted")):
            file = (self.folder / "published" / f"{link}.duckdb").resolve()
            with duckdb.connect(file, read_only=True) as db:
                for name, contract in contracts().items():
                    if contract.publish == audience and contract.schema_name == "marts":
                        # when a night noticed a deletion depends on when it read
                        seen = "EXCLUDE (deleted_at)" if "deleted_at" in contract.columns else ""
                        rows = db.execute(f"SELECT * {seen} FROM {name} ORDER BY ALL")
                        found[name] = rows.fetchall()
        return found

    def told(self):
        """What every digest said, and what the ledger knows. Files of the same night are written
        again by a night that is started again, and noted again; a message never is."""
        digests = {f.parent.name: f.read_text() for f in self.folder.glob("digests/*/digest.json")}
        ledger = []
        for entry in Lines(self.folder / "digests" / "ledger.jsonl"):
            timeless = {**entry, "sent_at": None}
            if timeless not in ledger or entry["channel"] != "files":
                ledger.append(timeless)
        return {**digests, "ledger": ledger}


def differences(calm, shaken):
    """Names of tables and digests that are not the same, with what each home has alone."""
    return {
        name: (
            [r for r in calm[name] if r not in shaken[name]],
            [r for r in shaken[name] if r not in calm[name]],
        )
        for name in calm
        if calm[name] != shaken.get(name)
    }


def change(world, day, rng):
    """What a community does in a day."""
    at = NOW + timedelta(days=day, hours=-12)
    topic, post = world.forum.create_topic(
        world.anna, world.place, f"Question of day {day}?", "Why is it so?", at
    )
    world.forum.reply(topic, world.ben, f"Because of {day}.", at + timedelta(hours=1))
    world.forum.edit(world.topics[day][1], f"It broke again on day {day}.", at)
    world.forum.delete_post(world.forum.reply(topic, world.ben, "Wrong window.", at), world.ben, at)
    world.forum.like(post, world.ben, at)
    mid = rng.choice(world.messages)
    world.messages.remove(mid)
    world.chat.delete(mid, None, at)
    world.clock.set(NOW + timedelta(days=day))


def run(folder, monkeypatch, nights, kills, seed):
    """Play nights into two homes, one of them disturbed; returns both and the seed's kills."""
    rng = random.Random(seed)
    world = World(folder, monkeypatch)
    (place,) = world.forum.read("SELECT id FROM categories WHERE slug = 'support'")
    world.place = place["id"]
    with world.serve() as addresses:
        calm = Home(folder / "calm", world, addresses)
        shaken = Home(folder / "shaken", world, addresses)
        for day in range(nights):
            if day:
                change(world, day, rng)
            took = calm.night(day)
            for _ in range(kills):
                shaken.night(day, kill_after=rng.uniform(0, took))
            shaken.night(day)
            found = differences(calm.published() | calm.told(), shaken.published() | shaken.told())
            assert found == {}, f"seed {seed}, night {day}: {found}"
    return calm, shaken


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nights", type=int, default=5)
    options.add_argument("--kills", type=int, default=40, help="of each night")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        _, shaken = run(Path(folder), patched, given.nights, given.kills, given.seed)
    print(f"{given.nights} nights, {shaken.kills} kills (seed {given.seed}): the same, told once")


if __name__ == "__main__":
    main()
