"""The budget of a site: a sliding window, agreed between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.budget import LATE_S, Budget
from tests.sources.fake_time import FakeTime


@given(
    calls=st.integers(1, 5),
    rests=st.lists(st.floats(0, 30, allow_nan=False), max_size=40),
)
def test_no_window_ever_holds_more_calls_than_allowed(calls: int, rests: list[float]) -> None:
    """Not even where one reaches the server late."""
    time = FakeTime()
    budget = Budget(None, calls, 10, now=time.now, sleep=time.sleep)
    taken = []
    for rest in rests:
        time.t += rest
        budget.take()
        taken.append(time.t)
    for first, last in zip(taken, taken[calls:], strict=False):
        assert last - first >= 10 + LATE_S - 1e-6


def test_calls_below_the_limit_do_not_wait() -> None:
    time = FakeTime()
    budget = Budget(None, 3, 10, now=time.now, sleep=time.sleep)
    assert [budget.take() for _ in range(4)] == [0, 0, 0, 10 + LATE_S]


def test_buckets_have_their_own_windows_and_limits() -> None:
    time = FakeTime()
    budget = Budget(None, 1, 10, limits={"slow": (1, 99)}, now=time.now, sleep=time.sleep)
    assert [budget.take(), budget.take("slow"), budget.take("other")] == [0, 0, 0]
    assert budget.take("slow") == 99 + LATE_S


def test_a_pause_holds_everybody_back(tmp_path: Path) -> None:
    time = FakeTime()
    one, two = (Budget(tmp_path / "b", 9, 10, now=time.now, sleep=time.sleep) for _ in range(2))
    one.pause(30)
    assert two.take() == 30


def test_processes_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "budget.json"
    script = (
        "import sys; from pathlib import Path; from pipeline.sources.http import Budget\n"
        "b = Budget(Path(sys.argv[1]), 40, 1000, now=lambda: 5000.0, sleep=lambda s: None)\n"
        "print(sum(b.take() > 0 for _ in range(20)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    waited = [int(p.communicate()[0]) for p in running]
    assert sum(waited) == 20  # of 60 calls 40 may go at once


def test_a_damaged_file_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    file.write_text('{"": [1, "x')
    assert Budget(file, 1, 10).take() == 0


def test_a_clock_set_back_does_not_stop_us_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    late, early = FakeTime(), FakeTime()
    late.t += 10**6
    Budget(file, 1, 10, now=late.now, sleep=late.sleep).take()
    assert Budget(file, 1, 10, now=early.now, sleep=early.sleep).take() == 0
