"""Discourse's rate limiters: a sliding log, its answers, and nginx's leaky bucket before it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from pipeline.sandbox.discourse.switches import Limits
from pipeline.sandbox.discourse.web import Answer, Refused

_SLOW_DOWN = (
    "Slow down, you're making too many requests.\n"
    "Please retry again in {wait} seconds.\n"
    "Error code: {code}.\n"
)


class SlidingLog:
    """At most `most` requests in any `seconds`. Source: `lib/rate_limiter.rb`.

    Times are whole seconds. An aggressive log also remembers what it refused.
    """

    def __init__(self, most: int, seconds: int, *, aggressive: bool = False) -> None:
        self.most, self.seconds, self.aggressive = most, seconds, aggressive
        self._times: deque[int] = deque()

    def wait(self, now: int) -> int:
        """Seconds to wait, 0 if the request is allowed (and is now remembered)."""
        if len(self._times) < self.most or now - self._times[0] >= self.seconds:
            self._remember(now)
            return 0
        wait = max(1, self.seconds - (now - self._times[0]))
        if self.aggressive:
            self._remember(now)
        return wait

    def take_back(self) -> None:
        """Forget the latest request."""
        if self._times:
            self._times.pop()

    def _remember(self, now: int) -> None:
        self._times.append(now)
        while len(self._times) > max(1, self.most):
            self._times.popleft()


class Gate:
    """All limits of a site. `limits` may be changed while it runs."""

    def __init__(self, limits: Callable[[], Limits], seconds: Callable[[], float]) -> None:
        self._limits, self._seconds = limits, seconds
        self._logs: dict[tuple[str, int], SlidingLog] = {}
        self._bucket = (0.0, seconds())
        self._lock = threading.Lock()

    def at_the_door(self, ip: str) -> Answer | None:
        """What nginx and the per-IP limiters say before anybody looks at the request."""
        with self._lock:
            limits = self._limits()
            if limits.nginx_per_second and self._overflows(limits):
                page = "<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n</html>\r\n"
                return Answer(page, 429, kind="text/html")
            for code, most, seconds in _ip_limits(limits):
                log = self._log(f"{code} {ip}", most, seconds, aggressive=True)
                if wait := log.wait(int(self._seconds())):
                    headers = _headers(wait, code)
                    return Answer(
                        _SLOW_DOWN.format(wait=wait, code=code), 429, headers, "text/plain"
                    )
            return None

    def let_key_in(self, ip: str) -> None:
        """Count a request with a good admin key; 429 above the site's limit."""
        with self._lock:
            limits = self._limits()
            if limits.admin_per_minute is not None:
                log = self._log("admin", limits.admin_per_minute, 60)
                if wait := log.wait(int(self._seconds())):
                    raise too_many(wait, "admin_api_key_rate_limit")
            if not limits.ip_counts_api:
                for code, most, seconds in _ip_limits(limits):
                    self._log(f"{code} {ip}", most, seconds, aggressive=True).take_back()

    def let_explorer_run(self) -> None:
        """Count a run of the Data Explorer; 429 above its limit where it blocks."""
        with self._lock:
            limits = self._limits()
            if limits.explorer_per_10_seconds is not None:
                log = self._log("explorer", limits.explorer_per_10_seconds, 10)
                wait = log.wait(int(self._seconds()))
                if wait and limits.explorer_blocks:
                    raise too_many(wait, "data_explorer_10_secs_limit")

    def let_print(self, user_id: int, most: int) -> bool:
        """Whether this person may read one more print view in this hour."""
        with self._lock:
            return not self._log(f"print {user_id}", most, 3600).wait(int(self._seconds()))

    def _log(self, name: str, most: int, seconds: int, *, aggressive: bool = False) -> SlidingLog:
        key = (name, most)
        if key not in self._logs:
            self._logs[key] = SlidingLog(most, seconds, aggressive=aggressive)
        return self._logs[key]

    def _overflows(self, limits: Limits) -> bool:
        level, then = self._bucket
        now = self._seconds()
        level = max(0.0, level - (now - then) * (limits.nginx_per_second or 0.0))
        full = level > limits.nginx_burst
        self._bucket = (level if full else level + 1, now)
        return full


def too_many(wait: int, code: str) -> Refused:
    """429 as the application itself says it."""
    left = "a few seconds" if wait <= 3 else f"{wait} seconds"
    text = f"You’ve performed this action too many times. Please wait {left} before trying again."
    return Refused(
        429,
        text,
        "rate_limit",
        headers=_headers(wait, code),
        extras={"wait_seconds": wait, "time_left": left},
    )


def _headers(wait: int, code: str) -> dict[str, str]:
    return {"Retry-After": str(wait), "Discourse-Rate-Limit-Error-Code": code}


def _ip_limits(limits: Limits) -> list[tuple[str, int, int]]:
    rules = [
        ("ip_10_secs_limit", limits.ip_per_10_seconds, 10),
        ("ip_60_secs_limit", limits.ip_per_minute, 60),
    ]
    return [(code, most, seconds) for code, most, seconds in rules if most is not None]
