"""A Discourse forum: by its Data Explorer plugin where that is on, by plain REST where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from pipeline.errors import FixAccess, FixSettings, HearthError
from pipeline.records import Bookmarks, Part, StreamPlan
from pipeline.settings import DiscourseSettings
from pipeline.sources import Estimate, Finding, clocks
from pipeline.sources.discourse.client import (
    EXPLORER,
    PACE,
    ForumClient,
    NoForum,
    Refused,
    headers,
    signed_in,
)
from pipeline.sources.discourse.differences import Differences
from pipeline.sources.discourse.explorer import Explorer
from pipeline.sources.discourse.rest import (
    HASTY_S,
    MESSAGES,
    MESSAGES_BLIND_SPOT,
    UNAVAILABLE,
    Site,
)
from pipeline.sources.discourse.rest_units import (
    REST_UNITS,
    SMALL_UNITS,
    Unit,
    expected_requests,
)
from pipeline.sources.http import Budget, Transport, Usage

FORUM = "forum"  # the one unit of work by Data Explorer: all streams share each question
OFF = "Data Explorer is off"
EXPLORER_BLIND_SPOTS = (
    "What was deleted for good before the first night.",
    "Who visited: visits are sums of a day.",
)


def connect(
    settings: DiscourseSettings, name: str, budget: Callable[..., Budget], installation: str
) -> Discourse:
    """The source of these settings. `budget` makes a budget of a number of calls, the seconds they
    are counted in, and `limits`. Each installation keeps queries of its own on the forum."""
    transport = Transport(
        settings.url,
        headers(settings),
        source=name,
        budget=budget(*per_minute(settings), limits=limits(settings)),
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
        check=signed_in,
    )
    return Discourse(settings, name, transport, installation)


def per_minute(settings: DiscourseSettings) -> tuple[int, float]:
    """Our share of the server's admin API limit: calls, and the seconds they are counted in."""
    return max(1, int(settings.requests_per_minute * settings.share)), 60


def limits(settings: DiscourseSettings) -> dict[str, tuple[int, float]]:
    """The same of its limit on Data Explorer runs, which count in both; and of all calls a second:
    nginx and the limits of an address (50 in 10 s) refuse what comes in bursts."""
    calls, _ = per_minute(settings)
    runs = max(1, int(settings.explorer_runs_per_10_s * settings.share))
    return {EXPLORER: (runs, 10), PACE: (max(3, calls // 20), 1)}


class Discourse:
    """One forum as a Source. `now` gives µs since 1970 UTC; `installation` marks what is ours on
    the forum, among several that read it."""

    platform = "discourse"

    def __init__(
        self,
        settings: DiscourseSettings,
        name: str,
        transport: Transport,
        installation: str,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.name = name
        self._settings = settings
        self._transport = transport
        self._now = now
        self._installation = installation
        self._client = ForumClient(transport, settings.username)
        self._opened: Explorer | None = None
        self._closed = ""

    @property
    def usage(self) -> Usage:
        """What talking to the forum has cost so far."""
        return self._transport.usage

    @property
    def gaps(self) -> tuple[str, ...]:
        """Nothing beyond what the plan knows already."""
        return ()

    @property
    def writer(self) -> ForumClient:
        """What writes to the forum, for digests."""
        return self._client

    @property
    def explores(self) -> bool:
        """Whether Data Explorer is the way in."""
        return self._explorer() is not None

    def plan(self) -> list[StreamPlan]:
        """The units of work, each with its way in and the streams it yields, and the streams that
        are not available with the reason.

        Raises FixAccess where the key is refused or a plugin the settings insist on is off, and
        FixSettings where no forum is at the address.
        """
        explorer = self._explorer()
        if explorer is None:
            self._check_place()
            return _rest_plan(self._site(), self._closed)
        missing = [
            StreamPlan(
                stream,
                "data_explorer",
                unavailable=f"the forum's database has no "
                f"{', '.join(lacking)} (a plugin never installed, or another version)",
            )
            for stream, lacking in explorer.absent.items()
        ]
        yields = tuple(explorer.tables)
        return [StreamPlan(FORUM, "data_explorer", yields, None, EXPLORER_BLIND_SPOTS), *missing]

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this unit of work that is new, changed or gone since the bookmarks."""
        if stream != FORUM:
            yield from REST_UNITS[stream].read(self._site(), bookmarks)
            return
        explorer = self._explorer()
        if explorer is None:
            raise FixAccess(f"{self.name}: Data Explorer was switched off since the plan was made")
        yield from Differences(explorer, self.name, self._now).read(bookmarks)

    def estimate(self, bookmarks: Bookmarks, stream: str | None = None) -> Estimate:
        """What the next read would cost; asks a few questions itself to know."""
        if stream in SMALL_UNITS:
            return Estimate(0, 0)
        explorer = self._explorer() if stream in (None, FORUM) else None
        if explorer is None:
            by_stream = expected_requests(self._site(), bookmarks)
            if stream is not None:
                by_stream = {stream: by_stream[stream]}
            calls, per_s = per_minute(self._settings)
        else:
            differences = Differences(explorer, self.name, self._now)
            by_stream = {
                "find, compare": 3,
                **differences.estimate(differences.find(bookmarks)),
            }
            calls, per_s = limits(self._settings)[EXPLORER]
        requests = sum(by_stream.values())
        return Estimate(requests, requests * per_s / calls, by_stream)

    def probe(self) -> list[Finding]:
        """What an operator should know of this forum and key."""
        found: list[Finding] = []
        looks = (
            self._probe_site,
            self._probe_staff,
            self._probe_explorer,
            self._probe_private,
            self._probe_review,
        )
        for look in looks:
            try:
                found += look()
            except HearthError as error:
                found.append(Finding.of(error))
                if look == self._probe_site:
                    break
        return [*found, *clocks(self._transport.ahead_s)]

    def _probe_site(self) -> Iterator[Finding]:
        about, user = self._about(), self._settings.username
        yield Finding("ok", f"Discourse {about.get('version', '?')}; the key acts as {user}")

    def _check_place(self) -> None:
        """Raise FixAccess where the key is refused, which else would look like one that lacks
        scopes, and FixSettings where no forum is at the address. What only lacks scopes passes."""
        try:
            self._client.get_site_info()
        except Refused as refusal:
            if refusal.status == 404:
                with suppress(Refused):
                    self._about()

    def _about(self) -> dict[str, Any]:
        """What the forum says of itself. Raises FixSettings where none is at the address."""
        try:
            about: dict[str, Any] = self._client.fetch("/about.json", patience_s=HASTY_S)["about"]
        except (Refused, NoForum) as refusal:
            if isinstance(refusal, Refused) and refusal.status != 404:
                raise
            raise FixSettings(
                f"{self.name}: no Discourse answers at {self._settings.url} (404 for /about.json); "
                "check `url`: the forum's front page, with a path only where the forum lives below "
                "one"
            ) from None
        return about

    def _probe_staff(self) -> Iterator[Finding]:
        try:
            self._client.list_users("active", page=1)
        except Refused:
            yield Finding(
                "fail",
                f"{self._settings.username} may not read the admin's lists",
                "use an admin's key, or one with the scopes global:read and Data Explorer",
            )
        else:
            yield Finding("ok", f"{self._settings.username} may read the admin's lists")

    def _probe_explorer(self) -> Iterator[Finding]:
        explorer = self._explorer()
        if explorer is not None:
            yield Finding("ok", f"Data Explorer answers; it gives {len(explorer.tables)} streams")
        elif self._settings.way_in == "rest":
            yield Finding("ok", "plain REST is the way in, as the settings say")
        else:
            yield Finding(
                "warn",
                f"plain REST is the way in, slower and blind to some changes: {self._closed}",
                "switch the Data Explorer plugin on (site setting data_explorer_enabled), and use "
                "an admin's key",
            )

    def _probe_private(self) -> Iterator[Finding]:
        """Whether each private place that was named is there to be read."""
        if not self._settings.private:
            return
        if MESSAGES in self._settings.private and self._explorer() is None:
            yield Finding(
                "warn",
                f"plain REST reads no private messages, though `private` names {MESSAGES!r}",
                "switch the Data Explorer plugin on, or take them out of `private`",
            )
        site = self._client.get_site_info()
        names = {MESSAGES, "whispers"}
        for category in site.get("categories", ()):
            names |= {str(category.get(name)).lower() for name in ("name", "slug")}
        for name in self._settings.private if site.get("categories") else ():
            if name.lower() not in names:
                yield Finding(
                    "warn",
                    f"the forum shows no category {name!r}",
                    "check `private` in hearth.toml against the forum",
                )

    def _probe_review(self) -> Iterator[Finding]:
        """Whether reports can be made, by one of a post that cannot be."""
        if not self._settings.review_queue:
            return
        if self._settings.username == "system":
            yield Finding(
                "warn",
                "reports to the review queue would come from `system`",
                "make an account for Hearth and name it in `username`",
            )
        try:
            self._client.submit("/post_actions.json", id=0, post_action_type_id=7)
        except Refused as refusal:
            if refusal.status != 403:
                yield Finding("ok", f"{self._settings.username} may use the review queue")
                return
        except FixAccess:
            pass
        yield Finding(
            "fail",
            f"{self._settings.username} may not report posts, as `review_queue` asks",
            "use a key that may write (no scope, not global:read alone), of an account that may",
        )

    def _site(self) -> Site:
        return Site(self._client, self.name, self._settings, self._now)

    def _explorer(self) -> Explorer | None:
        """The opened Data Explorer; null where plain REST is the way in: by the settings, or
        because the plugin is off or refuses this key.

        Raises FixAccess, or what it refused, where the settings insist on Data Explorer.
        """
        if self._settings.way_in == "rest":
            return None
        if self._opened is None:
            explorer = Explorer(self._client, self.name, self._settings, self._installation)
            try:
                explorer.open()
            except (Refused, FixAccess) as error:
                is_off = isinstance(error, Refused) and error.status == 404
                if self._settings.way_in == "auto":
                    self._closed = OFF if is_off else str(error)
                    return None
                if not is_off:
                    raise
                raise FixAccess(
                    f"{self.name}: the Data Explorer plugin does not answer (404); an admin "
                    'can switch it on (data_explorer_enabled), or set way_in = "rest"'
                ) from None
            self._opened = explorer
        return self._opened


def _rest_plan(site: Site, closed: str) -> list[StreamPlan]:
    """What plain REST gives; `closed` says why Data Explorer does not."""
    plans = [
        StreamPlan(name, "rest", unit.yields, unit.missing(site), _blind_spots(site, unit))
        for name, unit in REST_UNITS.items()
    ]
    why = ""
    if closed:
        state = (
            "is off" if closed == OFF else "refuses this key; `hearth doctor` says how to mend it"
        )
        why = f" (Data Explorer, which gives it, {state})"
    return plans + [
        StreamPlan(stream, "rest", unavailable=reason + why)
        for stream, reason in UNAVAILABLE.items()
    ]


def _blind_spots(site: Site, unit: Unit) -> tuple[str, ...]:
    """What plain REST cannot see of these streams, with these settings."""
    are_wanted = site.keeps_messages and "topics" in unit.yields
    more = (MESSAGES_BLIND_SPOT,) if are_wanted else ()
    return unit.blind_spots + more
