"""The polite transport all sources share: one budget a site, patience, and no trust in an answer.

It knows no platform. What a refusal or an odd answer means there is told to it by `check`.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from pipeline import __version__
from pipeline.errors import (
    BadAnswer,
    BudgetSpent,
    FixSettings,
    HearthError,
    SourceDown,
)
from pipeline.sources.budget import Budget

__all__ = ["Answer", "Budget", "Retry", "TooLarge", "Transport", "Usage", "limit_wait_s"]

MAX_BODY = 64 * 2**20
MAX_HOPS = 5
LONGEST_REST_S = 60.0
SANDBOX = "hearth-sandbox"  # the server that `hearth sandbox` says it is
LOGIN = "/login"  # where a site sends those it does not know, at times also us
UNKNOWN_LIMIT_S = 10.0  # a 429 that names no wait: nginx in front of a server


class TooLarge(BadAnswer):
    """The body was bigger than we read; ask for less."""


class Retry(Exception):
    """Raised by a `check`: throw this answer away and ask again, after `wait_s` if given.

    At the end of our patience, or after so many `tries`, it becomes the `error`.
    """

    def __init__(
        self,
        why: str,
        wait_s: float | None = None,
        error: type[HearthError] = SourceDown,
        tries: int | None = None,
    ) -> None:
        super().__init__(why)
        self.wait_s = wait_s
        self.error = error
        self.tries = tries


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a server.

    value    the parsed JSON; null where the body was not JSON (only with an error status)
    headers  as received; names are case-insensitive
    size     bytes of the body on the wire
    text     the first 2,000 characters of a body that is not JSON
    """

    status: int
    value: Any
    headers: Mapping[str, str]
    size: int
    text: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(slots=True)
class Usage:
    """What a transport has cost so far; `bytes` as on the wire, `waited_s` for limits and rests."""

    requests: int = 0
    bytes: int = 0
    retried: int = 0
    waited_s: float = 0.0


class Transport:
    """A session with one site: budget, timeouts, retries, size cap, redirects within the site.

    check       sees every answer before its caller; raises Retry to have it thrown away and asked
                again, or an error of `pipeline.errors` where asking again is useless
    patience_s  longest total wait for one call, counted from its first failure; a call may set
                its own for a sick server, never for the server's limits
    now         seconds of a clock that only goes forward
    source      the source's name, for the texts of errors
    ahead_s     seconds our clock is ahead of the site's, by its last answer; null: it gave no time,
                or that of a sandbox, which stands where it was set

    A call returns answers below 300 and from 400 to 499 but 429. Raises SourceDown, BudgetSpent,
    BadAnswer (a body that stays broken), TooLarge, FixSettings (address or certificate).
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        source: str,
        budget: Budget,
        timeout_s: float,
        patience_s: float,
        check: Callable[[Answer], None] | None = None,
        max_body: int = MAX_BODY,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.source = source
        self.budget = budget
        self.usage = Usage()
        self.ahead_s: float | None = None
        self._timeout = (min(10.0, timeout_s), timeout_s)
        self.patience_s = patience_s
        self._check = check
        self._max_body = max_body
        self.now = now
        self._sleep = sleep
        self._random = random.Random()  # noqa: S311 - jitter, not cryptography
        self._session = requests.Session()
        self._session.headers.update(
            {
                "User-Agent": f"hearth/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                **headers,
            }
        )
        self._session.auth = lambda request: request  # keeps ~/.netrc out of our requests
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r}, source={self.source!r})"

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        buckets: Sequence[str] = ("",),
        patience_s: float | None = None,
    ) -> Answer:
        """The answer to a GET; never with a body, which Discourse refuses (413)."""
        return self.call("GET", path, params=params, buckets=buckets, patience_s=patience_s)

    def post(
        self,
        path: str,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        *,
        repeatable: bool = False,
        buckets: Sequence[str] = ("",),
        patience_s: float | None = None,
    ) -> Answer:
        """The answer to a POST. Only where `repeatable` is it asked again when it is not certain
        that the server did nothing."""
        return self.call(
            "POST",
            path,
            json=json,
            data=data,
            repeatable=repeatable,
            buckets=buckets,
            patience_s=patience_s,
        )

    def call(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
        buckets: Sequence[str] = ("",),
        patience_s: float | None = None,
    ) -> Answer:
        """The answer to any call; see `get` and `post`."""
        repeatable = verb == "GET" if repeatable is None else repeatable
        began: float | None = None
        attempt = 0
        while True:
            for bucket in buckets:
                self.usage.waited_s += self.budget.take(bucket)
            asked_at = self.now()
            try:
                answer = self._once(verb, path, params=params, json=json, data=data)
                if self._check is not None:
                    self._check(answer)
                return answer
            except Retry as retry:
                began = asked_at if began is None else began
                refused = retry.error is BudgetSpent
                patience = self.patience_s if refused or patience_s is None else patience_s
                wait = self._wait_s(retry.wait_s, attempt)
                tired = attempt + 1 == retry.tries or self.now() + wait - began > patience
                if tired or not (repeatable or refused):
                    raise self._given_up(verb, path, retry, attempt + 1) from None
                if refused and retry.wait_s is not None:
                    for bucket in buckets[-1:]:
                        self.budget.pause(retry.wait_s, bucket)
            attempt += 1
            self.usage.retried += 1
            self._pause(wait)

    def rest(self, attempt: int, began: float) -> bool:
        """Wait before a caller's own next try, as `call` does between its tries: longer after each
        `attempt` (0, 1, …). False, and no wait, where our patience since `began` is at its end."""
        wait = self._wait_s(None, attempt)
        if self.now() + wait - began > self.patience_s:
            return False
        self._pause(wait)
        return True

    def _pause(self, wait_s: float) -> None:
        self.usage.waited_s += wait_s
        self._sleep(wait_s)

    def _once(self, verb: str, path: str, **content: Any) -> Answer:
        """One call, redirects within the site followed."""
        url = self.base_url + path
        for _ in range(MAX_HOPS):
            response = self._send(verb, url, **content)
            if not 300 <= response.status < 400 or "Location" not in response.headers:
                return self._believed(response, path)
            url = self._within_site(verb, urljoin(url, response.headers["Location"]))
            if content.get("params") and urlsplit(url).query:
                content["params"] = _missing(content["params"], url)
        raise BadAnswer(f"{self.source}: {path} redirects in a circle; ask the site's admin")

    def _send(self, verb: str, url: str, **content: Any) -> _Response:
        self.usage.requests += 1
        try:
            with self._session.request(
                verb, url, timeout=self._timeout, allow_redirects=False, stream=True, **content
            ) as response:
                return self._read(response)
        except requests.exceptions.SSLError:
            raise FixSettings(
                f"{self.source}: the certificate of {self.base_url} was not accepted; check the "
                "address, or the machine's certificates"
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema):
            raise FixSettings(f"{self.source}: {self.base_url} is not a web address") from None
        except requests.exceptions.RequestException as error:
            raise Retry(_said(error)) from None

    def _read(self, response: requests.Response) -> _Response:
        body = bytearray()
        try:
            for chunk in response.iter_content(2**16):
                body += chunk
                if len(body) > self._max_body:
                    raise TooLarge(
                        f"{self.source}: an answer is over {self._max_body >> 20} MB; ask for less"
                    )
        finally:
            size = response.raw.tell() if response.raw is not None else 0
            self.usage.bytes += size
        return _Response(response.status_code, response.headers, bytes(body), size)

    def _believed(self, response: _Response, path: str) -> Answer:
        """The answer, if it can be trusted to be one."""
        sent_s = _http_date_s(response.headers.get("Date", ""))
        is_set = sent_s is None or response.headers.get("Server") == SANDBOX
        self.ahead_s = None if is_set else time.time() - (sent_s or 0.0)
        value, is_json = response.parsed()
        answer = Answer(response.status, value, response.headers, response.size, response.text())
        if response.status == 429:
            wait_s = limit_wait_s(answer)
            raise Retry(
                "the server's rate limit",
                UNKNOWN_LIMIT_S if wait_s is None else wait_s,
                BudgetSpent,
            )
        if response.status >= 500:
            raise Retry(f"the server answered {response.status}", _retry_after_s(answer))
        if answer.ok and not is_json:
            kind = response.headers.get("Content-Type", "no type").split(";")[0]
            raise Retry(f"{path} answered {kind}, not whole JSON", error=BadAnswer)
        return answer

    def _within_site(self, verb: str, url: str) -> str:
        """Where a redirect leads, if a request with our key may go there."""
        here, there = urlsplit(self.base_url), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise FixSettings(
                f"{self.source}: {self.base_url} sends us to {there.scheme}://{there.netloc}; "
                "if that is the site, put it into hearth.toml as `url`"
            )
        if verb != "GET" and there.path.endswith(LOGIN):
            raise Retry(f"a {verb} was sent to {LOGIN}, as if we had no key", error=BadAnswer)
        if verb != "GET":
            raise FixSettings(f"{self.source}: a {verb} was redirected; check `url`")
        return url

    def _wait_s(self, wait_s: float | None, attempt: int) -> float:
        """Seconds until the next try: what the server said, or doubling; with jitter."""
        if wait_s is not None:
            return wait_s + self._random.uniform(0.1, 1.0)
        return float(min(LONGEST_REST_S, 2**attempt) * self._random.uniform(0.5, 1.0))

    def _given_up(self, verb: str, path: str, retry: Retry, attempts: int) -> HearthError:
        again = "it may work later" if retry.error is not BadAnswer else "see what answers there"
        if verb != "GET" and retry.error is not BudgetSpent:
            again = "it is not certain whether the server acted on it; " + again
        return retry.error(
            f"{self.source}: {verb} {path.partition('?')[0]} failed {attempts} time(s), "
            f"last: {retry}; {again}"
        )


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int

    def parsed(self) -> tuple[Any, bool]:
        """The JSON value and whether there was one. HTML is never parsed."""
        if not self.body.strip():
            return None, self.status == 204
        if "json" not in self.headers.get("Content-Type", "").lower():
            return None, False
        try:
            return json.loads(self.body), True
        except (ValueError, RecursionError):
            return None, False

    def text(self) -> str:
        if "json" in self.headers.get("Content-Type", "").lower():
            return ""
        return self.body[:2000].decode("utf-8", "replace")


def limit_wait_s(answer: Answer) -> float | None:
    """Seconds a refusal (429) asks us to wait, in any of the shapes servers use; null if none.

    `Retry-After` (seconds or a date), Discourse's `extras.wait_seconds`, Rocket.Chat's
    `X-RateLimit-Reset` (epoch ms), or a sentence with "N seconds".
    """
    after = _retry_after_s(answer)
    if after is not None:
        return after
    value = answer.value if isinstance(answer.value, dict) else {}
    extras = value.get("extras")
    if isinstance(extras, dict) and isinstance(extras.get("wait_seconds"), int | float):
        return max(0.0, float(extras["wait_seconds"]))
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if reset.isdigit():
        # The server's clock, so that a skew of ours does not count
        sent = _http_date_s(answer.headers.get("Date", ""))
        left = int(reset) / 1000 - (time.time() if sent is None else sent)
        return min(max(left, 0.0), 3600.0)
    said = re.search(r"(\d+) seconds?", str(value.get("error", "")) + answer.text)
    return float(said[1]) if said else None


def _retry_after_s(answer: Answer) -> float | None:
    after = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", after):
        return float(after)
    due = _http_date_s(after)
    if due is None:
        return None
    sent = _http_date_s(answer.headers.get("Date", ""))
    return max(0.0, due - (time.time() if sent is None else sent))


def _http_date_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None


def _said(error: requests.exceptions.RequestException) -> str:
    """What went wrong with a connection, in words that hold no address and no header."""
    if isinstance(error, requests.exceptions.Timeout):
        return "the server was silent for too long"
    if "refused" in str(error).lower():
        return "the connection was refused"
    return "the connection broke"


def _missing(params: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Parameters a redirect's own query does not repeat."""
    given = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    return {name: value for name, value in params.items() if name not in given}
