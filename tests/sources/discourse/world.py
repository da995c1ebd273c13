"""A sandbox forum over real HTTP, and the real landing and warehouse behind the source."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from starlette.types import Receive, Scope, Send

from pipeline import load
from pipeline.landing import Landing, Report
from pipeline.records import Bookmarks, Part
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import ADMIN_KEY, Forum, Site
from pipeline.sandbox.faults import Faults
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse import Discourse, limits, per_minute
from pipeline.sources.discourse.client import headers, signed_in
from pipeline.sources.http import Budget, Transport
from pipeline.warehouse import prepare
from tests.sources.fake_time import FakeTime

DAWN = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "forum"


@dataclass
class World:
    """A forum that is served, and what Hearth holds of it."""

    forum: Forum
    folder: Path
    time: FakeTime = field(default_factory=FakeTime)
    settings: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    installation: str = "ours"
    runs: int = 0
    keeps_limits: bool = False
    refused: dict[str, int] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)  # of the forum's clock, ours
    signs: bool = True  # whether refusals name the acting user, as those of a scope do not
    moments: list[float] = field(default_factory=list)  # when each request came, as time goes
    said: str = "The requested URL or resource could not be found."
    happens: Callable[[str], object] = lambda _: None  # before each request, with its path
    proxied: Callable[[str], bool] = lambda _: False  # paths that a proxy answers, by its own 404
    longest: tuple[int, int] | None = None  # characters of a query that a proxy lets pass; status
    queries: list[int] = field(default_factory=list)  # how long each request's query was

    def __post_init__(self) -> None:
        self.clock = Clock(DAWN, frozen=True)
        self.site = Site(self.forum, clock=self.clock, seconds=self.time.now)
        self.faults = Faults(self._refusing, delay_s=0.0)
        self.db = duckdb.connect()
        prepare(self.db)
        self.landing = Landing(self.folder / "landing")

    def source(self, **settings: Any) -> Discourse:
        """A new client of the forum, as each extraction makes one."""
        given = {"platform": "discourse", "url": self.url, "key": ADMIN_KEY}
        chosen = DiscourseSettings(**{**given, **self.settings, **settings})
        counted = limits(chosen) if self.keeps_limits else {}
        calls, per_s = per_minute(chosen) if self.keeps_limits else (10**9, 1)
        budget = Budget(
            None, calls, per_s, limits=counted, now=self.time.now, sleep=self.time.sleep
        )
        transport = Transport(
            self.url,
            headers(chosen),
            source=NAME,
            budget=budget,
            timeout_s=5,
            patience_s=600,
            check=signed_in,
            now=self.time.now,
            sleep=self.time.sleep,
        )
        return Discourse(chosen, NAME, transport, self.installation, now=self.micros)

    async def _refusing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The site, but for paths in `refused`, which get that status."""
        self.moments.append(self.time.now())
        self.queries.append(len(scope["query_string"]))
        if self.longest is not None and self.queries[-1] > self.longest[0]:
            await _by_a_proxy(send, self.longest[1])
            return
        self.happens(scope["path"])
        if self.proxied(scope["path"]):
            await _by_a_proxy(send, 404)
            return
        status = self.refused.get(scope["path"])
        if status is None:
            await self.site(scope, receive, send)
            return
        body = json.dumps({"errors": [self.said]}).encode()
        kind = [(b"content-type", b"application/json")]
        kind += [(b"x-discourse-username", b"system")] if self.signs else []
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": body})

    def micros(self) -> int:
        """Our time, one microsecond later at each look."""
        self.clock.set(self.clock.now() + timedelta(microseconds=1))
        ours = self.clock.now() + self.ahead
        return int((ours - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

    def bookmarks(self) -> Bookmarks:
        self.runs += 1
        folder = self.folder / f"bookmarks{self.runs}"
        load.write_bookmarks(self.db, NAME, folder)
        return Bookmarks.read(folder)

    def night(self, stop_after: int | None = None, **settings: Any) -> int:
        """One extraction of everything, loaded; killed after so many parts if asked.

        Returns the number of requests.
        """
        bookmarks = self.bookmarks()
        run = f"run{self.runs:04}"
        source = self.source(**settings)
        left = stop_after
        for plan in source.plan():
            if plan.unavailable:
                continue
            started_at = self.micros()
            for part in source.read(plan.stream, bookmarks):
                if left == 0:
                    load.load(self.db, self.landing)
                    return source.usage.requests
                left = None if left is None else left - 1
                self.landing.write(NAME, run, plan.stream, part)
            self.landing.finish(
                Report(
                    NAME,
                    plan.stream,
                    run,
                    plan.via,
                    started_at,
                    seconds=(self.micros() - started_at) / 1e6,
                    streams=plan.yields,
                )
            )
        load.load(self.db, self.landing)
        return source.usage.requests

    def nights(self, days: Iterable[int]) -> None:
        """A night on each of these days, counted from DAWN."""
        for day in days:
            self.clock.set(DAWN + timedelta(days=day))
            self.night()

    def parts(self, **settings: Any) -> list[Part]:
        """What a read would bring now; nothing is kept."""
        source, bookmarks = self.source(**settings), self.bookmarks()
        plans = [plan for plan in source.plan() if not plan.unavailable]
        return [part for plan in plans for part in source.read(plan.stream, bookmarks)]

    def held(self, stream: str) -> dict[str, dict[str, Any]]:
        """Key -> payload of what is held and not gone."""
        rows = self.db.execute(
            "SELECT key, payload FROM raw.records WHERE stream = ? AND gone_at IS NULL", [stream]
        )
        return {key: json.loads(payload) for key, payload in rows.fetchall()}

    def everything(self) -> list[tuple[Any, ...]]:
        """All rows held, without when and by which run they came."""
        return self.db.execute(
            'SELECT stream, key, "at", mark, gone_at IS NOT NULL AS gone, payload FROM raw.records'
            " ORDER BY ALL"
        ).fetchall()

    def words(self) -> str:
        """All that a night leaves behind, as one text."""
        files = sorted(self.folder.rglob("*.jsonl.gz"))
        texts = [gzip.decompress(file.read_bytes()).decode() for file in files]
        return "".join(texts) + str(self.everything())

    def gone(self, stream: str) -> set[str]:
        """Keys held as tombstones."""
        rows = self.db.execute(
            "SELECT key FROM raw.records WHERE stream = ? AND gone_at IS NOT NULL", [stream]
        )
        return {key for (key,) in rows.fetchall()}


async def _by_a_proxy(send: Send, status: int) -> None:
    """A refusal that no Discourse has signed."""
    kind = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": b"404 page not found"})
