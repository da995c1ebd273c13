"""A small forum of the sandbox, served over real HTTP, with time that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import ADMIN_KEY, Forum, Limits, Site, Switches
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.server import running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Served:
    """A forum with two members and a public category, and a client that holds the admin key."""

    forum: Forum
    switches: Switches
    clock: Clock
    seconds: list[float]
    site: Site
    faults: Faults
    url: str
    client: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.client.headers.update({"Api-Key": ADMIN_KEY, "Api-Username": "system"})
        self.category = self.forum.add_category("Support", "support", NOON - timedelta(days=9))
        self.ada = self.forum.add_user("ada", "Ada", NOON - timedelta(days=9))
        self.bob = self.forum.add_user("bob", "Bob", NOON - timedelta(days=9), trust_level=2)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request, redirects not followed."""
        return self.client.request(
            method, self.url + path, allow_redirects=False, timeout=10, **more
        )

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON of a page that answers with this status."""
        answer = self.ask("GET", path, **more)
        assert answer.status_code == status, answer.text[:300]
        return answer.json()

    def topic(self, replies: int = 0, at: datetime = NOON, **columns: Any) -> tuple[int, list[int]]:
        """A new topic of Ada's with Bob's replies, a minute apart; its id and its posts'."""
        category = columns.pop("category_id", self.category)
        topic, first = self.forum.create_topic(
            self.ada,
            category,
            "How do I light a fire?",
            "It is cold here, and dark.",
            at,
            **columns,
        )
        posts = [first]
        for n in range(1, replies + 1):
            text = f"Answer number {n} of many."
            posts.append(self.forum.reply(topic, self.bob, text, at + timedelta(minutes=n)))
        return topic, posts

    def sql(self, sql: str, **params: str) -> requests.Response:
        """The run of a new stored query."""
        root = "/admin/plugins/discourse-data-explorer/queries"
        query = self.ask("POST", f"{root}.json", json={"query": {"name": "q", "sql": sql}})
        sent = {"params": json.dumps(params), "limit": "10000", "download": "true"}
        return self.ask("POST", f"{root}/{query.json()['query']['id']}/run.json", data=sent)

    def rows(self, sql: str, **params: str) -> list[list[Any]]:
        """The rows of a query that succeeds."""
        answer = self.sql(sql, **params)
        assert answer.status_code == 200, answer.text[:300]
        found: list[list[Any]] = answer.json()["rows"]
        return found


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves a forum with these switches; limits are off unless given."""
    with ExitStack() as stack:

        def start(**switches: Any) -> Served:
            chosen = Switches(**{"limits": Limits.off(), **switches})
            forum, clock, seconds = Forum(chosen), Clock(NOON, frozen=True), [1_000_000.0]
            site = Site(forum, clock=clock, seconds=lambda: seconds[0])
            faults = Faults(site, delay_s=0.01)
            url = stack.enter_context(running(faults)).forum
            return Served(forum, chosen, clock, seconds, site, faults, url)

        yield start


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A forum as a current Discourse is, without limits."""
    return serve()
