"""The sandbox's time and its servers."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta, timezone

import pytest
import requests
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipeline.sandbox import server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.server import running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def greeter(word):
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse(word))])


def test_a_clock_runs_on_from_where_it_was_set():
    clock = Clock(NOON)
    first, second = clock.now(), clock.now()
    assert NOON <= first <= second < NOON + timedelta(minutes=1)
    clock.set(datetime(2026, 3, 2, 13, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() >= NOON + timedelta(days=1)
    assert clock.now().tzinfo is UTC


def test_a_frozen_clock_stands_still():
    clock = Clock(NOON, frozen=True)
    assert clock.now() == clock.now() == NOON


def test_both_servers_run_on_free_ports_and_end_with_the_block():
    with running(greeter("forum"), greeter("chat")) as addresses:
        pages = [requests.get(url, timeout=10).text for url in addresses]
    assert pages == ["forum", "chat"]
    for url in addresses:
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=10)


def test_one_server_may_run_alone():
    with running(chat_app=greeter("chat")) as addresses:
        assert addresses.forum == ""
        assert requests.get(addresses.chat, timeout=10).text == "chat"


def test_a_taken_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), running(greeter("x"), forum_port=port):
            pass


def test_serving_in_the_foreground_ends_in_peace_when_interrupted(monkeypatch):
    seen = []

    class Interrupted:
        def wait(self) -> None:
            seen.append("served")
            raise KeyboardInterrupt

    monkeypatch.setattr(server, "Event", Interrupted)
    addresses = server.serve(chat_app=greeter("chat"), chat_port=0)
    assert (seen, addresses.forum) == (["served"], "")
    with pytest.raises(requests.ConnectionError):
        requests.get(addresses.chat, timeout=10)
