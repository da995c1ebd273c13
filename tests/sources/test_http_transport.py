"""The polite transport against a real, misbehaving HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.errors import BadAnswer, BudgetSpent, FixSettings, SourceDown
from pipeline.sources.http import Answer, Budget, Retry, TooLarge, Transport
from tests.sources.fake_time import FakeTime

JSON = {"Content-Type": "application/json; charset=utf-8"}
Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def served(replies: Callable[[int, BaseHTTPRequestHandler], Reply | None]) -> Iterator[Any]:
    """A server whose n-th request gets `replies(n, request)`; null breaks the connection."""
    seen: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.body = self.rfile.read(length)
            seen.append(self)
            reply = replies(len(seen), self)
            if reply is None:
                self.close_connection = True
                self.connection.close()
                return
            status, headers, body = reply
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if int(headers.get("Content-Length", len(body))) != len(body):
                self.close_connection = True

        do_GET = do_POST = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        server.seen = seen  # type: ignore[attr-defined]
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def transport(server: Any, time: FakeTime, **options: Any) -> Transport:
    return Transport(
        f"http://127.0.0.1:{server.server_address[1]}",
        {"Api-Key": "s3cret"},
        source="forum",
        **{
            "budget": Budget(None, 10**6, 1, now=time.now, sleep=time.sleep),
            "timeout_s": 0.5,
            "patience_s": 100,
            "now": time.now,
            "sleep": time.sleep,
            **options,
        },
    )


GOOD: Reply = (200, JSON, b'{"fine": true}')
SICK: dict[str, Reply | None] = {
    "502 in HTML": (502, {"Content-Type": "text/html"}, b"<h1>bad gateway</h1>"),
    "503 with Retry-After": (503, {"Retry-After": "7"}, b"busy"),
    "500 in JSON": (500, JSON, b'{"errors": ["oops"]}'),
    "a broken connection": None,
    "JSON cut short": (200, {**JSON, "Content-Length": "14"}, b'{"fine": '),
    "JSON cut short with a matching length": (200, JSON, b'{"fine": '),
    "a maintenance page with status 200": (200, {"Content-Type": "text/html"}, b"<p>soon</p>"),
    "an empty body": (200, JSON, b""),
    "429 with Retry-After": (429, {**JSON, "Retry-After": "43"}, b"{}"),
    "429 in nginx's HTML": (429, {"Content-Type": "text/html"}, b"<h1>429</h1>"),
}


@pytest.mark.parametrize("name", SICK)
def test_asks_again_until_the_answer_can_be_trusted(name: str) -> None:
    time = FakeTime()
    with served(lambda n, _: SICK[name] if n < 3 else GOOD) as server:
        polite = transport(server, time)
        answer = polite.get("/x.json")
    assert (answer.status, answer.value) == (200, {"fine": True})
    assert (polite.usage.requests, polite.usage.retried) == (3, 2)
    assert polite.usage.waited_s == pytest.approx(sum(time.slept))


WAITS: dict[str, tuple[Reply, float]] = {
    "Retry-After": ((429, {**JSON, "Retry-After": "43"}, b"{}"), 43),
    "Retry-After as a date": (
        (
            429,
            {
                "Retry-After": "Fri, 01 Jan 2100 00:00:30 GMT",
                "Date": "Fri, 01 Jan 2100 00:00:10 GMT",
            },
            b"",
        ),
        20,
    ),
    "Discourse's wait_seconds": (
        (429, JSON, b'{"errors": ["slow"], "extras": {"wait_seconds": 17}}'),
        17,
    ),
    "Discourse's text": (
        (
            429,
            {"Content-Type": "text/plain"},
            b"Slow down.\nPlease retry again in 8 seconds.\nError code: ip_10_secs_limit.",
        ),
        8,
    ),
    "Rocket.Chat's reset in ms": (
        (
            429,
            {**JSON, "X-RateLimit-Reset": "4102444825000", "Date": "Fri, 01 Jan 2100 00:00:10 GMT"},
            b"{}",
        ),
        15,
    ),
    "Rocket.Chat's sentence": (
        (
            429,
            JSON,
            b'{"error": "Error, too many requests. Please slow down. You must wait 34 '
            b'seconds before trying this endpoint again. [error-too-many-requests]"}',
        ),
        34,
    ),
    "nothing at all": ((429, {"Content-Type": "text/html"}, b"<h1>429</h1>"), 10),
}


@pytest.mark.parametrize("name", WAITS)
def test_waits_as_long_as_a_refusal_says(name: str) -> None:
    time = FakeTime()
    refusal, wait = WAITS[name]
    with served(lambda n, _: refusal if n == 1 else GOOD) as server:
        transport(server, time).get("/x.json")
    assert wait <= sum(time.slept) <= wait + 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((503, {}, b""), SourceDown),
        (None, SourceDown),
        ((429, {"Retry-After": "20"}, b""), BudgetSpent),
        ((429, {"Retry-After": "9999"}, b""), BudgetSpent),
        ((200, {"Content-Type": "text/html"}, b"<html>"), BadAnswer),
    ],
)
def test_gives_up_when_patience_ends(reply: Reply | None, error: type[Exception]) -> None:
    time = FakeTime()
    with served(lambda *_: reply) as server, pytest.raises(error) as raised:
        transport(server, time).get("/x.json", {"q": "s3cret"})
    assert sum(time.slept) <= 100
    assert "forum: GET /x.json failed" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_call_that_may_have_been_acted_on_is_not_repeated() -> None:
    with served(lambda n, _: (502, {}, b"")) as server:
        with pytest.raises(SourceDown, match="not certain whether"):
            transport(server, FakeTime()).post("/posts.json", json={})
        assert len(server.seen) == 1


def test_a_refused_call_is_repeated_always() -> None:
    refusal: Reply = (429, {"Retry-After": "1"}, b"")
    with served(lambda n, _: refusal if n == 1 else GOOD) as server:
        assert transport(server, FakeTime()).post("/posts.json", json={}).ok


def test_a_refusal_by_status_is_the_callers_to_judge() -> None:
    with served(lambda *_: (404, JSON, b'{"errors": ["gone"]}')) as server:
        answer = transport(server, FakeTime()).get("/x.json")
        assert (answer.status, answer.ok, answer.value) == (404, False, {"errors": ["gone"]})
        assert len(server.seen) == 1


def test_a_check_can_throw_an_answer_away() -> None:
    def signed_in(answer: Answer) -> None:
        if "X-User" not in answer.headers:
            raise Retry("answered as if we were nobody")

    with served(lambda n, _: (200, {**JSON, **({"X-User": "a"} if n > 1 else {})}, b"1")) as server:
        polite = transport(server, FakeTime(), check=signed_in)
        assert polite.get("/x.json").value == 1
        assert polite.usage.retried == 1


def test_follows_a_redirect_within_the_site_and_keeps_the_question() -> None:
    def reply(n: int, request: BaseHTTPRequestHandler) -> Reply:
        if request.path.startswith("/t/5.json"):
            return 301, {"Location": "/t/slug/5.json?page=2"}, b""
        return 200, JSON, json.dumps(request.path).encode()

    with served(reply) as server:
        answer = transport(server, FakeTime()).get("/t/5.json", {"page": 9, "print": "true"})
    assert answer.value == "/t/slug/5.json?page=2&print=true"


def test_never_takes_the_key_to_another_site() -> None:
    with served(lambda *_: GOOD) as other:
        there = f"http://localhost:{other.server_address[1]}/x.json"
        with (
            served(lambda *_: (302, {"Location": there}, b"")) as server,
            pytest.raises(FixSettings, match="put it into hearth.toml"),
        ):
            transport(server, FakeTime()).get("/x.json")
        assert other.seen == []


def test_a_question_sent_to_the_login_page_is_asked_again() -> None:
    def reply(n: int, request: BaseHTTPRequestHandler) -> Reply:
        return (302, {"Location": "/login"}, b"") if n < 3 else GOOD

    with served(reply) as server:
        polite = transport(server, FakeTime())
        assert polite.post("/run.json", repeatable=True).ok
        assert polite.usage.retried == 2
    with served(reply) as server, pytest.raises(BadAnswer, match="not certain whether"):
        transport(server, FakeTime()).post("/posts.json")


def test_a_question_sent_elsewhere_on_the_site_says_what_to_check() -> None:
    with (
        served(lambda *_: (302, {"Location": "/forum/run.json"}, b"")) as server,
        pytest.raises(FixSettings, match="check `url`"),
    ):
        transport(server, FakeTime()).post("/run.json", repeatable=True)


def test_circles_end() -> None:
    with (
        served(lambda *_: (302, {"Location": "/x.json"}, b"")) as server,
        pytest.raises(BadAnswer, match="circle"),
    ):
        transport(server, FakeTime()).get("/x.json")


def test_a_huge_body_is_not_read_to_its_end() -> None:
    body = b'"' + b"a" * 2_000_000 + b'"'
    with served(lambda *_: (200, JSON, body)) as server:
        polite = transport(server, FakeTime(), max_body=2**20)
        with pytest.raises(TooLarge):
            polite.get("/x.json")
        assert polite.usage.bytes < len(body)


def test_nothing_shows_the_secret_and_no_cookie_is_kept() -> None:
    with served(lambda *_: (200, {**JSON, "Set-Cookie": "dosp=1"}, b"1")) as server:
        polite = transport(server, FakeTime())
        polite.get("/a.json")
        polite.get("/b.json")
        first, second = server.seen
    assert "s3cret" not in repr(polite)
    assert (first.headers["Api-Key"], second.headers["Api-Key"]) == ("s3cret", "s3cret")
    assert second.headers["Cookie"] is None
    assert first.headers["User-Agent"].startswith("hearth/")
    assert "gzip" in first.headers["Accept-Encoding"]
