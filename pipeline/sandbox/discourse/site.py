"""The sandbox forum as an ASGI app: the door, the key, the route, the answer."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import (
    activity_pages,
    chat_pages,
    explorer,
    lists,
    people_pages,
    post_pages,
    review_pages,
    site_pages,
    topic_pages,
    writing_pages,
)
from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.discourse.limits import Gate
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import (
    Answer,
    Key,
    Refused,
    Routes,
    Visit,
    dump,
    missing,
    not_logged_in,
)

ADMIN_KEY = hashlib.sha256(b"sandbox admin").hexdigest()
READ_KEY = hashlib.sha256(b"sandbox reader").hexdigest()
_BAD_KEY = (
    "You are not permitted to view the requested resource. The API username or key is invalid."
)
_PAGE = '<!DOCTYPE html>\n<html lang="en">\n<head><title>Sandbox</title></head><body></body></html>'
_GZIP_FROM = 1_000  # bytes


@dataclass(frozen=True)
class Seen:
    """One line of the request log."""

    method: str
    path: str
    query: str
    status: int
    bytes: int
    username: str | None


class Site:
    """A Discourse site over HTTP. `log` lists every request that reached it."""

    def __init__(
        self,
        forum: Forum,
        *,
        clock: Clock | None = None,
        keys: Mapping[str, Key] | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.forum = forum
        self.switches = forum.switches
        self.clock = clock or Clock()
        self.keys = (
            dict(keys)
            if keys is not None
            else {
                ADMIN_KEY: Key(ADMIN_KEY),
                READ_KEY: Key(READ_KEY, scopes=("read",)),
            }
        )
        self.log: list[Seen] = []
        self._gate = Gate(lambda: self.switches.limits, seconds)
        self._lock = threading.Lock()
        self._routes = Routes()
        for part in (
            explorer,
            writing_pages,
            topic_pages,
            post_pages,
            lists,
            people_pages,
            review_pages,
            activity_pages,
            chat_pages,
            site_pages,
        ):
            self._routes.extend(part.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        answer, username = await run_in_threadpool(self._answer, request, body)
        content = (
            answer.body
            if isinstance(answer.body, bytes)
            else (dump(answer.body) if "json" in answer.kind else str(answer.body).encode())
        )
        headers = {"Content-Type": answer.kind, "Vary": "Accept-Encoding", **answer.headers}
        if len(content) >= _GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            content = gzip.compress(content, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(content))
        seen = Seen(
            request.method,
            request.url.path,
            request.url.query,
            answer.status,
            len(content),
            username,
        )
        with self._lock:
            self.log.append(seen)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, request: Request, body: bytes) -> tuple[Answer, str | None]:
        ip = request.client.host if request.client else ""
        if stop := self._gate.at_the_door(ip):
            return stop, None
        user: Row | None = None
        try:
            if body and request.method in ("GET", "HEAD"):
                return Answer("", 413, kind="text/plain"), None
            anonymised = request.scope.get("state", {}).get("anonymised", False)
            if not anonymised:
                user = self._authenticate(request, ip)
            self.forum.run_jobs(self.clock.now())
            answer = self._route(request, body, user)
        except Refused as refused:
            answer = Answer(refused.body, refused.status, refused.headers)
            anonymised = False
        headers = dict(answer.headers)
        if anonymised:
            headers["Set-Cookie"] = "dosp=1; path=/"
        if user is not None:
            headers["X-Discourse-Username"] = user["username"]
        answer = Answer(answer.body, answer.status, headers, answer.kind)
        return answer, None if user is None else user["username"]

    def _authenticate(self, request: Request, ip: str) -> Row | None:
        """Who asks; null for an anonymous visitor. All that is wrong with a key answers alike."""
        given = request.headers.get("api-key")
        if given is None:
            return None
        bad = Refused(403, _BAD_KEY, "invalid_access")
        key = self.keys.get(given)
        name = request.headers.get("api-username") or (key.username if key else None)
        user_id = request.headers.get("api-user-id")
        if key is None or not (name or user_id):
            raise bad
        found = self.forum.read(
            "FROM users WHERE username_lower = ? OR id = try_cast(? AS INTEGER)",
            (name or "").lower(),
            user_id,
        )
        if not found or not self._may(key, found[0], request):
            raise bad
        self._gate.let_key_in(ip)
        return found[0]

    def _may(self, key: Key, user: Row, request: Request) -> bool:
        if key.username is not None and key.username.lower() != user["username_lower"]:
            return False
        suspended = user["suspended_till"] is not None and user["suspended_till"] > (
            self.clock.now().replace(tzinfo=None)
        )
        if suspended or user["staged"] or not user["active"]:
            return False
        return key.may(request.method, request.url.path)

    def _route(self, request: Request, body: bytes, user: Row | None) -> Answer:
        path = request.url.path
        json_wanted = path.endswith(".json") or "json" in request.headers.get("accept", "")
        bare = path.removesuffix(".json")
        found = self._routes.find(request.method, bare)
        if found is None:
            raise missing()
        if not json_wanted and request.method == "GET" and not bare.startswith("/raw/"):
            status = 404 if bare.startswith("/admin") else 200
            return Answer(_PAGE, status, kind="text/html; charset=utf-8")
        endpoint, place = found
        if self.switches.read_only and request.method != "GET" and found[0] not in explorer.runs:
            text = "The site is in read only mode. Interactions are disabled."
            raise Refused(503, text, "read_only")
        if self.switches.login_required and user is None and bare != "/site/basic-info":
            raise not_logged_in()
        visit = self._visit(request, bare, body, user)
        if endpoint in explorer.runs:
            self._gate.let_explorer_run()
        body = endpoint(visit, **place)
        answer = body if isinstance(body, Answer) else Answer(body)
        route = f"{endpoint.__module__.rpartition('.')[2]}/{endpoint.__name__}"
        headers = {"X-Discourse-Route": route, **answer.headers}
        return Answer(answer.body, answer.status, headers, answer.kind)

    def _visit(self, request: Request, bare: str, body: bytes, user: Row | None) -> Visit:
        return Visit(
            forum=self.forum,
            switches=self.switches,
            now=self.clock.now(),
            method=request.method,
            path=bare,
            query=request.query_params,
            headers=request.headers,
            sent=_sent(request.headers.get("content-type", ""), body),
            user=user,
            prints=lambda most: self._gate.let_print(user["id"] if user else 0, most),
        )


def _sent(kind: str, body: bytes) -> dict[str, Any]:
    """The parameters of a body: JSON, or a form with names like `query[group_ids][]`."""
    if not body:
        return {}
    if kind.startswith("application/json"):
        try:
            tree = json.loads(body)
        except ValueError:
            raise Refused(400, "The request body is no JSON.", "invalid_parameters") from None
        return tree if isinstance(tree, dict) else {}
    sent: dict[str, Any] = {}
    for name, values in parse_qs(body.decode(), keep_blank_values=True).items():
        plain, many = name.removesuffix("[]"), name.endswith("[]")
        outer, _, inner = plain.partition("[")
        value = values if many else values[-1]
        if inner:
            sent.setdefault(outer, {})[inner.removesuffix("]")] = value
        else:
            sent[plain] = value
    return sent
