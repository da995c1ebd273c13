"""A workspace over real HTTP, a source that reads it, and a small store in place of a warehouse."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from pipeline.records import HIGHEST, LOWEST, Bookmark, Bookmarks
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.rocketchat import READER_ID, READER_TOKEN, Workspace, chat_app
from pipeline.sandbox.rocketchat.protocol import dump
from pipeline.sandbox.server import running
from pipeline.settings import RocketChatSettings
from pipeline.sources.http import Budget, Transport
from pipeline.sources.rocketchat import RocketChat

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
COLUMNS = {
    "container": "VARCHAR",
    "key": "VARCHAR",
    "at": "BIGINT",
    "mark": "VARCHAR",
    "gone": "BOOLEAN",
    "seen_at": "BIGINT",
}


class Store:
    """What a warehouse keeps of parts: newest wins, tombstones keep the payload, lists bury."""

    def __init__(self, folder):
        self.folder, self.rows, self.spans = folder, {}, {}
        self.db = duckdb.connect()

    def load(self, part):
        for record in part.records:
            held = self.rows.get((record.stream, record.key))
            if held is not None and held["seen_at"] > record.seen_at:
                continue
            payload = held["payload"] if record.gone and held else dict(record.payload)
            at = record.at
            if record.gone and held:
                at = max(record.at or 0, held["at"] or 0) or None
            self.rows[record.stream, record.key] = {
                "payload": payload,
                "seen_at": record.seen_at,
                "at": at,
                "gone": record.gone,
                "mark": record.mark,
                "container": record.container,
            }
        for span in part.spans:
            self._load_span(span)

    def _load_span(self, span):
        if span.covers:
            low, high = (span.low, span.high) if span.low is not None else (LOWEST, HIGHEST)
            ranges = self.spans.setdefault(span.stream, {}).setdefault(span.container, [])
            ranges.append((low, high))
        if span.keys is None:
            return
        for (stream, key), row in self.rows.items():
            inside = stream == span.stream and row["container"] == span.container
            if inside and row["seen_at"] < span.seen_at and key not in span.keys:
                row["gone"], row["seen_at"] = True, span.seen_at

    def bookmarks(self):
        found = {}
        for stream in {stream for stream, _ in self.rows}:
            file = self.folder / f"{stream}.parquet"
            lines = self.folder / f"{stream}.json"
            with lines.open("w") as out:
                for (of, key), row in self.rows.items():
                    if of == stream:
                        kept = {n: row[n] for n in ("container", "at", "mark", "gone", "seen_at")}
                        out.write(json.dumps({"key": key, **kept}) + "\n")
            self.db.execute(
                f"COPY (FROM read_json(?, columns = {COLUMNS})) TO '{file}' (FORMAT parquet)",
                [str(lines)],
            )
            found[stream] = Bookmark(file, self.spans.get(stream, {}), None)
        return Bookmarks(found)

    def live(self, stream):
        """key -> payload of what is held and not gone."""
        return {k: r["payload"] for (s, k), r in self.rows.items() if s == stream and not r["gone"]}

    def gone(self, stream):
        return {k for (s, k), r in self.rows.items() if s == stream and r["gone"]}

    def text(self):
        """Everything that would be written to disk."""
        return json.dumps([[*key, row] for key, row in self.rows.items()], ensure_ascii=False)


class World:
    """One workspace, its server, its clock, and who reads it."""

    units = ("messages", "users", "reports")

    def __init__(self, folder, workspace, clock, url, app, faults):
        self.workspace, self.clock, self.url = workspace, clock, url
        self.app, self.faults, self.store = app, faults, Store(folder)
        self.waits = []
        self.max_body = 2**26
        self.private = ()

    def settings(self, **more):
        given = {"platform": "rocketchat", "url": self.url, "user_id": READER_ID, "share": 1.0}
        given |= {"token": READER_TOKEN, "private": self.private}
        return RocketChatSettings(**given | more)

    def transport(self, settings, patience_s=60.0, timeout_s=5.0):
        headers = {
            "X-User-Id": settings.user_id.get_secret_value(),
            "X-Auth-Token": settings.token.get_secret_value(),
        }
        now = lambda: self.clock.now().timestamp()  # noqa: E731
        budget = Budget(None, 100_000, 60, now=now, sleep=self.sleep)
        return Transport(
            self.url,
            headers,
            source="chat",
            budget=budget,
            timeout_s=timeout_s,
            patience_s=patience_s,
            max_body=self.max_body,
            now=now,
            sleep=self.sleep,
        )

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))

    def source(self, **more):
        settings = self.settings(**more)
        return RocketChat(settings, "chat", self.transport(settings))

    def night(self, at=None, units=units, **more):
        """One night's reading; returns the requests the server answered."""
        if at is not None:
            self.clock.set(at)
        before = len(self.app.state.log)
        source, bookmarks = self.source(**more), self.store.bookmarks()
        for unit in units:
            for part in source.read(unit, bookmarks):
                self.store.load(part)
        return self.app.state.log[before:]

    def truth(self, *rooms):
        """Messages of these rooms (all public ones) as the API shows them."""
        rooms = rooms or [r for r, room in self.workspace.rooms.items() if room["t"] == "c"]
        return {
            mid: json.loads(dump(message))
            for rid in rooms
            for mid, message in self.workspace.by_room[rid].items()
            if not message.get("_hidden")
        }


@contextmanager
def opened(folder, workspace=None):
    workspace, clock = workspace or Workspace(), Clock(START, frozen=True)
    app = chat_app(workspace, clock)
    faults = Faults(app)
    with running(chat_app=faults) as addresses:
        yield World(folder, workspace, clock, addresses.chat, app, faults)


@pytest.fixture
def world(tmp_path):
    """Two people, two channels, a private group and a direct message."""
    with opened(tmp_path) as world:
        chat, at = world.workspace, START - timedelta(days=100)
        for name in ("ann", "ben"):
            chat.add_user(name, name.title(), at, id=name)
        for name in ("general", "help"):
            chat.add_room(name, at, id=name, members=["ann", "ben"])
        chat.add_room("staff", at, id="staff", t="p", members=["ann", "ben"])
        chat.add_room("", at, id="annben", t="d", members=["ann", "ben"])
        yield world


@pytest.fixture
def open_world():
    return opened
