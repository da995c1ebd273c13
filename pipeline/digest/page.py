"""An edition put into words: every sentence of a digest, in one language, escaped for one place.

Each form (HTML, text, Markdown ...) lays out the same Page and adds no word of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from pipeline.digest.edition import Claim, Edition, Health, Item, Section
from pipeline.digest.words import Said, Words

_REPLY_STATES = (
    "no_reply",
    "only_bots",
    "only_asker",
    "only_me_too",
    "only_remarks",
    "asker_last",
    "asked_back",
)
_AGES = {"sour": "turned", "toxic": "written", "answered": "answered"}
ADVISED = ("reports", "pattern", "pace", "alert", "tone", "wording")  # evidence one can act on
_WORTH_TELLING = 0.5  # share of answered questions that an older one must be older than
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Card:
    """One item in words. `facts` are short and in order of weight, and so is `state`: how a
    question stands and what makes it one. `why` are the sentences that explain a flag.

    heat    sparkline of a warming thread, turn by turn; `heat_said` is the same in words
    advice  what one could do
    """

    ref: str
    title: str
    url: str | None
    facts: tuple[str, ...]
    state: tuple[str, ...]
    strength: str | None
    why: tuple[str, ...]
    context: str | None
    heat: str | None
    heat_said: str
    advice: str | None
    quote: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """Something that asks for nothing, in one line: a title, perhaps a link, and what is told."""

    title: str
    url: str | None
    told: str


@dataclass(frozen=True, slots=True)
class Block:
    """A section in words: cards for what needs a person, lines for what does not."""

    name: str
    heading: str
    hint: str
    cards: tuple[Card, ...] = ()
    more: str | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A whole digest in words.

    subject  what a reader sees before opening: counts and the day, never a word of a member
    alarms   what makes this digest incomplete or doubtful; shown first
    numbers  (label, value) pairs
    bars     sparkline of how many waited night by night; `bars_said` is the same in figures
    """

    language: str
    subject: str
    title: str
    day: str
    summary: str
    preview: str
    alarms: tuple[str, ...]
    blocks: tuple[Block, ...]
    still_open: str | None
    numbers: tuple[tuple[str, str], ...]
    bars: str | None
    bars_said: str
    precision: tuple[str, ...]
    footer: str
    say: Words

    @property
    def has_cards(self) -> bool:
        """There is something to give a verdict on."""
        return any(block.cards for block in self.blocks)


def page(edition: Edition, language: str, escape: Callable[[str], str]) -> Page:
    """The edition in words. `escape` makes a value literal in the place it goes to."""
    say = Words(language, escape)
    summary = _summary(edition, say)
    day = say.day(edition.night)
    zone = edition.time_zone
    blocks = [_block(section, say, zone) for section in edition.sections]
    blocks += [*_in_hand(edition, say), *_thanks(edition.health, say)]
    nights = (*edition.health.waiting_before, edition.health.waiting)[-14:]
    return Page(
        language=say.tag,
        subject=say("subject.line", community=edition.title, what=summary, day=day),
        title=say("page.weekly" if edition.is_weekly else "page.title", community=edition.title),
        day=day,
        summary=_lead(edition, say, summary),
        preview=say("page.preview", what=summary, day=day),
        alarms=_alarms(edition.health, say, zone),
        blocks=tuple(blocks),
        still_open=say("page.still_open", n=edition.still_open) if edition.still_open else None,
        numbers=_numbers(edition, say),
        bars=_trend(nights),
        bars_said=", ".join(map(str, nights)),
        precision=_precision(edition.health, say),
        footer=say("footer.why", audience=edition.audience, community=edition.title),
        say=say,
    )


def brief(words: Page) -> Page:
    """The page with what is needed to choose: titles, facts, of flags the quote and one reason."""
    blocks = [replace(block, cards=tuple(map(_brief, block.cards))) for block in words.blocks]
    return replace(words, blocks=tuple(blocks))


def _brief(card: Card) -> Card:
    quote = card.quote if card.strength else None
    short = replace(card, quote=quote, state=(), why=card.why[:1], context=None, advice=None)
    return replace(short, facts=card.facts[:4])


def _summary(edition: Edition, say: Words) -> str:
    parts = [
        say(f"subject.{section.name}", n=section.size)
        for section in edition.sections
        if section.name != "answered"
    ]
    if edition.health.stale_sources:
        parts.append(say("subject.degraded"))
    return " · ".join(parts or [say("subject.quiet")])


def _lead(edition: Edition, say: Words, summary: str) -> str:
    """The sentence on top. Where not all could be read, nobody knows that the night was quiet."""
    if not edition.is_quiet:
        return summary
    return say("page.incomplete" if edition.health.stale_sources else "page.quiet")


def _block(section: Section, say: Words, zone: str) -> Block:
    asks = section.name != "answered"
    return Block(
        name=section.name,
        heading=say(f"section.{section.name}.heading"),
        hint=say(f"section.{section.name}.hint"),
        cards=tuple(_card(item, say, zone) for item in section.items if asks),
        more=say("page.more", n=section.more) if section.more and asks else None,
        lines=tuple(_line(item, say, zone) for item in section.items if not asks),
    )


def _line(item: Item, say: Words, zone: str) -> Line:
    return Line(titled(item.title, say), item.url, " · ".join(_facts(item, say, zone)))


def _in_hand(edition: Edition, say: Words) -> Iterable[Block]:
    lines = tuple(
        Line(titled(title, say), None, _claims(claims, say, edition.time_zone))
        for title, claims in edition.in_hand
    )
    if lines:
        heading, hint = say("section.in_hand.heading"), say("section.in_hand.hint")
        yield Block("in_hand", heading, hint, lines=lines)


def _thanks(health: Health, say: Words) -> Iterable[Block]:
    lines = tuple(
        Line(say.escape(row["person"]), None, say("unit.comma").join(_deeds(row, say)))
        for row in health.thanks
    )
    if lines:
        heading, hint = say("section.thanks.heading"), say("section.thanks.hint")
        yield Block("thanks", heading, hint, lines=lines)


def _deeds(row: Mapping[str, Any], say: Words) -> Iterable[str]:
    if row["is_first_accepted"]:
        yield say("fact.first_accepted")
    for deed in ("newcomers", "accepted", "liked"):
        if row[deed] and not (deed == "accepted" and row["is_first_accepted"]):
            yield say(f"fact.thanks_{deed}", n=row[deed])


def titled(title: str, say: Words) -> str:
    """The title, or words for there being none."""
    return say.escape(title) or say("page.untitled")


def _claims(claims: Iterable[Claim], say: Words, zone: str) -> str:
    said = (say("fact.claim", who=c.who, until=say.moment(c.until, zone)) for c in claims)
    return " · ".join(said)


def _card(item: Item, say: Words, zone: str) -> Card:
    flagged = item.kind in ("sour", "toxic")
    reasons = tuple(reason_of(code, values, say) for code, values in item.reasons)
    return Card(
        ref=item.ref,
        title=titled(item.title, say),
        url=item.url,
        facts=tuple(_facts(item, say, zone)),
        state=() if flagged else reasons,
        strength=say("strength.signs", n=item.severity) if flagged else None,
        why=reasons if flagged else (),
        context=say("fact.before", text=item.context) if item.context else None,
        heat=_bars(item.curve, 1.0) if item.curve else None,
        heat_said=_heat_said(item, say) if item.curve else "",
        advice=_advice(item, say),
        quote=say.escape(item.sentence) if item.sentence else None,
        model=_model(item, say),
    )


def _heat_said(item: Item, say: Words) -> str:
    if item.turn is None:
        return say("fact.heat_before", n=len(item.curve))
    return say("fact.heat", n=len(item.curve), turn=item.turn)


def _facts(item: Item, say: Words, zone: str) -> list[str]:
    facts: list[str] = [_claims(item.claims, say, zone)] if item.claims else []
    facts.append(_age(item, say))
    if item.older_than_rate == 1:
        facts.append(say("fact.older_than_all"))
    elif item.older_than_rate is not None and item.older_than_rate >= _WORTH_TELLING:
        facts.append(say("fact.older_than", n=floor(100 * item.older_than_rate)))
    if item.channel:
        facts.append(say("fact.channel", channel=item.channel))
    if item.person:
        facts.append(
            say("fact.newcomer" if item.is_newcomer else "fact.person", person=item.person)
        )
    facts += _talk(item, say)
    if item.views:
        facts.append(say("fact.views", n=item.views))
    if item.is_private:
        facts.append(say("fact.private"))
    if item.confirmed_before:
        facts.append(say("fact.confirmed_before", n=item.confirmed_before))
    facts += [say(f"fact.also_{kind}") for kind in item.also]
    if item.again:
        facts.append(say("strength.again"))
    return facts


def _advice(item: Item, say: Words) -> str | None:
    """Neutral things to do about a warming thread, by its evidence; of a question, whom to ask."""
    if item.helpers:
        helpers = say("unit.comma").join(_helper(helper, say) for helper in item.helpers)
        return say("advice.ask", helpers=Said(helpers))
    kinds = item.keys[0].evidence if item.kind == "sour" else ()
    said = [say(f"advice.{kind}") for kind in ADVISED if kind in kinds][:2]
    return say("advice.could", what=Said(say("unit.semicolon").join(said))) if said else None


def _helper(helper: Mapping[str, Any], say: Words) -> str:
    if helper["answers"]:
        return say("advice.answered", person=helper["person"], n=helper["answers"])
    words = say("unit.comma").join(map(say.escape, helper["words"]))
    return say("advice.wrote", person=helper["person"], words=Said(words))


def _age(item: Item, say: Words) -> str:
    age = say.duration(item.age_h)
    if item.kind in ("newcomer_waiting", "unanswered"):
        if item.target_h is None or item.overdue is None:
            return say("fact.waiting", age=age)
        target = say.duration(item.target_h)
        if item.overdue < 1.5:
            return say("fact.waiting_target", age=age, target=target)
        return say("fact.overdue", age=age, target=target, times=round(item.overdue, 1))
    return say(f"fact.{_AGES[item.kind]}", age=age)


def _talk(item: Item, say: Words) -> list[str]:
    if item.kind in ("newcomer_waiting", "unanswered"):
        if any(code in _REPLY_STATES for code, _ in item.reasons):
            return []
        return [say("fact.replies", n=item.replies) if item.replies else say("fact.no_reply")]
    if item.kind == "answered" or not item.replies:
        return []
    return [say("fact.talk", n=item.replies, people=item.people)]


def reason_of(code: str, values: Mapping[str, Any], say: Words) -> str:
    """The sentence of a reason; its bare code where the catalogue has none."""
    key = f"reason.{code}"
    return say(key, **values) if say.can_say(key, values) else say("strength.unknown", code=code)


def _model(item: Item, say: Words) -> str | None:
    if item.model is None or item.score is None:
        return None
    return say("strength.model", model=item.model, version=item.model_version, score=item.score)


def _alarms(health: Health, say: Words, zone: str) -> tuple[str, ...]:
    stale = [
        say("health.stale", source=s["source"], why=s["why"], since=say.moment(s["since"], zone))
        if s["since"]
        else say("health.stale_tonight", source=s["source"], why=s["why"])
        for s in health.stale_sources
    ]
    return (*stale, *(say.escape(warning) for warning in health.warnings))


def _numbers(edition: Edition, say: Words) -> tuple[tuple[str, str], ...]:
    health = edition.health
    values = {
        "waiting": _waiting(health, say),
        "first_reply": _first_reply(health, say),
        "answered": f"{health.answered_yesterday:,}",
        "flagged": f"{health.flagged:,}",
        "coverage": None
        if health.coverage_rate is None
        else say("health.coverage_value", n=floor(100 * health.coverage_rate)),
        "unscored": say("health.unscored_value", n=health.unscored) if health.unscored else None,
        "as_of": say.moment(edition.as_of, edition.time_zone),
    }
    return tuple((say(f"health.{name}"), value) for name, value in values.items() if value)


def _waiting(health: Health, say: Words) -> str:
    if not health.newcomers_waiting:
        return f"{health.waiting:,}"
    return say("health.waiting_value", n=health.waiting, newcomers=health.newcomers_waiting)


def _first_reply(health: Health, say: Words) -> str:
    if health.p50_h is None:
        return say("health.first_reply_none")
    p50 = _within(say, health.p50_h, health.p50_low_h, health.p50_high_h)
    if health.p90_h is None:
        return say("health.first_reply_p50", p50=p50)
    p90 = _within(say, health.p90_h, health.p90_low_h, health.p90_high_h)
    return say("health.first_reply_value", p50=p50, p90=p90)


def _within(say: Words, hours: float, low: float | None, high: float | None) -> Said:
    """A duration with its interval, where both ends are known and are not said the same."""
    middle = say.duration(hours)
    if low is None or high is None:
        return middle
    ends = {"low": say.duration(low), "high": say.duration(high)}
    return middle if set(ends.values()) == {middle} else say("unit.within", middle=middle, **ends)


def _precision(health: Health, say: Words) -> tuple[str, ...]:
    lines = []
    for row in health.precision:
        numbers = {name: round(100 * row[name]) for name in ("low", "high")}
        lines.append(
            say(
                "health.precision",
                rule=row["rule"],
                agreed=row["agreed"],
                judged=row["judged"],
                **numbers,
            )
        )
        if row["is_shadow"]:
            lines.append(say("health.shadow", rule=row["rule"]))
    return tuple(lines)


def _trend(counts: tuple[int, ...]) -> str | None:
    """A sparkline of at least three nights; null below, and where nobody ever waited."""
    return _bars(counts, max(counts)) if len(counts) >= 3 and max(counts) else None


def _bars(values: Iterable[float], top: float) -> str:
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)
