"""One source per configured site, behind one short interface.

To add a platform: a module here with a class that satisfies `Source`, its line in `open_source`,
its settings model in `pipeline/settings/models.py`, and its files in `sql/staging/`. Where digests
are to be told there, too: what they write with, in `Writers`.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipeline.errors import BadAnswer, FixAccess, FixSettings, HearthError
from pipeline.files import make_folder, write_once
from pipeline.records import Bookmarks, Part, StreamPlan
from pipeline.settings import Community, DiscourseSettings, RocketChatSettings
from pipeline.sources.budget import Budget, RedisBudget
from pipeline.sources.http import Usage

if TYPE_CHECKING:
    from pipeline.sources.discourse import Discourse
    from pipeline.sources.rocketchat import RocketChat

log = logging.getLogger("hearth")

MOST_SKEW_S = 300  # a clock that is set by hand; one kept by NTP is off by less than a second


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `hearth doctor` found out. `fix` says how to mend what is not "ok"; `exit_code` is
    that of the error which a night would end with."""

    level: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""
    exit_code: int = FixAccess.exit_code

    @staticmethod
    def of(error: HearthError) -> Finding:
        """The finding of an error, whose text has what to do behind its first semicolon."""
        what, _, fix = str(error).partition("; ")
        return Finding("fail", what, fix, error.exit_code)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What reading a source would cost: requests by stream, and seconds under our budget."""

    requests: int
    seconds: float
    by_stream: Mapping[str, int] = field(default_factory=dict)


def clocks(ahead_s: float | None) -> Iterator[Finding]:
    """Whether our clock and a site's agree, by how many seconds ours is ahead; null: not known."""
    if ahead_s is not None and abs(ahead_s) > MOST_SKEW_S:
        way = "ahead of" if ahead_s > 0 else "behind"
        yield Finding(
            "fail",
            f"this machine's clock is {abs(ahead_s) / 60:.0f} minutes {way} the server's",
            "set the clock of the one that is wrong (NTP): ages and waits are counted by both",
            FixSettings.exit_code,
        )


class Source(Protocol):
    """A configured site. It is handed a ready transport and knows nothing of the warehouse."""

    name: str
    platform: str

    @property
    def usage(self) -> Usage:
        """What talking to the site has cost so far."""

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the last read found that it may not see, one sentence each."""

    def plan(self) -> list[StreamPlan]:
        """Probe the server once: the streams to read, each with its way in, or why it is not
        available. Raises FixAccess where the credentials are refused, SourceDown where nothing
        answers."""

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this stream that is new, changed or gone since the bookmarks.

        May repeat a record; never skips one. Newest first on a first fill. Each part stands for
        itself: a kill between two parts costs nothing but the part being fetched."""

    def estimate(self, bookmarks: Bookmarks, stream: str | None = None) -> Estimate:
        """What the next read of everything would cost, or that of one unit of work alone: asked as
        little as that takes."""

    def probe(self) -> list[Finding]:
        """What an operator should know of this site and account; raises nothing of ours."""


class ForumWriter(Protocol):
    """A forum's API with one acting user, as digests use it. Raises Refused for a 4xx, FixAccess
    where the key itself is not accepted."""

    host: str

    @property
    def source(self) -> str:
        """The name of the source whose forum this is."""

    def fetch(self, path: str, /, **params: Any) -> Any:
        """The answer to a GET, JSON."""

    def submit(self, path: str, /, **form: Any) -> Any:
        """The answer to a POST of a form, JSON."""

    def create_post(self, content: str, /, **where: Any) -> Any:
        """The answer to a new post with this Markdown."""


class ChatWriter(Protocol):
    """What posts in the rooms of a workspace, and reads what stands under it."""

    def post(self, room: str, text: str, *, key: str, thread: str | None = None) -> list[str]:
        """Post a text once, whatever its length; returns the ids of its messages."""

    def check(self, room: str) -> None:
        """Raise FixSettings where the account sees no such room."""

    def said_of(self, message: str) -> list[tuple[str, str]]:
        """(emoji, name) of each reaction of others under a message."""


@dataclass(frozen=True, slots=True)
class Writers:
    """Opens what writes to the sites of a community, by the name of a source."""

    community: Community

    def forum(self, name: str) -> ForumWriter:
        """What writes to a forum, as the account that reads it."""
        settings = self.community.sources[name]
        if not isinstance(settings, DiscourseSettings):
            raise FixSettings(f"{name} is no forum; name a source of Discourse in its place")
        return _forum(self.community, name, settings).writer

    def chat(self, name: str) -> ChatWriter:
        """What writes to a workspace, as the account that reads it."""
        settings = self.community.sources[name]
        if not isinstance(settings, RocketChatSettings):
            raise FixSettings(f"{name} is no workspace; name a source of Rocket.Chat in its place")
        return _workspace(self.community, name, settings).writer


def open_source(community: Community, name: str) -> Source:
    """The named source over a polite transport. All who open it share one budget of requests."""
    settings = community.sources[name]
    if isinstance(settings, RocketChatSettings):
        return _workspace(community, name, settings)
    return _forum(community, name, settings)


def _forum(community: Community, name: str, settings: DiscourseSettings) -> Discourse:
    from pipeline.sources import discourse

    return discourse.connect(settings, name, budgets(community, name), installation(community))


def _workspace(community: Community, name: str, settings: RocketChatSettings) -> RocketChat:
    from pipeline.sources import rocketchat

    return rocketchat.connect(settings, name, budgets(community, name))


@contextmanager
def understood(community: Community, name: str, stream: str = "") -> Iterator[None]:
    """While a source is asked: turn an error that nobody foresaw into BadAnswer, and log where it
    came from. Another version of the server, or a plugin, answered in an unknown form, or the
    mistake is ours. It costs this source or stream its night, and no other."""
    try:
        yield
    except (HearthError, OSError):
        raise
    except Exception as error:
        place = f"{name}/{stream}" if stream else name
        log.exception("%s could not be understood", place)
        site = community.sources.get(name)  # one may be gone from the settings since the plan
        raise BadAnswer(
            f"{place}: an answer of a form that Hearth does not know ({type(error).__name__}); see "
            f"what answers at {site.url if site else 'its address'}. Nothing was lost, the next "
            "night asks again; if it stays so, report it with the log"
        ) from error


def budgets(community: Community, source: str) -> Callable[..., Budget]:
    """Makes budgets of one site, shared by all on this machine or by all machines of a cluster."""
    if community.cluster:
        site = f"{community.name}:{source}"
        return partial(RedisBudget, community.cluster.budget, community.cluster.password, site)
    folder = community.home / "work" / "budgets"
    make_folder(folder)
    return partial(Budget, folder / f"{source}.budget.json")


def installation(community: Community) -> str:
    """What marks this installation's own queries on a forum that several may read: a random id that
    its home keeps. The homes of a cluster's machines are one installation by where they land."""
    if community.cluster:
        return hashlib.sha256(community.cluster.landing.encode()).hexdigest()[:12]
    make_folder(community.home)
    return write_once(community.home / "installation", secrets.token_hex(6))
