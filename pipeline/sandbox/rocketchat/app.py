"""The workspace's HTTP face: an ASGI application that any Rocket.Chat client can talk to."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as Path

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.rocketchat import moderation, reads, writes
from pipeline.sandbox.rocketchat.protocol import (
    NOT_LOGGED_IN,
    UNAUTHORIZED,
    Call,
    Limiter,
    Refusal,
    Route,
    check,
    dump,
)
from pipeline.sandbox.rocketchat.rights import permissions
from pipeline.sandbox.rocketchat.workspace import Workspace

READER_ID = "hearthReader23456"
READER_TOKEN = "a token of the sandbox; it opens nothing else"  # noqa: S105
BYPASS = "api-bypass-rate-limit"
ROUTES: dict[str, dict[str, Route]] = {
    "GET": reads.READS | moderation.READS,
    "POST": writes.WRITES | moderation.WRITES,
}


@dataclass(frozen=True, slots=True)
class Logged:
    """One request the server answered, for tests to count."""

    method: str
    endpoint: str
    values: dict[str, Any]
    status: int


def chat_app(workspace: Workspace, clock: Clock) -> Starlette:
    """The server of this workspace, with an account for an extractor. `state.log` of the result
    lists the requests it answered, and `state.limiter` is its memory of calls."""
    if READER_ID not in workspace.users:
        workspace.add_extractor(clock.now(), READER_TOKEN, id=READER_ID)
    server = Starlette(
        routes=[
            Path("/api/info", _info, methods=["GET"]),
            Path("/api/v1/{endpoint}", _answer, methods=["GET", "POST"]),
        ],
        exception_handlers={404: _not_found},
    )
    server.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=1)
    server.state.workspace, server.state.clock = workspace, clock
    server.state.limiter, server.state.log = Limiter(), []
    return server


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("404 Not Found", 404)


async def _info(request: Request) -> Response:
    state = request.app.state
    call = Call(state.workspace, state.clock, _caller(request), {})
    return _response(request, 200, {**reads.info(call), "success": True}, {})


async def _answer(request: Request) -> Response:
    endpoint = request.path_params["endpoint"]
    route = ROUTES.get(request.method, {}).get(endpoint)
    if route is None:
        return PlainTextResponse("404 Not Found", 404)
    values = await _values(request)
    headers: dict[str, str] = {}
    try:
        body = {**_handle(request, endpoint, route, values, headers), "success": True}
        status = 200
    except Refusal as refusal:
        status, body = refusal.status, refusal.body
    request.app.state.log.append(Logged(request.method, endpoint, values, status))
    return _response(request, status, body, headers)


def _handle(
    request: Request, endpoint: str, route: Route, values: Any, headers: dict[str, str]
) -> dict[str, Any]:
    """The server's order of checks: 8.x refuses what is not allowed or malformed before it counts
    the call, 7.x after."""
    state = request.app.state
    state.workspace.empty_trash(state.clock.now())
    user_id = _caller(request)
    if not user_id and not route.anonymous:
        refusal = Refusal(NOT_LOGGED_IN, status=401)
        refusal.body |= {"status": "error", "message": NOT_LOGGED_IN}
        raise refusal
    typed = state.workspace.switches.at_least(8)
    if not typed:
        _count(request, endpoint, route, user_id, headers)
    if route.permission and route.permission not in permissions(state.workspace, user_id):
        raise Refusal(UNAUTHORIZED, status=403)
    checked = check(route.parameters, values, typed=typed, body=request.method == "POST")
    if typed:
        _count(request, endpoint, route, user_id, headers)
    return route.handler(Call(state.workspace, state.clock, user_id, checked))


def _count(
    request: Request, endpoint: str, route: Route, user_id: str, headers: dict[str, str]
) -> None:
    state = request.app.state
    switches = state.workspace.switches
    held = permissions(state.workspace, user_id) if user_id else set()
    if not switches.limiter or BYPASS in held or (route.limit and "send-many-messages" in held):
        return
    calls, window_ms = route.limit or (switches.limit_calls, switches.limit_window_ms)
    address = request.client.host if request.client else ""
    key = (address, endpoint, request.method)
    now = state.clock.now()
    more, wait_s = state.limiter.count(key, now, calls, window_ms)
    headers |= more
    if wait_s:
        raise Refusal(
            "Error, too many requests. Please slow down. You must wait "
            f"{wait_s} seconds before trying this endpoint again. [error-too-many-requests]",
            status=429,
        )


def _caller(request: Request) -> str:
    """The user whose token was sent; empty if it is not theirs."""
    tokens = request.app.state.workspace.tokens
    user_id = request.headers.get("x-user-id", "")
    known = tokens.get(request.headers.get("x-auth-token", "")) == user_id
    return user_id if known and user_id in request.app.state.workspace.users else ""


async def _values(request: Request) -> dict[str, Any]:
    """Query or body. `types[]=c&types[]=p` and `types[0]=c` make a list, as the server reads it."""
    if request.method == "POST":
        body = await request.body()
        return dict(await request.json()) if body else {}
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        plain, bracket, _ = name.partition("[")
        if bracket:
            values.setdefault(plain, []).append(value)
        else:
            values[plain] = value
    return values


def _response(
    request: Request, status: int, body: dict[str, Any], headers: dict[str, str]
) -> Response:
    date = format_datetime(request.app.state.clock.now(), usegmt=True)
    headers = {**headers, "date": date, "cache-control": "no-store", "pragma": "no-cache"}
    return Response(dump(body), status, headers, "application/json")
