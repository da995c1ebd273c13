"""What one audience is told of one night: chosen, ranked, capped and made harmless. Pure.

    rows of marts.digest_items ──> allowed ──> new ──> one per thread ──> ranked ──> capped

`allowed` is a matter of privacy, `new` of respect for readers' time: an item that was told or
judged returns only if its text changed or evidence of another kind was found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import log10
from typing import Any

from pipeline.digest import safe
from pipeline.digest.edition import (
    Claim,
    Edition,
    Health,
    Item,
    ItemId,
    ItemKey,
    Section,
    finding_of,
)
from pipeline.settings import Audience, Community, DigestSettings
from pipeline.shadow import in_light

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
MODERATORS = "moderators"  # the audience that is told of named people what no other is
_MOST_ANSWERED = 5
_MOST_IN_HAND = 10
_MOST_THANKED = 5
_MOST_REASONS = 3
_MOST_TURNS = 24
_LONG_OVERDUE = 3.0  # times the target, after which a question that was told once is told again

Claims = Mapping[ItemId, tuple[Claim, ...]]


@dataclass(frozen=True, slots=True)
class Opinions:
    """What people have said, as far as it decides what is shown.

    judged  keys that are closed: judged, handled, or asleep
    shadow  names of rules and models that count for nothing
    claims  who looks after which item
    """

    judged: Collection[ItemKey] = ()
    shadow: Collection[str] = ()
    claims: Claims = field(default_factory=dict)


NOBODY_SPOKE = Opinions()


def select(
    rows: Iterable[Mapping[str, Any]],
    health: Health,
    told: Collection[ItemKey],
    community: Community,
    audience: str,
    *,
    as_of: datetime,
    night: date,
    opinions: Opinions = NOBODY_SPOKE,
) -> Edition:
    """The edition of this audience and night.

    rows  marts.digest_items, one per thread and kind
    told  keys told to this audience on other nights
    """
    reader = community.digest.audiences[audience]
    lit = _lit(rows, opinions.shadow)
    still = _still_open(lit, reader, audience, opinions.judged)
    known = _Known(told)
    new = [row for row in still if not known.covers(_key(row))]
    items = _items(new, known, community, opinions.claims)
    if audience != MODERATORS:
        items = [replace(item, helpers=(), confirmed_before=0) for item in items]
    not_repeated = _not_repeated(still, new)
    return Edition(
        community=community.name,
        title=safe.plain(community.title, 60),
        audience=audience,
        night=night,
        as_of=as_of,
        time_zone=reader.time_zone or community.time_zone,
        is_weekly=reader.weekly,
        sections=tuple(_sections(items, community.digest)),
        health=replace(_harmless(health, reader), flagged=_flagged(lit)),
        still_open=len(not_repeated),
        in_hand=tuple(_in_hand(not_repeated, opinions.claims)),
    )


def open_items(
    rows: Iterable[Mapping[str, Any]],
    community: Community,
    reader: Audience,
    *,
    audience: str = MODERATORS,
    opinions: Opinions = NOBODY_SPOKE,
) -> list[Item]:
    """All that these readers may see and that nobody has closed, whether or not it was told."""
    lit = _lit((row for row in rows if row["kind"] != "answered"), opinions.shadow)
    still = _still_open(lit, reader, audience, opinions.judged)
    return _items(still, _Known(()), community, opinions.claims)


def _lit(rows: Iterable[Mapping[str, Any]], shadow: Collection[str]) -> list[Mapping[str, Any]]:
    """The rows as they stand without what is in the shadow."""
    return [row for row in (_without(row, shadow) for row in rows) if row is not None]


def _still_open(
    lit: Iterable[Mapping[str, Any]], reader: Audience, audience: str, judged: Collection[ItemKey]
) -> list[Mapping[str, Any]]:
    """Those of them that these readers may see and nobody has closed."""
    decided = _Known(judged)
    allowed = (row for row in lit if _allowed(row, reader, audience))
    return [row for row in allowed if not decided.covers(_key(row))]


def _items(
    rows: Iterable[Mapping[str, Any]], known: _Known, community: Community, claims: Claims
) -> list[Item]:
    sites = tuple(source.url for source in community.sources.values())
    return [_item(group, known, sites, claims) for group in _by_thread(rows)]


def _without(row: Mapping[str, Any], shadow: Collection[str]) -> Mapping[str, Any] | None:
    """The row without evidence that is in the shadow and what speaks for it; null if it was flagged
    for nothing else."""
    evidence, reasons = row["evidence"] or (), row["reasons"] or ()
    kept = in_light(finding_of(row["kind"]), evidence, reasons, row["model"], shadow)
    lost = len(evidence) - len(kept)
    if not lost:
        return row
    speak = [r for r in reasons if r.get("evidence") in (None, *kept)]
    left = {"evidence": kept, "severity": row["severity"] - lost, "reasons": speak}
    return {**row, **left} if kept else None


def _flagged(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many threads of the community are sour or toxic, whoever may see them."""
    return len({(row["source"], row["thread_id"]) for row in rows if row["kind"] in _FLAGS})


def _allowed(row: Mapping[str, Any], reader: Audience, audience: str) -> bool:
    if row["is_hidden"] and audience != MODERATORS:
        return False
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
        self._evidence: defaultdict[ItemId, list[set[str]]] = defaultdict(list)
        self._threads = {key[:3] for key in told}
        for key in told:
            self._evidence[key.item].append(set(key.evidence))

    def covers(self, key: ItemKey) -> bool:
        return any(seen >= set(key.evidence) for seen in self._evidence.get(key.item, ()))

    def has_thread(self, key: ItemKey) -> bool:
        return key[:3] in self._threads


def _by_thread(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    threads: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        threads[row["source"], row["thread_id"]].append(row)
    return [sorted(group, key=_lead) for group in threads.values()]


def _lead(row: Mapping[str, Any]) -> tuple[int, str]:
    return (_LEADING.index(row["kind"]), str(row["message_id"]))


def _item(
    group: list[Mapping[str, Any]],
    known: _Known,
    sites: tuple[str, ...],
    claims: Claims,
) -> Item:
    row = group[0]
    keys = tuple(_key(other) for other in group)
    title, sentence = _words(row)
    return Item(
        keys=keys,
        title=title,
        sentence=sentence,
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
        claims=_claimed(keys, claims),
        context=_before(row),
        curve=tuple(row["curve"] or ())[-_MOST_TURNS:],
        turn=_turn(row),
        helpers=tuple(_helper(helper) for helper in row["who_might_know"] or ()),
        confirmed_before=row["confirmed_before"] or 0,
        severity=max(other["severity"] for other in group),
        **{name: row[name] for name in _AS_IS},
    )


_AS_IS = (
    "kind",
    "source",
    "thread_id",
    "message_id",
    "is_newcomer",
    "is_private",
    "created_at",
    "age_h",
    "target_h",
    "older_than_rate",
    "level",
    "score",
    "replies",
    "people",
    "views",
)


def _words(row: Mapping[str, Any]) -> tuple[str, str | None]:
    """Title and sentence, harmless. In chat there are no titles: there the sentence is it."""
    sentence = safe.plain(row["sentence"] or "", 300)
    title = safe.plain(row["title"] or "", 130)
    if row["kind"] in _FLAGS:
        return safe.masked_like(title, sentence), safe.masked(sentence) or None
    if not title:
        return safe.plain(row["sentence"] or "", 130), None
    return title, None if sentence == title else sentence or None


def _turn(row: Mapping[str, Any]) -> int | None:
    """The turn as counted in what is shown of the curve; null if that begins later."""
    if row["turn"] is None:
        return None
    turn = int(row["turn"]) - max(0, len(row["curve"]) - _MOST_TURNS)
    return turn if turn > 0 else None


def _before(row: Mapping[str, Any]) -> str | None:
    text = safe.plain(row["context"] or "", 160)
    return (safe.masked(text) if row["kind"] in _FLAGS else text) or None


def _claimed(keys: Iterable[ItemKey], claims: Claims) -> tuple[Claim, ...]:
    found = dict.fromkeys(claim for key in keys for claim in claims.get(key.item, ()))
    return tuple(replace(claim, who=safe.plain(claim.who, 40)) for claim in found)


def _helper(helper: Mapping[str, Any]) -> dict[str, Any]:
    words = [safe.plain(word, 20) for word in helper["words"][:2]]
    return {
        "person": safe.plain(helper["person"], 30),
        "answers": helper["answers"],
        "words": words,
    }


def _also_not(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds that say nothing more beside this one."""
    more_of_it = _WAITING if row["kind"] in _WAITING else (row["kind"],)
    return (*more_of_it, "answered")


_NOT_SAID = frozenset({"code", "evidence", "models"})


def _reason(reason: Mapping[str, Any], is_flag: bool) -> tuple[str, Mapping[str, Any]]:
    values = {name: value for name, value in reason.items() if name not in _NOT_SAID}
    for name, value in values.items():
        if not isinstance(value, int | float):
            line = safe.plain(value, 40)
            values[name] = safe.masked(line) if is_flag else line
    return safe.plain(reason["code"], 30), values


def _sections(items: list[Item], caps: DigestSettings) -> Iterable[Section]:
    """Non-empty sections in reading order. What is flagged shares one cap."""
    left = caps.most_flags
    most = {
        "newcomer_waiting": caps.most_newcomers,
        "unanswered": caps.most_questions,
        "sour": _MOST_WARMING,
        "toxic": left,
        "answered": _MOST_ANSWERED,
    }
    for kind, name in SECTIONS.items():
        found = [item for item in items if item.kind == kind]
        ranked = sorted(found, key=lambda item: (*_rank(item), item.source, item.thread_id))
        shown = tuple(ranked[: min(most[kind], left) if kind in _FLAGS else most[kind]])
        left -= len(shown) if kind in _FLAGS else 0
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


def _not_repeated(
    still: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]
) -> list[list[Mapping[str, Any]]]:
    """Rows by thread of what was told, is open, and has nothing new."""
    shown = {(row["source"], row["thread_id"]) for row in new}
    rows = [row for row in still if row["kind"] != "answered"]
    return [
        group
        for group in _by_thread(rows)
        if (group[0]["source"], group[0]["thread_id"]) not in shown
    ]


def _in_hand(
    groups: Iterable[list[Mapping[str, Any]]], claims: Claims
) -> Iterable[tuple[str, tuple[Claim, ...]]]:
    """Those that somebody looks after, sorted by when the claim ends."""
    found = [(_words(group[0])[0], _claimed(map(_key, group), claims)) for group in groups]
    held = [(title, claimed) for title, claimed in found if claimed]
    return sorted(held, key=lambda one: (one[1][0].until, one[0]))[:_MOST_IN_HAND]


def _harmless(health: Health, reader: Audience) -> Health:
    """The numbers with harmless texts; people are thanked before those who may see their source."""
    thanks = (t for t in health.thanks if not reader.sources or t["source"] in reader.sources)
    return replace(
        health,
        stale_sources=tuple(_plain_values(source) for source in health.stale_sources),
        warnings=tuple(safe.plain(warning, 200) for warning in health.warnings[:5]),
        thanks=tuple(_plain_values(person) for person in thanks)[:_MOST_THANKED],
        precision=tuple(_plain_values(rule) for rule in health.precision[:8]),
    )


def _plain_values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: safe.plain(v, 100) if isinstance(v, str) else v for k, v in row.items()}
