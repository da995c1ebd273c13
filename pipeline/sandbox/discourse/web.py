"""What every endpoint of the sandbox forum shares: who asks, what was asked, how to answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers, QueryParams
from starlette.routing import compile_path

from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.discourse.switches import Switches
from pipeline.sandbox.discourse.tables import Row

JSON_TYPE = "application/json; charset=utf-8"
NOT_FOUND = "The requested URL or resource could not be found."
FORBIDDEN = "You are not permitted to view the requested resource."


class Refused(Exception):
    """An answer that is not 200, in Discourse's form."""

    def __init__(
        self, status: int, error: str | list[str], kind: str | None = None, **more: Any
    ) -> None:
        super().__init__(status, error)
        self.status = status
        self.headers: dict[str, str] = more.pop("headers", {})
        self.body: dict[str, Any] = {"errors": [error] if isinstance(error, str) else error}
        if kind is not None:
            self.body |= {"error_type": kind}
        self.body |= more


def missing() -> Refused:
    """404, for what is not there and for what one may not know of."""
    return Refused(404, NOT_FOUND, "not_found")


def forbidden() -> Refused:
    """403, for what one may not see."""
    return Refused(403, FORBIDDEN, "invalid_access")


def not_logged_in() -> Refused:
    """403, for strangers where a login is needed."""
    return Refused(403, "You need to be logged in to do that.", "not_logged_in")


def invalid(parameter: str) -> Refused:
    """400, for a parameter of a wrong type or outside its range."""
    text = f"You supplied invalid parameters to the request: {parameter}"
    return Refused(400, text, "invalid_parameters")


@dataclass(frozen=True)
class Answer:
    """A whole answer: `body` is anything JSON can hold, or text of another `kind`."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = JSON_TYPE


@dataclass(frozen=True)
class Key:
    """An admin API key. Null `username`: it may act as anybody.

    scopes  empty: everything; "read": every GET; "run_queries": runs of the Data Explorer
    """

    value: str = field(repr=False)
    username: str | None = None
    scopes: tuple[str, ...] = ()

    def may(self, method: str, path: str) -> bool:
        """Whether the scopes allow this request."""
        runs = re.search(r"/queries/-?\d+/run(\.json|\.csv)?$", path) is not None
        return (
            not self.scopes
            or ("read" in self.scopes and method == "GET")
            or ("run_queries" in self.scopes and runs)
        )


@dataclass(frozen=True)
class Visit:
    """One request as an endpoint sees it. `user` is null for an anonymous visitor."""

    forum: Forum
    switches: Switches
    now: datetime
    method: str
    path: str
    query: QueryParams
    headers: Headers
    sent: Mapping[str, Any]
    user: Row | None
    prints: Callable[[int], bool] = lambda _: True

    @property
    def admin(self) -> bool:
        """Whether an admin asks."""
        return self.user is not None and bool(self.user["admin"])

    @property
    def staff(self) -> bool:
        """Whether an admin or moderator asks."""
        return self.user is not None and bool(self.user["admin"] or self.user["moderator"])

    @property
    def user_id(self) -> int | None:
        """The id of who asks."""
        return None if self.user is None else int(self.user["id"])

    def number(self, name: str, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """A whole number from the query; 400 where it is none or out of range."""
        text = self.query.get(name)
        if text is None:
            return default
        try:
            value = int(text)
        except ValueError:
            raise invalid(name) from None
        if not low <= value <= high:
            raise invalid(name)
        return value

    def flag(self, name: str) -> bool:
        """Whether a switch of the query is on."""
        return self.query.get(name, "").lower() in ("true", "t", "1", "yes")

    def need_staff(self) -> None:
        """404 for all others: they are not to know that this exists."""
        if not self.staff:
            raise missing()

    def need_admin(self) -> None:
        """404 for all others."""
        if not self.admin:
            raise missing()

    def read(self, sql: str, *values: Any) -> list[Row]:
        """Rows of the forum."""
        return self.forum.read(sql, *values)


Endpoint = Callable[..., Any]


class _Signed(Convertor[int]):
    """A whole number of a path that may be negative: bots and bundled queries have such ids."""

    regex = "-?[0-9]+"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("signed", _Signed())


class Routes(list[tuple[str, Any, Any, Endpoint]]):
    """Endpoints by method and path; paths never end in `.json`."""

    def on(self, method: str, *paths: str) -> Callable[[Endpoint], Endpoint]:
        """Register the decorated endpoint."""

        def register(endpoint: Endpoint) -> Endpoint:
            for path in paths:
                regex, _, convertors = compile_path(path)
                self.append((method, regex, convertors, endpoint))
            return endpoint

        return register

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, Any]] | None:
        """The first endpoint for this request and what its path holds."""
        for wanted, regex, convertors, endpoint in self:
            match = regex.match(path) if wanted == method else None
            if match:
                return endpoint, {
                    name: convertors[name].convert(text) for name, text in match.groupdict().items()
                }
        return None


def dump(body: Any) -> bytes:
    """JSON as Discourse writes it: times in UTC with milliseconds (microseconds are cut)."""
    return json.dumps(body, ensure_ascii=False, default=_plain, separators=(",", ":")).encode()


def only(row: Row, names: str) -> Row:
    """The named columns of a row; names are separated by blanks."""
    return {name: row[name] for name in names.split()}


def stamp(at: datetime | None) -> str | None:
    """A time of the database as JSON has it."""
    return (
        None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
    )


def _plain(value: Any) -> str | None:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
