"""The budget of a site that many machines share, with a real Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import redis
from pydantic import SecretStr

from pipeline.errors import FixAccess, TryLater
from pipeline.sources.budget import RedisBudget

HOST = "127.0.0.1"


class Sleeps(list[float]):
    """Notes what it is asked to sleep, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server here (Debian: apt-get install redis-server)")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(HOST, port)
        for _ in range(500):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        client.execute_command("ACL", "SETUSER", "hearth", "on", ">right", "~*", "+@all")
        yield f"redis://{HOST}:{port}/1"
        process.terminate()


def budget(address: str, name: str, calls: int, sleep: Sleeps, **more: object) -> RedisBudget:
    return RedisBudget(address, None, name, calls, 1000, sleep=sleep, **more)  # type: ignore[arg-type]


def test_machines_share_a_window(address: str) -> None:
    script = (
        "import sys; from pipeline.sources.budget import RedisBudget\n"
        "b = RedisBudget(sys.argv[1], None, 'ember:forum', 40, 1000, sleep=lambda s: None)\n"
        "print(sum(b.take() > 0 for _ in range(20)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, address], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    waited = [int(p.communicate()[0]) for p in running]
    assert sum(waited) == 20  # of 60 calls 40 may go at once


def test_calls_queue_in_one_line(address: str) -> None:
    slept = Sleeps()
    one, two = (budget(address, "queue", 2, slept) for _ in range(2))
    for taker in (one, two, one, two, one):
        taker.take()
    assert [round(wait, -1) for wait in slept] == [1000, 1000, 2000]


def test_a_refusal_of_one_holds_all_back(address: str) -> None:
    slept = Sleeps()
    one, two = (budget(address, "refused", 9, slept) for _ in range(2))
    one.pause(30)
    two.take()
    assert [round(wait) for wait in slept] == [30]


def test_sites_and_buckets_are_apart(address: str) -> None:
    slept = Sleeps()
    forum = budget(address, "a:forum", 1, slept, limits={"slow": (1, 500)})
    for taker, bucket in ((forum, ""), (forum, "slow"), (budget(address, "b:forum", 1, slept), "")):
        taker.take(bucket)
    assert slept == []
    forum.take("slow")
    assert [round(wait, -1) for wait in slept] == [500]


def test_what_another_program_wrote_there_starts_anew(address: str) -> None:
    redis.Redis.from_url(address).set("hearth:budget:odd:", b"\xff[1, ")
    assert budget(address, "odd", 1, Sleeps()).take() == 0


def test_without_its_redis_nothing_is_asked(address: str) -> None:
    silent = f"redis://{HOST}:{free_port()}/1"
    with pytest.raises(TryLater, match="nothing is asked of a site without it"):
        budget(silent, "x", 9, Sleeps()).take()
    named = address.replace("//", "//hearth@")
    with pytest.raises(FixAccess, match="refused the password"):
        RedisBudget(named, SecretStr("wrong"), "x", 9, 60).take()
    assert RedisBudget(named, SecretStr("right"), "x", 9, 60).take() == 0
