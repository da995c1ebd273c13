"""What goes wrong between a client and a server, on demand and repeatably.

`Faults` wraps any ASGI app. Each request is hit with probability `rate` by one of `kinds`, drawn
from a seeded generator; `next_answers` plans exact faults for the coming requests instead.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = (
    "bad_gateway",  # 502, HTML
    "unavailable",  # 503, HTML
    "too_many",  # 429 of a proxy: HTML, no Retry-After
    "reset",  # the connection breaks before an answer
    "cut",  # the connection breaks in the middle of the body
    "truncated",  # half the body, with a Content-Length that fits it
    "slow",  # the true answer, `delay_s` late
    "anonymised",  # the app answers as if no key had been sent, where it knows how
)
_PAGES = {
    "bad_gateway": (502, "Bad Gateway"),
    "unavailable": (503, "Service Temporarily Unavailable"),
    "too_many": (429, "Too Many Requests"),
}


class Faults:
    """An ASGI middleware that breaks some answers. All attributes may be changed at run time.

    `seen` counts the faults that happened, by kind. An app learns of `anonymised` from
    `scope["state"]["anonymised"]`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rate: float = 0.0,
        kinds: Iterable[str] = KINDS,
        seed: int = 0,
        delay_s: float = 0.2,
    ) -> None:
        self.app = app
        self.rate = rate
        self.kinds = tuple(kinds)
        self.delay_s = delay_s
        self.seen: dict[str, int] = {}
        self._random = random.Random(seed)
        self._planned: deque[str | None] = deque()

    def next_answers(self, *kinds: str | None) -> None:
        """Plan the fate of the coming requests, one by one; None lets one pass."""
        self._planned.extend(kinds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = self._draw() if scope["type"] == "http" else None
        if kind is None:
            return await self.app(scope, receive, send)
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if kind in _PAGES:
            return await _page(send, *_PAGES[kind])
        if kind == "reset":
            return await _reset(send)
        if kind == "cut":
            return await self.app(scope, receive, _Cut(send))
        if kind == "truncated":
            return await self.app(scope, receive, _Halve(send))
        if kind == "slow":
            await asyncio.sleep(self.delay_s)
        if kind == "anonymised":
            scope.setdefault("state", {})["anonymised"] = True
        return await self.app(scope, receive, send)

    def _draw(self) -> str | None:
        if self._planned:
            return self._planned.popleft()
        if self.rate and self._random.random() < self.rate:
            return self._random.choice(self.kinds)
        return None


async def _page(send: Send, status: int, title: str) -> None:
    """An error page as nginx writes it."""
    text = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    ).encode()
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _reset(send: Send) -> None:
    """Break the connection before the first byte of an answer."""
    cycle: Any = getattr(send, "__self__", None)  # uvicorn's request cycle holds the socket
    cycle.transport.abort()
    while not cycle.disconnected:
        await asyncio.sleep(0)


class _Cut:
    """Passes the head and half of the first body chunk, then breaks the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._broken = False

    async def __call__(self, message: Message) -> None:
        if self._broken:
            return
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            self._broken = True
            await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
            await _reset(self._send)
        else:
            await self._send(message)


class _Halve:
    """Holds the answer back until it is whole, then sends its first half as if that were all."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        half = self._body[: len(self._body) // 2]
        headers = [h for h in self._start["headers"] if h[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(half)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": half})
