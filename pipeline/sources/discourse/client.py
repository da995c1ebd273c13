"""pydiscourse's client over our transport: its methods, our manners."""

from __future__ import annotations

from typing import Any

from pydiscourse import DiscourseClient

from pipeline.errors import BadAnswer, FixAccess, HearthError, SourceDown
from pipeline.settings import DiscourseSettings
from pipeline.sources.http import Answer, Retry, Transport

EXPLORER = "data_explorer"  # the bucket of the server's limit on Data Explorer runs
PACE = "pace"  # the bucket of the limits that stand in front of the server
EXPLORER_ROOTS = ("/admin/plugins/discourse-data-explorer", "/admin/plugins/explorer")

_SIGNED_IN = "X-Discourse-Username"
_ROUTE = "X-Discourse-Route"
_DENIALS = (401, 403)
_MISSING = (404, 410)


class Refused(BadAnswer):
    """The forum answered 4xx to one call, though it accepts our key.

    signed  whether it named the acting user, so that a 404 is not what strangers are told
    """

    def __init__(self, where: str, status: int, said: str, signed: bool = True) -> None:
        self.status = status
        self.said = said
        self.signed = signed
        super().__init__(f"{where} was refused ({status}): {said}")

    @property
    def is_missing(self) -> bool:
        """Whether the forum told our user, and not as if to nobody, that this is not there."""
        return self.signed and self.status in _MISSING


class NoForum(SourceDown):
    """404s that no Discourse gave, until our patience ran out."""


class _AsIfNobody(HearthError):
    """A Discourse went on saying 404 without naming the acting user."""


def headers(settings: DiscourseSettings) -> dict[str, str]:
    """The headers that sign a request in. A secret: hand them to a Transport and to nobody else."""
    return {"Api-Key": settings.key.get_secret_value(), "Api-Username": settings.username}


def signed_in(answer: Answer) -> None:
    """Throw away an answer that was given as if to nobody.

    A server under load may do that with status 200 (`lib/middleware/overload_protections`). So is
    a 404 of a path that this version has not, which is why it is believed in the end; that of a
    proxy whose forum restarts is not.
    """
    if _SIGNED_IN in answer.headers:
        return
    if answer.status in _MISSING and not _is_discourse(answer):
        raise Retry(
            f"answered {answer.status}, but not as a Discourse does (a proxy in front of it, or no "
            "forum at `url`)",
            error=NoForum,
        )
    if answer.status in _MISSING:
        raise Retry("answered 404 as if we had no key", error=_AsIfNobody, tries=5)
    if answer.ok:
        raise Retry(
            f"answered without {_SIGNED_IN}, as if we had no key (an overloaded server, or a proxy "
            "that takes headers away)",
            error=BadAnswer,
            tries=8,
        )


class ForumClient(DiscourseClient):  # type: ignore[misc]
    """A forum's API with one acting user.

    pydiscourse brings paths and parameters; calls go through the transport, which holds the key.
    Raises Refused for a 4xx, FixAccess where the key itself is not accepted.
    """

    def __init__(self, transport: Transport, username: str) -> None:
        super().__init__(transport.base_url, username, api_key="")
        self.transport = transport
        self.explorer_root = EXPLORER_ROOTS[0]

    @property
    def source(self) -> str:
        """The name of the source whose forum this is."""
        return self.transport.source

    def fetch(self, path: str, /, *, patience_s: float | None = None, **params: Any) -> Any:
        """The answer to a GET, JSON. A sick server is asked again for `patience_s` seconds; null:
        for as long as the transport's own patience lasts."""
        return self._get(path, override_request_kwargs={"patience_s": patience_s}, **params)

    def submit(self, path: str, /, *, patience_s: float | None = None, **form: Any) -> Any:
        """The answer to a POST of a form, JSON; see `fetch`."""
        return self._post(path, override_request_kwargs={"patience_s": patience_s}, **form)

    def remove(self, path: str, /) -> None:
        """Have what has this address deleted."""
        self._delete(path)

    def _request(  # noqa: PLR0917 - pydiscourse calls it so
        self,
        verb: str,
        path: str,
        params: Any = None,
        files: None = None,
        data: Any = None,
        json: Any = None,
        override_request_kwargs: Any = None,
    ) -> Any:
        path = path if path.endswith(".json") else f"{path}.json"  # `Accept` may not get through
        explores = "/queries" in path
        buckets = ("", PACE, EXPLORER) if explores and "/run" in path else ("", PACE)
        where = f"{self.transport.source}: {verb} {path}"
        for _ in range(3):  # a denial to nobody may be a server under load
            try:
                answer = self.transport.call(
                    verb,
                    path,
                    params=params or None,
                    data=data,
                    json=json,
                    buckets=buckets,
                    repeatable=verb == "GET" or explores,
                    **(override_request_kwargs or {}),
                )
            except _AsIfNobody:
                raise Refused(where, 404, "not found, for all who ask", signed=False) from None
            if answer.status not in _DENIALS or _SIGNED_IN in answer.headers:
                break
        if answer.ok:
            return answer.value
        if answer.status in {401, 403} and _SIGNED_IN not in answer.headers:
            raise FixAccess(
                f"{where} was refused ({answer.status}): {_errors(answer)} Check the key, the "
                f"user name {self.api_username!r}, the key's scopes and its IP restrictions"
            )
        raise Refused(where, answer.status, _errors(answer))


def _is_discourse(answer: Answer) -> bool:
    """Whether a refusal is one of Discourse's own, by a header or its form."""
    errors = answer.value.get("errors") if isinstance(answer.value, dict) else None
    return _ROUTE in answer.headers or isinstance(errors, list)


def _errors(answer: Answer) -> str:
    """What the server gave as the reason: one line, at most 300 characters, all of them printable
    (no colours or line moves of a terminal, no reversed writing)."""
    errors = answer.value.get("errors") if isinstance(answer.value, dict) else None
    said = "; ".join(str(e) for e in errors) if isinstance(errors, list) else "no reason given"
    shown = "".join(c if c.isprintable() else " " for c in said)
    return " ".join(shown.split())[:300]
