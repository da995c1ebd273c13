"""A Discourse forum: by its Data Explorer plugin where that is on, by plain REST where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import FixAccess
from pipeline.records import Bookmarks, Part, StreamPlan
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse.client import EXPLORER, ForumClient, Refused, headers, signed_in
from pipeline.sources.discourse.differences import Differences
from pipeline.sources.discourse.explorer import Explorer
from pipeline.sources.http import Budget, Transport, Usage

FORUM = "forum"  # the one unit of work by Data Explorer: all streams share each question


def connect(settings: DiscourseSettings, name: str, folder: Path) -> Discourse:
    """The source of these settings; its budget is shared with all who are given this folder."""
    share = settings.share
    budget = Budget(
        folder / f"{name}.budget.json",
        max(1, int(settings.requests_per_minute * share)),
        60,
        limits={EXPLORER: (max(1, int(settings.explorer_runs_per_10_s * share)), 10)},
    )
    transport = Transport(
        settings.url,
        headers(settings),
        source=name,
        budget=budget,
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
        check=signed_in,
    )
    return Discourse(settings, name, transport)


class Discourse:
    """One forum as a Source. `now` gives µs since 1970 UTC."""

    platform = "discourse"

    def __init__(
        self,
        settings: DiscourseSettings,
        name: str,
        transport: Transport,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.name = name
        self._settings = settings
        self._transport = transport
        self._now = now
        self._client = ForumClient(transport, settings.username)
        self._opened: Explorer | None = None

    @property
    def usage(self) -> Usage:
        """What talking to the forum has cost so far."""
        return self._transport.usage

    def plan(self) -> list[StreamPlan]:
        """The streams to read, each with its way in, or why it is not available."""
        explorer = self._explorer()
        if explorer is None:
            raise NotImplementedError
        missing = [
            StreamPlan(
                stream,
                "data_explorer",
                unavailable=f"{stream}: not available, because the forum has no table "
                f"{' and '.join(tables)} (a plugin that was never installed)",
            )
            for stream, tables in explorer.absent.items()
        ]
        blind = (
            "What was deleted for good before the first night.",
            "Who visited: visits are sums of a day.",
        )
        return [StreamPlan(FORUM, "data_explorer", tuple(explorer.tables), None, blind), *missing]

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this unit of work that is new, changed or gone since the bookmarks."""
        explorer = self._explorer()
        if explorer is None:
            raise NotImplementedError
        yield from Differences(explorer, self.name, self._now).read(bookmarks)

    def _explorer(self) -> Explorer | None:
        """The opened Data Explorer; null where plain REST is the way in.

        Raises FixAccess where the settings insist on a plugin that is off.
        """
        if self._settings.way_in == "rest":
            return None
        if self._opened is None:
            explorer = Explorer(self._client, self.name, self._settings)
            try:
                explorer.open()
            except Refused as refused:
                if refused.status != 404:
                    raise
                if self._settings.way_in == "data_explorer":
                    raise FixAccess(
                        f"{self.name}: the Data Explorer plugin does not answer (404); an admin "
                        'can switch it on (data_explorer_enabled), or set way_in = "rest"'
                    ) from None
                return None
            self._opened = explorer
        return self._opened
