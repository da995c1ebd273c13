"""What an edition is: the items one audience is told of one night, and the numbers below them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from pipeline.shadow import rule_name

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


ItemId = tuple[str, str, str, str]  # source, thread, kind and text hash of an item


class ItemKey(NamedTuple):
    """What was told or judged. Evidence is a sorted set of kinds; the text hash may be empty."""

    source: str
    thread_id: str
    kind: str
    text_hash: str
    evidence: tuple[str, ...]

    @property
    def item(self) -> ItemId:
        """The item, whatever its evidence."""
        return self[:4]

    @property
    def ref(self) -> str:
        """Seven characters by which a person names the item."""
        digest = hashlib.blake2b("\x1f".join(self.item).encode(), digest_size=5).digest()
        number = int.from_bytes(digest, "big")
        return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(7))

    @property
    def rules(self) -> set[str]:
        """Names of the rules that found it."""
        finding = finding_of(self.kind)
        return {rule_name(finding, kind) for kind in self.evidence if kind not in _AGES}


_AGES = ("overdue", "long_overdue")  # evidence that an item is news again, not that it is right


def finding_of(kind: str) -> str:
    """The kind of finding that an item of this kind tells of."""
    return kind if kind in ("sour", "toxic") else "question"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody has said that they look after an item. It keeps nobody else from it, and ends."""

    who: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One thread on the list. Every text in it is one harmless line; flagged text is masked.

    age_h     hours since the thread was begun, as of the data; of what was flagged, since the
              message that was flagged
    target_h  hours within which a question ought to be answered; null for other kinds
    older_than_rate  share of answered questions that had waited less; null where it is not known
    keys      what is remembered once this was told: one per kind that was found in the thread
    also      further kinds found in the same thread
    severity  number of independent kinds of evidence
    reasons   code and values of each reason, values made harmless
    again     true: told before, and back because there is something new
    claims    who looks after it now
    context   beginning of the message before it, masked where the item is flagged
    curve     heat (0 to 1) after each of the last turns of a warming thread
    turn      which of these is the message that was flagged, counted from 1; null: none of them
    helpers   {person, answers, words}: who might know; for the moderators alone
    confirmed_before  other items by its author that moderators agreed with; for them alone
    """

    keys: tuple[ItemKey, ...]
    kind: str
    source: str
    thread_id: str
    message_id: str
    title: str
    channel: str
    url: str | None
    person: str | None
    is_newcomer: bool
    is_private: bool
    created_at: datetime
    age_h: float
    target_h: float | None
    older_than_rate: float | None
    level: str | None
    severity: int
    reasons: tuple[tuple[str, Mapping[str, Any]], ...]
    sentence: str | None
    score: float | None
    model: str | None
    model_version: str
    replies: int
    people: int
    views: int | None
    also: tuple[str, ...] = ()
    again: bool = False
    claims: tuple[Claim, ...] = ()
    context: str | None = None
    curve: tuple[float, ...] = ()
    turn: int | None = None
    helpers: tuple[Mapping[str, Any], ...] = ()
    confirmed_before: int = 0

    @property
    def id(self) -> ItemId:
        """What it stands under in the ledger and in verdicts."""
        return self.keys[0].item

    @property
    def ref(self) -> str:
        """The name a person gives a verdict by."""
        return self.keys[0].ref

    @property
    def overdue(self) -> float | None:
        """How many times its target the item has waited; null where there is no target."""
        return self.age_h / self.target_h if self.target_h else None


@dataclass(frozen=True, slots=True)
class Section:
    """Items of one sort, best first, and how many the cap left out."""

    name: str
    items: tuple[Item, ...]
    more: int = 0

    @property
    def size(self) -> int:
        """Items shown and left out."""
        return len(self.items) + self.more


@dataclass(frozen=True, slots=True)
class Health:
    """The community's numbers on the foot of a digest. Null means: not known.

    p50_h, p90_h   hours to the first reply by a person, unanswered questions counted in; null
                   where the curve does not get there. `..._low_h`, `..._high_h`: 95 % interval
    coverage_rate  part (0 to 1) of the last 30 days that was read whole, over all sources
    unscored       messages no model could judge, such as those in a language none covers
    stale_sources  {source, since, why} of each source that could not be read; since is the aware
                   time of its last good read, null if there was none
    warnings       sentences of contracts that were broken without stopping the night
    thanks         rows of marts.thanks, first accepted answers first
    precision      {rule, agreed, judged, low, high, is_shadow}: what moderators said of each rule
    flagged        threads that are sour or toxic by what is not in the shadow; of an edition
    waiting_before how many waited on each of the nights before, oldest first
    """

    waiting: int = 0
    newcomers_waiting: int = 0
    answered_yesterday: int = 0
    p50_h: float | None = None
    p50_low_h: float | None = None
    p50_high_h: float | None = None
    p90_h: float | None = None
    p90_low_h: float | None = None
    p90_high_h: float | None = None
    flagged: int = 0
    unscored: int = 0
    coverage_rate: float | None = None
    stale_sources: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    thanks: tuple[Mapping[str, Any], ...] = ()
    precision: tuple[Mapping[str, Any], ...] = ()
    waiting_before: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """One digest before it has a language or a form. Sections without items are absent.

    is_weekly   its readers are told once a week
    still_open  told before, still open, and so not repeated
    in_hand     (title, claims) of those of them that somebody looks after
    """

    community: str
    title: str
    audience: str
    night: date
    as_of: datetime
    time_zone: str
    is_weekly: bool
    sections: tuple[Section, ...]
    health: Health = field(default_factory=Health)
    still_open: int = 0
    in_hand: tuple[tuple[str, tuple[Claim, ...]], ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Nothing on the list needs a person."""
        return all(section.name == "answered" for section in self.sections)

    @property
    def size(self) -> int:
        """How many items it shows that need a person."""
        return sum(len(s.items) for s in self.sections if s.name != "answered")

    @property
    def keys(self) -> tuple[ItemKey, ...]:
        """What has been told once this edition was sent."""
        return tuple(key for s in self.sections for item in s.items for key in item.keys)
