"""How often we may call one site, agreed between all processes of a machine."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import FixSettings

_LONGEST_QUEUE_S = 3600.0  # a later turn comes from a clock that was set back


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
        with self._queues() as queues:
            now = self._now()
            until = now + _LONGEST_QUEUE_S
            queue = [t for t in queues.get(bucket, []) if now - per_s < t < until]
            turn = max([now, *queue[-1:]])
            if len(queue) >= calls:
                turn = max(turn, queue[-calls] + per_s)
            queues[bucket] = [*queue, turn][-calls:]
        wait = turn - now
        if wait > 0:
            self._sleep(wait)
        return wait

    def pause(self, seconds: float, bucket: str = "") -> None:
        """Let no process call before `seconds` have passed: the server has refused one."""
        with self._queues() as queues:
            until = self._now() + seconds
            queues[bucket] = [*(t for t in queues.get(bucket, []) if t < until), until]

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


def _parsed_queues(text: str) -> dict[str, list[float]]:
    """The queues a file holds; none where a crash or a full disk damaged it."""
    try:
        tree = json.loads(text or "{}")
        return {name: [float(t) for t in queue] for name, queue in tree.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
