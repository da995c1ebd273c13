"""One source per configured site, behind one short interface.

To add a platform: a module here with a class that satisfies `Source`, its line in `open_source`,
its settings model in `pipeline/settings/models.py`, and its files in `sql/staging/`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pipeline.landing import make_folder, write_once
from pipeline.records import Bookmarks, Part, StreamPlan
from pipeline.settings import Community, RocketChatSettings
from pipeline.sources.http import Usage


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a probe of a source found out. `fix` says how to mend what is not "ok"."""

    level: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What reading a source would cost: requests by stream, and seconds under our budget."""

    requests: int
    seconds: float
    by_stream: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """A configured site. It is handed a ready transport and knows nothing of the warehouse."""

    name: str
    platform: str

    @property
    def usage(self) -> Usage:
        """What talking to the site has cost so far."""

    @property
    def writer(self) -> Any:
        """What writes to the site for digests: a forum's client, a workspace's poster."""

    def plan(self) -> list[StreamPlan]:
        """Probe the server once: the streams to read, each with its way in, or why it is not
        available. Raises FixAccess where the credentials are refused, SourceDown where nothing
        answers."""

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this stream that is new, changed or gone since the bookmarks.

        May repeat a record; never skips one. Newest first on a first fill. Each part stands for
        itself: a kill between two parts costs nothing but the part being fetched."""

    def estimate(self, bookmarks: Bookmarks) -> Estimate:
        """What the next read of everything would cost."""

    def probe(self) -> list[Finding]:
        """What an operator should know of this site and account; raises nothing of ours."""


def open_source(community: Community, name: str) -> Source:
    """The named source over a polite transport. All who open it share one budget of requests.

    Several installations may read one forum, also from homes of one name on several machines: each
    home keeps a random id, `installation`, that marks its own queries there.
    """
    settings = community.sources[name]
    folder = community.home / "work" / "budgets"
    make_folder(folder)
    if isinstance(settings, RocketChatSettings):
        from pipeline.sources import rocketchat

        return rocketchat.connect(settings, name, folder)
    from pipeline.sources import discourse

    installation = write_once(community.home / "installation", secrets.token_hex(6))
    return discourse.connect(settings, name, folder, installation)
