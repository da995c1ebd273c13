"""Rocket.Chat's REST API over the shared transport: 7.x and 8.x answers in one form.

The server limits calls per route and address, not per user. Its headers say how many are left, so
the pace is taken from them and follows whatever the workspace has set.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pipeline.errors import BadAnswer, FixAccess, SourceDown, TryLater
from pipeline.sources.http import Answer, Transport

Doc = dict[str, Any]
MOST_A_PAGE = 100  # API_Upper_Count_Limit; a larger count is lowered without a word
MOST_CALLS_A_MINUTE = 300  # our own manners; where the server limits, its headers set the pace
_WHOLE_LIST_PATIENCE_S = 20.0
_CODE = re.compile(r"\[([\w-]+)\]\s*$")
_DENIALS = (
    "error-not-allowed",
    "error-not-authorized",
    "error-unauthorized",
    "Not Allowed",
    "error-room-not-found",
    "error-invalid-room",
)
_TOO_OLD = "error-lastUpdate-param-not-provided"  # before 7.1 nothing is asked by cursor
_TWO_FACTOR = ("totp-required", "totp-invalid", "totp-max-attempts")


class Refused(BadAnswer):
    """The server understood and declined: a missing right, an unknown thing, a bad parameter.

    code  the server's own word, such as "error-not-allowed"; empty where it gave none
    """

    def __init__(self, source: str, endpoint: str, status: int, code: str) -> None:
        is_unknown = status == 404 or code == _TOO_OLD
        hint = "; check `url`, and whether the server is 7.1 or newer" if is_unknown else ""
        super().__init__(
            f"{source}: {endpoint} was refused ({status} {code or 'without a reason'}){hint}"
        )
        self.status = status
        self.code = code

    @property
    def denied(self) -> bool:
        """Whether the account lacks a right, or the thing is not there for it."""
        return self.status == 403 or self.code in _DENIALS


@dataclass(frozen=True, slots=True)
class Reply:
    """One successful answer.

    asked_at   µs since 1970 UTC by our clock, before the request went out
    server_ms  ms since 1970 UTC by the server's clock when it answered, whole seconds
    skew_ms    ms that this clock was ahead of ours then
    limited    whether the rate limit counts our calls
    """

    value: Doc
    asked_at: int
    server_ms: int
    skew_ms: int
    limited: bool


class Client:
    """Calls one workspace. `share` is the part of the server's limit that is ours to use."""

    def __init__(self, transport: Transport, share: float) -> None:
        self.transport = transport
        self._share = share

    def get(self, endpoint: str, *, patience_s: float | None = None, **params: Any) -> Reply:
        """The answer of `/api/v1/<endpoint>`, or of `/api/info` for "info".

        Raises Refused, and FixAccess for a bad token.
        """
        asked_at = time.time_ns() // 1000
        path = "/api/info" if endpoint == "info" else f"/api/v1/{endpoint}"
        answer = self.transport.get(
            path, params or None, buckets=("", endpoint), patience_s=patience_s
        )
        return self._reply(endpoint, answer, asked_at)

    def post(self, endpoint: str, body: Mapping[str, Any], *, repeatable: bool = False) -> Reply:
        """The answer of a POST; asked again in doubt only where that is harmless."""
        asked_at = time.time_ns() // 1000
        answer = self.transport.post(
            f"/api/v1/{endpoint}", json=body, repeatable=repeatable, buckets=("", endpoint)
        )
        return self._reply(endpoint, answer, asked_at)

    def listed(self, endpoint: str, name: str, **params: Any) -> tuple[list[Doc], Reply]:
        """Every row of a list, and the first reply: in one request where the workspace allows it.

        Rows that come or go while pages are turned shift the others, so a list whose total moved
        is read again. Raises TryLater if it never holds still.
        """
        for _ in range(3):
            try:
                first = self.get(endpoint, count=0, patience_s=_WHOLE_LIST_PATIENCE_S, **params)
            except SourceDown:  # tens of thousands of users do not fit into one answer of MongoDB
                first = self.get(endpoint, count=MOST_A_PAGE, **params)
            rows, total = rows_of(first, name, "_id"), first.value.get("total")
            ended = False  # a total is a hint: it may count what the list withholds
            while total is not None and len(rows) < total and not ended:
                page = self.get(endpoint, count=MOST_A_PAGE, offset=len(rows), **params)
                if page.value.get("total") != total:
                    break
                more = rows_of(page, name, "_id")
                ended = not more
                rows += more
            unique = {row["_id"]: row for row in rows}
            if total is None or len(unique) >= total or (ended and len(unique) == len(rows)):
                return list(unique.values()), first
        raise TryLater(f"{self.transport.source}: {endpoint} kept changing while it was listed")

    def _reply(self, endpoint: str, answer: Answer, asked_at: int) -> Reply:
        source = self.transport.source
        if answer.status == 401:
            raise FixAccess(
                f"{source}: the user id or the token was refused (401); make a personal access "
                "token in the account's settings, without two-factor, and set both variables"
            )
        if answer.status == 404 and not isinstance(answer.value, dict):  # a route it does not know
            raise Refused(source, endpoint, 404, "")
        if not isinstance(answer.value, dict):
            raise BadAnswer(
                f"{source}: {endpoint} answered {answer.status}, but not in Rocket.Chat's words; "
                "see what stands in front of the server, and whether it is 7.1 or newer"
            )
        if not answer.ok:
            code = _code(answer.value)
            if code in _TWO_FACTOR:
                raise FixAccess(
                    f"{source}: {endpoint} asks for a second factor ({code}); make a token that "
                    "ignores two-factor authentication and set it"
                )
            raise Refused(source, endpoint, answer.status, code)
        self._pace(endpoint, answer)
        limited = "X-RateLimit-Limit" in answer.headers
        server_ms = _server_ms(answer)
        skew_ms = server_ms - time.time_ns() // 1_000_000
        return Reply(answer.value, asked_at, server_ms, skew_ms, limited)

    def _pace(self, endpoint: str, answer: Answer) -> None:
        """Rest until the server's window ends once our share of it is used up."""
        limit, left, reset = (
            _number(answer.headers.get(f"X-RateLimit-{name}", ""))
            for name in ("Limit", "Remaining", "Reset")
        )
        if limit and left <= limit * (1 - self._share):
            wait_s = (reset - _server_ms(answer)) / 1000
            self.transport.budget.pause(min(max(wait_s, 1.0), 3600.0), endpoint)


def rows_of(reply: Reply, name: str, *fields: str) -> list[Doc]:
    """The list of this name in an answer. Raises BadAnswer where there is none, or where a row
    lacks one of the fields."""
    rows = reply.value.get(name)
    if not isinstance(rows, list):
        raise BadAnswer(f"an answer has no list {name!r}; is this a Rocket.Chat server?")
    for row in rows:
        missing = [f for f in fields if not isinstance(row, dict) or f not in row]
        if missing:
            raise BadAnswer(f"an answer's list {name!r} has an entry without {missing[0]!r}")
    return rows


def to_ms(value: Any) -> int:
    """A date of the API as ms since 1970 UTC. It comes as text, number, `{"$date": ...}` or
    `{"$date": {"$numberLong": ...}}`.

    Raises BadAnswer for anything else.
    """
    if isinstance(value, dict):
        return to_ms(value.get("$date", value.get("$numberLong")))
    if isinstance(value, int | float):
        return int(value)
    try:
        if isinstance(value, str) and value.isdigit():
            return int(value)
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise BadAnswer("an answer holds a date that is none") from None
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000)


def iso(ms: int) -> str:
    """A time as the API wants it: UTC, milliseconds, `Z`; an offset's `+` would read as a blank."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def _code(value: Doc) -> str:
    """The server's word for a refusal: newer routes name it apart, older ones in brackets."""
    bracketed = _CODE.search(str(value.get("error", "")))
    kind = str(value.get("errorType") or (bracketed[1] if bracketed else ""))
    return kind if re.fullmatch(r"[\w -]{1,80}", kind) else ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _server_ms(answer: Answer) -> int:
    """The server's clock. Where something in front adds a Date of its own, the last is the
    server's. Ours, where there is none."""
    last = answer.headers.get("Date", "").split(" GMT, ")[-1].removesuffix(" GMT")
    try:
        return round(parsedate_to_datetime(f"{last} GMT").timestamp() * 1000)
    except ValueError:
        return time.time_ns() // 1_000_000
