"""Nights disturbed at random instants, held against the same nights undisturbed: `make chaos`.

Both read the same servers, each into a home of its own. The disturbed home is killed, finds its disk
full at a random size, and is answered by sick servers; each night is started again until it ends,
and nobody mends anything between. Then both homes must have published the same and told the same,
once.
"""

import argparse
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline import steps
from pipeline.contracts import contracts
from pipeline.digest.lines import Lines
from pipeline.errors import Degraded, FixSettings, HearthError, SourceDown
from pipeline.sandbox import server
from pipeline.sandbox.faults import Faults
from tests.test_night import NOW, World

WHEN = "marts.freshness"  # when which night read: not the same in two homes
FAULTS = ("bad_gateway", "unavailable", "reset", "cut", "truncated", "anonymised")
_PROCESSES = multiprocessing.get_context("forkserver")  # imports once, not at each start
_PROCESSES.set_forkserver_preload(
    ["tests.test_night", "pipeline.build", "pipeline.classify.night", "pipeline.digest.tell"]
)


def _night(settings, as_of, most_bytes, told):
    """A night in this process; the error it ends with, or null, goes into `told`."""
    os.environ["HEARTH_SETTINGS"] = settings
    steps.running.validate = lambda night: {}  # takes seconds, writes nothing later steps read
    if most_bytes is not None:  # no file may grow beyond: what a full disk does to a writer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        steps.run_night(as_of=as_of)
        told.send(None)
    except HearthError as error:
        told.send(error)


class Home:
    """A home with settings of its own, whose nights run in processes that may be killed."""

    def __init__(self, folder, world, addresses):
        folder.mkdir(mode=0o700)
        self.folder, self.kills, self.full = folder, 0, 0
        served, world.folder = world.folder, folder
        world.settings(addresses, forum="", chat="")
        world.folder = served

    def night(self, day, *, kill_after=None, most_bytes=None):
        """Run a night to its end or its kill; (seconds it took, the error it ended with)."""
        as_of = (NOW + timedelta(days=day)).isoformat()
        ours, theirs = _PROCESSES.Pipe(duplex=False)
        settings = str(self.folder / "hearth.toml")
        process = _PROCESSES.Process(target=_night, args=(settings, as_of, most_bytes, theirs))
        began = time.monotonic()
        process.start()
        theirs.close()
        process.join(kill_after)
        took = time.monotonic() - began
        if process.exitcode is None:
            process.kill()
            process.join()
            self.kills += 1
            return took, None
        assert process.exitcode == 0, f"{self.folder.name}, night {day}: see its traceback above"
        return took, ours.recv()

    def whole_night(self, day, tries=20):
        """Start a night again until it is whole; seconds the last one took."""
        for _ in range(tries):
            took, error = self.night(day)
            if error is None:
                return took
            assert isinstance(error, SourceDown | Degraded), repr(error)
        raise AssertionError(f"no whole night {day} in {tries} tries, last: {error}")

    def full_disk(self, day, most_bytes):
        """A night on a disk that takes no larger file. It may suffice; if not, it is named."""
        _, error = self.night(day, most_bytes=most_bytes)
        if isinstance(error, FixSettings):
            self.full += 1
            assert "free space" in str(error), repr(error)
        else:
            assert isinstance(error, SourceDown | Degraded | None), repr(error)

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


def published(home):
    """The rows of every mart that a community published last, but what depends on when it read:
    `marts.freshness`, and when a deletion was noticed."""
    found = {}
    for audience, link in (("community", "current"), ("restricted", "restricted")):
        file = (home / "published" / f"{link}.duckdb").resolve()
        with duckdb.connect(file, read_only=True) as db:
            for name, contract in contracts().items():
                if contract.publish == audience and name.startswith("marts.") and name != WHEN:
                    seen = "EXCLUDE (deleted_at)" if "deleted_at" in contract.columns else ""
                    rows = db.execute(f"SELECT * {seen} FROM {name} ORDER BY ALL")
                    found[name] = rows.fetchall()
    return found


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


def run(folder, monkeypatch, nights, kills, seed, full=2, sick=0.0):
    """Play nights into two homes, one of them disturbed; returns it, and the faults it met.

    kills  of each night, at random instants
    full   nights on a disk that is full at a random size, of each night
    sick   the part of requests of the disturbed home that goes wrong
    """
    rng = random.Random(seed)
    world = World(folder, monkeypatch)
    (place,) = world.forum.read("SELECT id FROM categories WHERE slug = 'support'")
    world.place = place["id"]
    ill = [Faults(app, kinds=FAULTS, seed=seed) for app in (world.site, world.room)]
    with server.running(*ill) as addresses:
        calm = Home(folder / "calm", world, addresses)
        shaken = Home(folder / "shaken", world, addresses)
        for day in range(nights):
            if day:
                change(world, day, rng)
            took = calm.whole_night(day)
            for app in ill:
                app.rate = sick
            for _ in range(kills):
                shaken.night(day, kill_after=rng.uniform(0, took))
            for _ in range(full):
                shaken.full_disk(day, round(10 ** rng.uniform(2, 7)))
            shaken.whole_night(day)
            for app in ill:
                app.rate = 0.0
            found = differences(
                published(calm.folder) | calm.told(), published(shaken.folder) | shaken.told()
            )
            assert found == {}, f"seed {seed}, night {day}: {found}"[:5000]
            print(f"night {day}: {shaken.kills} kills, {shaken.full} full disks", flush=True)
    return shaken, sum(n for app in ill for n in app.seen.values())


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nights", type=int, default=5)
    options.add_argument("--kills", type=int, default=44, help="of each night")
    options.add_argument("--full", type=int, default=4, help="full disks of each night")
    options.add_argument("--sick", type=float, default=0.03, help="part of requests that go wrong")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        shaken, faults = run(Path(folder), patched, **vars(given))
    print(f"{given.nights} nights, {shaken.kills} kills, {shaken.full} full disks, {faults} faults "
          f"of servers (seed {given.seed}): the same, told once; "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":  # by its name, for the processes to find it
    from tests.ops import chaos

    chaos.main()
