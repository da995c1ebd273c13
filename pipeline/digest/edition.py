"""What one audience is told of one night: chosen, ranked, capped and made harmless. Pure.

    rows of marts.digest_items ──> allowed ──> new ──> one per thread ──> ranked ──> capped

`allowed` is a matter of privacy, `new` of respect for readers' time: an item that was told or
judged returns only if its text changed or evidence of another kind was found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import log10
from typing import Any, NamedTuple

from pipeline.digest import safe
from pipeline.settings import Audience, Community

SECTIONS = {
    "newcomer_waiting": "newcomers",
    "unanswered": "questions",
    "sour": "warming",
    "toxic": "judgement",
    "answered": "answered",
}
_LEADING = ("sour", "toxic", "newcomer_waiting", "unanswered", "answered")  # of one thread's kinds
_WAITING = ("newcomer_waiting", "unanswered")
_FLAGS = ("sour", "toxic")
_MOST_WARMING = 3
_MOST_ANSWERED = 5
_MOST_REASONS = 3
_LONG_OVERDUE = 3.0  # times the target, after which a question that was told once is told again
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


class ItemKey(NamedTuple):
    """What was told or judged. Evidence is a sorted set of kinds; the text hash may be empty."""

    source: str
    thread_id: str
    kind: str
    text_hash: str
    evidence: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Seven characters by which a person names the item; the same for any evidence."""
        digest = hashlib.blake2b("\x1f".join(self[:4]).encode(), digest_size=5).digest()
        number = int.from_bytes(digest, "big")
        return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(7))


@dataclass(frozen=True, slots=True)
class Item:
    """One thread on the list. Every text in it is one harmless line; flagged text is masked.

    age_h     hours since the thread was begun, as of the data
    target_h  hours within which a question ought to be answered; null for other kinds
    keys      what is remembered once this was told: one per kind that was found in the thread
    also      further kinds found in the same thread
    severity  number of independent kinds of evidence
    reasons   code and values of each reason, values made harmless
    again     true: told before, and back because there is something new
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
                   where the curve does not get there
    coverage       part (0 to 1) of what the sources have that was read
    unscored       messages no model could judge, such as those in a language none covers
    stale_sources  {source, since, why} of each source that could not be read
    warnings       sentences of contracts that were broken without stopping the night
    thanks         {person, answers, newcomers}, most helpful first
    precision      {rule, agreed, judged, low, high, is_shadow}: what moderators said of each rule
    waiting_before how many waited on each of the nights before, oldest first
    """

    waiting: int = 0
    newcomers_waiting: int = 0
    answered_yesterday: int = 0
    p50_h: float | None = None
    p90_h: float | None = None
    flagged: int = 0
    unscored: int = 0
    coverage: float | None = None
    stale_sources: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    thanks: tuple[Mapping[str, Any], ...] = ()
    precision: tuple[Mapping[str, Any], ...] = ()
    waiting_before: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """One digest before it has a language or a form. Sections without items are absent.

    still_open  told before, still open, and so not repeated
    """

    community: str
    title: str
    audience: str
    night: date
    as_of: datetime
    time_zone: str
    sections: tuple[Section, ...]
    health: Health = field(default_factory=Health)
    still_open: int = 0

    @property
    def is_quiet(self) -> bool:
        """Nothing on the list needs a person."""
        return all(section.name == "answered" for section in self.sections)

    @property
    def keys(self) -> tuple[ItemKey, ...]:
        """What has been told once this edition was sent."""
        return tuple(key for s in self.sections for item in s.items for key in item.keys)


def select(
    rows: Iterable[Mapping[str, Any]],
    health: Health,
    told: Collection[ItemKey],
    community: Community,
    audience: str,
    *,
    as_of: datetime,
    night: date,
    judged: Collection[ItemKey] = (),
    shadow: Collection[tuple[str, str]] = (),
) -> Edition:
    """The edition of this audience and night.

    rows   marts.digest_items, one per thread and kind
    told   keys told to this audience on other nights
    judged keys that are closed: judged, handled, or asleep
    shadow (kind, evidence) that moderators found wrong too often: it counts for nothing
    """
    reader = community.digest.audiences[audience]
    sites = tuple(source.url for source in community.sources.values())
    lit = (_without(row, shadow) for row in rows)
    allowed = [row for row in lit if row is not None and _allowed(row, reader)]
    decided, known = _Known(judged), _Known(told)
    still = [row for row in allowed if not decided.covers(_key(row))]
    new = [row for row in still if not known.covers(_key(row))]
    items = [_item(group, known, sites) for group in _by_thread(new)]
    return Edition(
        community=community.name,
        title=safe.plain(community.title, 60),
        audience=audience,
        night=night,
        as_of=as_of,
        time_zone=community.time_zone,
        sections=tuple(_sections(items, community)),
        health=_harmless(health),
        still_open=_still_open(still, new),
    )


def _without(
    row: Mapping[str, Any], shadow: Collection[tuple[str, str]]
) -> Mapping[str, Any] | None:
    """The row without evidence that is in the shadow; null if it was flagged for nothing else."""
    kept = [kind for kind in row["evidence"] or () if (row["kind"], kind) not in shadow]
    lost = len(row["evidence"] or ()) - len(kept)
    if not lost:
        return row
    return {**row, "evidence": kept, "severity": row["severity"] - lost} if kept else None


def _allowed(row: Mapping[str, Any], reader: Audience) -> bool:
    if reader.sources and row["source"] not in reader.sources:
        return False
    if SECTIONS[row["kind"]] not in reader.sections:
        return False
    return not row["is_private"] or f"{row['source']}/{row['channel']}" in reader.private


def _key(row: Mapping[str, Any]) -> ItemKey:
    evidence = set(row["evidence"] or ())
    if row["kind"] in _WAITING and row["target_h"]:
        overdue = row["age_h"] / row["target_h"]
        evidence |= {"overdue"} if overdue >= 1 else set()
        evidence |= {"long_overdue"} if overdue >= _LONG_OVERDUE else set()
    return ItemKey(
        row["source"],
        row["thread_id"],
        row["kind"],
        row["text_hash"] or "",
        tuple(sorted(evidence)),
    )


class _Known:
    """What readers have seen: a key is covered if one with the same text had all its evidence."""

    def __init__(self, told: Collection[ItemKey]) -> None:
        self._evidence: defaultdict[tuple[str, ...], list[set[str]]] = defaultdict(list)
        self._threads = {key[:3] for key in told}
        for key in told:
            self._evidence[key[:4]].append(set(key.evidence))

    def covers(self, key: ItemKey) -> bool:
        return any(seen >= set(key.evidence) for seen in self._evidence.get(key[:4], ()))

    def has_thread(self, key: ItemKey) -> bool:
        return key[:3] in self._threads


def _by_thread(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    threads: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        threads[row["source"], row["thread_id"]].append(row)
    return [sorted(group, key=_lead) for group in threads.values()]


def _lead(row: Mapping[str, Any]) -> tuple[int, str]:
    return (_LEADING.index(row["kind"]), str(row["message_id"]))


def _item(group: list[Mapping[str, Any]], known: _Known, sites: tuple[str, ...]) -> Item:
    row = group[0]
    keys = tuple(_key(other) for other in group)
    sentence = row["sentence"] and safe.plain(row["sentence"], 300)
    title = safe.plain(row["title"] or "", 130)
    if row["kind"] in _FLAGS:
        title = safe.masked_like(title, sentence or "")
        sentence = sentence and safe.masked(sentence)
    return Item(
        keys=keys,
        title=title,
        sentence=sentence or None,
        channel=safe.plain(row["channel"] or "", 60),
        url=safe.web_address(row["url"], sites),
        person=safe.plain(row["person"] or "", 40) or None,
        reasons=tuple(
            _reason(reason, row["kind"] in _FLAGS)
            for reason in (row["reasons"] or ())[:_MOST_REASONS]
        ),
        also=tuple(dict.fromkeys(o["kind"] for o in group[1:] if o["kind"] not in _also_not(row))),
        model=safe.plain(row["model"], 30) if row["model"] else None,
        model_version=safe.plain(row["model_version"] or "", 20),
        again=any(known.has_thread(key) for key in keys),
        severity=max(other["severity"] for other in group),
        **{name: row[name] for name in _AS_IS},
    )


_AS_IS = (
    "kind", "source", "thread_id", "message_id", "is_newcomer", "is_private", "created_at",
    "age_h", "target_h", "level", "score", "replies", "people", "views",
)  # fmt: skip


def _also_not(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds that say nothing more beside this one."""
    more_of_it = _WAITING if row["kind"] in _WAITING else (row["kind"],)
    return (*more_of_it, "answered")


def _reason(reason: Mapping[str, Any], is_flag: bool) -> tuple[str, Mapping[str, Any]]:
    values = {name: value for name, value in reason.items() if name != "code"}
    for name, value in values.items():
        if not isinstance(value, int | float):
            line = safe.plain(value, 40)
            values[name] = safe.masked(line) if is_flag else line
    return safe.plain(reason["code"], 30), values


def _sections(items: list[Item], community: Community) -> Iterable[Section]:
    """Non-empty sections in reading order. What waits shares one cap, what is flagged another."""
    by_kind = {kind: [item for item in items if item.kind == kind] for kind in SECTIONS}
    caps = community.digest
    room = {"waiting": caps.most_questions, "flags": caps.most_flags, "answered": _MOST_ANSWERED}
    for kind, name in SECTIONS.items():
        pool = "waiting" if kind in _WAITING else "flags" if kind in _FLAGS else "answered"
        most = min(room[pool], _MOST_WARMING) if kind == "sour" else room[pool]
        ranked = sorted(by_kind[kind], key=lambda item: (*_rank(item), item.source, item.thread_id))
        shown = tuple(ranked[:most])
        room[pool] -= len(shown)
        if ranked:
            yield Section(name, shown, len(ranked) - len(shown))


def _rank(item: Item) -> tuple[float, ...]:
    """Lower is nearer the top."""
    if item.kind in _WAITING:
        overdue = item.overdue if item.overdue is not None else item.age_h / 24
        return (-overdue * (1 + log10(1 + (item.views or 0)) / 4),)
    if item.kind in _FLAGS:
        return (-item.severity, -(item.score or 0), -item.created_at.timestamp())
    return (not item.is_newcomer, -item.age_h)


def _still_open(still: list[Mapping[str, Any]], new: list[Mapping[str, Any]]) -> int:
    shown = {(row["source"], row["thread_id"]) for row in new}
    threads = {(r["source"], r["thread_id"]) for r in still if r["kind"] != "answered"}
    return len(threads - shown)


def _harmless(health: Health) -> Health:
    return replace(
        health,
        stale_sources=tuple(_plain_values(source) for source in health.stale_sources),
        warnings=tuple(safe.plain(warning, 200) for warning in health.warnings[:5]),
        thanks=tuple(_plain_values(person) for person in health.thanks[:5]),
        precision=tuple(_plain_values(rule) for rule in health.precision[:8]),
    )


def _plain_values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: safe.plain(v, 100) if isinstance(v, str) else v for k, v in row.items()}
