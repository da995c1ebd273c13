"""How the server takes a request: who asks, may they, is it well formed, is it too often.

Handlers are plain functions `handler(call) -> dict`; they raise `Refusal`. Everything around them
(envelopes, error shapes of 7.x and 8.x, parameter checks, the limiter) is here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.rocketchat.rights import can_access, permissions
from pipeline.sandbox.rocketchat.workspace import Doc, Workspace

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_LOGGED_IN = "You must be logged in to do this."
UNAUTHORIZED = "User does not have the permissions required for this action [error-unauthorized]"


class Refusal(Exception):
    """An answer that is not a success. `code` is the Meteor error code, where there is one."""

    def __init__(self, error: str | None, code: str | None = None, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body: Doc = {"success": False}
        if error is not None:
            self.body["error"] = f"{error} [{code}]" if code else error
        if code:
            self.body["errorType"] = code


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `parameters` as "name*:kind name ..."; kinds: str, num, date, a|b, list."""

    handler: Callable[[Call], Doc]
    parameters: str = ""
    permission: str | None = None
    anonymous: bool = False
    limit: tuple[int, int] | None = None  # calls, ms: where the route has its own


@dataclass(slots=True)
class Call:
    """One request that came through, with everything a handler needs."""

    workspace: Workspace
    clock: Clock
    user_id: str
    values: Doc

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def may(self, permission: str) -> bool:
        """Whether the caller's roles grant this."""
        return permission in permissions(self.workspace, self.user_id)

    def room(self, name: str = "roomId") -> Doc:
        """The room asked for, if the caller may see into it; else the usual 400."""
        room = self.workspace.rooms.get(self.values[name])
        if room is None or not can_access(self.workspace, room, self.user_id):
            raise Refusal("Not allowed", "error-not-allowed")
        return room

    def message(self, name: str) -> Doc:
        """The message asked for, if the caller may see it; else the 400 of the writing routes."""
        message = self.workspace.messages.get(self.values[name])
        if message is None:
            raise Refusal('The provided "messageId" does not match any existing message.')
        if not can_access(self.workspace, self.workspace.rooms[message["rid"]], self.user_id):
            raise Refusal("Not authorized", "not-authorized")
        return message

    def date(self, name: str, otherwise: datetime) -> datetime:
        """A date among the values, or `otherwise`."""
        return parse_date(self.values[name]) if name in self.values else otherwise

    def page(self, name: str, rows: list[Doc]) -> Doc:
        """One page of a list with the server's envelope: capped at 100 without a word, everything
        for `count=0` where the server allows that."""
        switches = self.workspace.switches
        asked = self.values.get("count", switches.default_count)
        count = min(asked, switches.upper_count) or (
            len(rows) if switches.infinite_count else switches.default_count
        )
        offset = int(self.values.get("offset", 0))
        some = self.sorted(rows)[offset : offset + int(count)]
        return {name: some, "count": len(some), "offset": offset, "total": len(rows)}

    def sorted(self, rows: list[Doc]) -> list[Doc]:
        """Rows in the order of the `sort` parameter, or as they are."""
        if "sort" not in self.values:
            return rows
        try:
            order = dict(json.loads(self.values["sort"]))
        except (ValueError, TypeError):
            raise Refusal("Invalid sort parameter provided", "error-invalid-sort") from None
        for key, way in reversed(order.items()):
            rows = sorted(rows, key=lambda row: (key in row, row.get(key)), reverse=way == -1)
        return rows


@dataclass
class Limiter:
    """Calls per route, method and address in a fixed window; refused calls count too."""

    windows: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)

    def count(
        self, key: tuple[str, str, str], now: datetime, calls: int, window_ms: int
    ) -> tuple[dict[str, str], int]:
        """Headers of the answer, and the seconds to wait if the call is one too many."""
        now_ms = to_ms(now)
        start, made = self.windows.get(key, (now_ms, 0))
        if now_ms - start >= window_ms:
            start, made = now_ms, 0
        made += 1
        self.windows[key] = (start, made)
        reset = start + window_ms
        headers = {
            "x-ratelimit-limit": str(calls),
            "x-ratelimit-remaining": str(max(0, calls - made)),
            "x-ratelimit-reset": str(reset),
        }
        return headers, math.ceil((reset - now_ms) / 1000) if made > calls else 0


def check(parameters: str, values: dict[str, Any], *, typed: bool, body: bool) -> Doc:
    """The values, converted to their kinds. Raises the 400 that the server's validator gives."""
    kinds = dict(_parameter(text) for text in parameters.split())
    problems = [
        f"must have required property '{name}'"
        for name, (_, required) in kinds.items()
        if required and name not in values
    ]
    if values.keys() - kinds.keys():
        problems.append("must NOT have additional properties")
    converted = {}
    for name, value in values.items():
        kind = kinds.get(name, ("str", False))[0]
        try:
            converted[name] = _convert(kind, value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise _invalid("\n ".join(problems), typed=typed, body=body)
    return converted


def parse_date(text: str) -> datetime:
    """A date as the server's `Date.parse` takes it. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=at.tzinfo or UTC)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def dump(value: Any) -> bytes:
    """JSON with dates in the server's form: UTC, milliseconds, `Z`."""
    return json.dumps(value, default=_iso, ensure_ascii=False, separators=(",", ":")).encode()


def _iso(at: object) -> str:
    if not isinstance(at, datetime):
        raise TypeError(f"{type(at).__name__} has no place in an answer")
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def _invalid(text: str, *, typed: bool, body: bool) -> Refusal:
    """The validators of legacy routes and of typed ones word the same problem differently."""
    if not typed:
        return Refusal(text, "invalid-params")
    refusal = Refusal(text)
    refusal.body["errorType"] = "invalid-params" if body else "error-invalid-params"
    return refusal


def _parameter(text: str) -> tuple[str, tuple[str, bool]]:
    name, _, kind = text.partition(":")
    return name.rstrip("*"), (kind or "str", name.endswith("*"))


def _convert(kind: str, value: Any) -> Any:
    if kind == "num":
        return _number(value)
    if kind == "date":
        parse_date(value)
    if "|" in kind and value not in kind.split("|"):
        raise ValueError("must be equal to one of the allowed values")
    if kind == "list":
        return value if isinstance(value, list) else [value]
    if kind == "str" and not isinstance(value, str):
        raise ValueError("must be string")
    return value


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("must be number") from None
