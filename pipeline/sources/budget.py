"""How often we may call one site, agreed between all who call it: on one machine through a file,
on many through a Redis."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipeline.errors import FixAccess, FixSettings, TryLater

_LONGEST_QUEUE_S = 3600.0  # a later turn comes from a clock that was set back
LATE_S = 0.5  # a call may arrive this much later than the next one, and is counted on arrival

Step = Callable[[list[float], float], tuple[list[float], float]]
"""A queue of turns and the moment (s since 1970) -> the queue afterwards, and seconds to wait."""


class Budget:
    """The calls we may make to one site, shared by all processes of this machine.

    A sliding window of `calls` per `per_s` seconds for each bucket, or what `limits` says of that
    bucket. Calls queue: each takes the next free moment and sleeps until then. The queue lies in
    `file`, under a lock; without a file it is this object's own.
    """

    def __init__(
        self,
        file: Path | None,
        calls: int,
        per_s: float,
        *,
        limits: Mapping[str, tuple[int, float]] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._file = file
        self._default = (calls, per_s)
        self._limits = dict(limits or {})
        self._now = now
        self._sleep = sleep
        self._own: dict[str, list[float]] = {}

    def take(self, bucket: str = "") -> float:
        """Block until a call is allowed; returns the seconds waited."""
        calls, per_s = self._limits.get(bucket, self._default)
        wait = self._change(bucket, lambda queue, now: _queued(queue, now, calls, per_s))
        if wait > 0:
            self._sleep(wait)
        return wait

    def pause(self, seconds: float, bucket: str = "") -> None:
        """Let nobody call before `seconds` have passed: the server has refused one."""
        self._change(bucket, lambda queue, now: _paused(queue, now + seconds))

    def _change(self, bucket: str, step: Step) -> float:
        """Do a step on a bucket's queue while nobody else does; returns the seconds to wait."""
        with self._queues() as queues:
            queues[bucket], wait = step(queues.get(bucket, []), self._now())
        return wait

    @contextmanager
    def _queues(self) -> Iterator[dict[str, list[float]]]:
        if self._file is None:
            yield self._own
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FixSettings(f"cannot write {self._file}: {error.strerror}") from None
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            queues = _parsed_queues(file.read())
            yield queues
            file.seek(0)
            file.truncate()
            json.dump(queues, file)


class RedisBudget(Budget):
    """The same for all machines that are given one Redis, which also has the clock they go by.

    `name` is the site's among all that share the Redis. Raises TryLater where the Redis does not
    answer: without it nothing is asked of the site; FixAccess where it refuses the password.
    """

    def __init__(
        self,
        address: str,
        password: SecretStr | None,
        name: str,
        calls: int,
        per_s: float,
        *,
        limits: Mapping[str, tuple[int, float]] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(None, calls, per_s, limits=limits, sleep=sleep)
        self._address, self._name = address, name
        self._redis = _client(address, password)

    def _change(self, bucket: str, step: Step) -> float:
        import redis

        key = f"hearth:budget:{self._name}:{bucket}"

        def within(transaction: Any) -> float:  # done again where another came between
            seconds, micros = transaction.time()
            before = _parsed_queues(transaction.get(key)).get(bucket, [])
            queue, wait = step(before, seconds + micros / 1e6)
            transaction.multi()
            transaction.set(key, json.dumps({bucket: queue}), ex=int(2 * _LONGEST_QUEUE_S))
            return wait

        try:
            wait: float = self._redis.transaction(within, key, value_from_callable=True)
        except redis.AuthenticationError:
            raise FixAccess(
                f"{self._address} refused the password; set HEARTH_<COMMUNITY>_CLUSTER_PASSWORD"
            ) from None
        except redis.RedisError as error:
            raise TryLater(
                f"the shared budget at {self._address} does not answer ({type(error).__name__}); "
                "nothing is asked of a site without it: start that Redis or name another"
            ) from None
        return wait


def _client(address: str, password: SecretStr | None) -> Any:
    try:
        import redis
    except ImportError:
        raise FixSettings(
            "the table `cluster` needs a Redis client: install requirements/cluster.lock.txt"
        ) from None
    secret = password.get_secret_value() if password else None
    return redis.Redis.from_url(address, password=secret, socket_timeout=10)


def _queued(queue: list[float], now: float, calls: int, per_s: float) -> tuple[list[float], float]:
    """The queue with one more turn, the next that a window of `calls` in `per_s` leaves free."""
    window = per_s + LATE_S
    queue = [t for t in queue if now - window < t < now + _LONGEST_QUEUE_S]
    turn = max([now, *queue[-1:]])
    if len(queue) >= calls:
        turn = max(turn, queue[-calls] + window)
    return [*queue, turn][-calls:], turn - now


def _paused(queue: list[float], until: float) -> tuple[list[float], float]:
    return [*(t for t in queue if t < until), until], 0.0


def _parsed_queues(text: str | bytes | None) -> dict[str, list[float]]:
    """The queues that were kept; none where a crash or a full disk damaged them."""
    try:
        tree = json.loads(text or "{}")
        return {name: [float(t) for t in queue] for name, queue in tree.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
