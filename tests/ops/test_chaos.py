"""A few random kills of whole nights; `make chaos` does hundreds."""

import subprocess
import sys

import pytest

from tests.ops import chaos
from tests.test_night import NOW

FULL = """
import resource, signal, sys
from pipeline.errors import HearthError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = int(sys.argv[2])
begun = print
def print(*args, **options):
    begun(*args, **options)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""


@pytest.mark.slow
def test_killed_nights_end_as_undisturbed_ones(tmp_path, monkeypatch):
    _, shaken = chaos.run(tmp_path, monkeypatch, nights=2, kills=3, seed=7)
    assert shaken.kills > 0


@pytest.mark.slow
def test_a_disk_that_fills_at_any_write_is_named_and_costs_nothing(world):
    """A file may not grow beyond a size: what a full disk does to whoever writes next."""
    with world.serve() as addresses:
        calm = chaos.Home(world.folder / "calm", world, addresses)
        calm.night(0)
        full = chaos.Home(world.folder / "full", world, addresses)
        for size in (100, 3_000, 300_000, 6_000_000):
            told = subprocess.run(
                [sys.executable, "-c", FULL + chaos.RUN, NOW.isoformat(), str(size)],
                env=full.env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert told.returncode != 0, size
            last = told.stderr.strip().splitlines()[-1]
            assert last.startswith("pipeline.errors.FixSettings"), (size, told.stderr[-1500:])
            assert "free space" in last
        full.night(0)
        assert (
            chaos.differences(calm.published() | calm.told(), full.published() | full.told()) == {}
        )
