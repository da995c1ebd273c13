"""The budget of a site that many machines share, with a real Redis."""

from __future__ import annotations

import subprocess
import sys

import pytest
import redis
from pydantic import SecretStr

from pipeline.errors import FixAccess, TryLater
from pipeline.sources.budget import RedisBudget


class Sleeps(list[float]):
    """Notes what it is asked to sleep, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def budget(redis_address: str, name: str, calls: int, sleep: Sleeps, **more: object) -> RedisBudget:
    return RedisBudget(redis_address, None, name, calls, 1000, sleep=sleep, **more)  # type: ignore[arg-type]


def test_machines_share_a_window(redis_address: str) -> None:
    script = (
        "import sys; from pipeline.sources.budget import RedisBudget\n"
        "b = RedisBudget(sys.argv[1], None, 'window', 40, 1000, sleep=lambda s: None)\n"
        "print(sum(b.take() > 0 for _ in range(20)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, redis_address], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    waited = [int(p.communicate()[0]) for p in running]
    assert sum(waited) == 20  # of 60 calls 40 may go at once


def test_calls_queue_in_one_line(redis_address: str) -> None:
    slept = Sleeps()
    one, two = (budget(redis_address, "queue", 2, slept) for _ in range(2))
    for taker in (one, two, one, two, one):
        taker.take()
    assert [round(wait, -2) for wait in slept] == [1000, 1000, 2000]


def test_a_refusal_of_one_holds_all_back(redis_address: str) -> None:
    slept = Sleeps()
    one, two = (budget(redis_address, "refused", 9, slept) for _ in range(2))
    one.pause(3000)
    two.take()
    assert [round(wait, -2) for wait in slept] == [3000]


def test_sites_and_buckets_are_apart(redis_address: str) -> None:
    slept = Sleeps()
    forum = budget(redis_address, "a:forum", 1, slept, limits={"slow": (1, 500)})
    for taker, bucket in (
        (forum, ""),
        (forum, "slow"),
        (budget(redis_address, "b:forum", 1, slept), ""),
    ):
        taker.take(bucket)
    assert slept == []
    forum.take("slow")
    assert [round(wait, -2) for wait in slept] == [500]


def test_what_another_program_wrote_there_starts_anew(redis_address: str) -> None:
    redis.Redis.from_url(redis_address).set("hearth:budget:odd:", b"\xff[1, ")
    assert budget(redis_address, "odd", 1, Sleeps()).take() == 0


def test_without_its_redis_nothing_is_asked(redis_address: str) -> None:
    silent = "redis://127.0.0.1:1/1"
    with pytest.raises(TryLater, match="nothing is asked of a site without it"):
        budget(silent, "x", 9, Sleeps()).take()
    named = redis_address.replace("//", "//hearth@")
    with pytest.raises(FixAccess, match="refused the password"):
        RedisBudget(named, SecretStr("wrong"), "x", 9, 60).take()
    assert RedisBudget(named, SecretStr("right"), "x", 9, 60).take() == 0
