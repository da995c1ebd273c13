"""What moderators said of items, and what follows from it. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from pipeline.digest.edition import Claim, ItemId, ItemKey
from pipeline.wilson import wilson

Choice = Literal["agree", "disagree", "unsure", "handled", "snooze", "claim"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
REACTIONS: Mapping[str, Choice] = {  # Rocket.Chat's names of the emoji under each item
    "white_check_mark": "agree",
    "x": "disagree",
    "thinking": "unsure",
    "wrench": "handled",
    "zzz": "snooze",
    "raising_hand": "claim",
}
SNOOZE_DAYS = 3
CLAIM_HOURS = 24
_QUOTE = re.compile(r"\[quote\b.*?(?:\[/quote\]|\Z)", re.IGNORECASE | re.DOTALL)
_REPLY = re.compile(rf"\b([0-9a-hjkmnp-tv-z]{{7}})`?[\s:,]+({'|'.join(CHOICES)})\b", re.IGNORECASE)
_CLOSING = ("agree", "disagree", "handled")
_TRAILING = timedelta(days=30)
_ENOUGH = 20  # judged items, below which a rule is not demoted
_FLOOR = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """One person's choice on one item, as it stood when it was made.

    until  the first night on which a snoozed item may come back; null for other choices
    model  name and version of what had flagged the item; empty for a rule
    via    the source whose account `who` is; empty for a name given to `hearth verdict`
    """

    keys: tuple[ItemKey, ...]
    who: str
    choice: Choice
    at: datetime
    until: date | None = None
    model: str = ""
    via: str = ""

    @property
    def item(self) -> ItemId:
        """The item judged, whatever evidence it had."""
        return self.keys[0].item


@dataclass(frozen=True, slots=True)
class Precision:
    """How often moderators agreed with a rule in the 30 days up to their last word on it.

    rule       its name, see `pipeline.shadow`
    low, high  Wilson's 95 % interval of agreed / judged
    is_shadow  judged often enough and wrong too often: it goes on watching, and tells nobody
    """

    rule: str
    agreed: int
    judged: int
    low: float
    high: float
    is_shadow: bool


def from_reactions(
    posted: Mapping[str, tuple[tuple[ItemKey, ...], date]],
    reactions: Iterable[tuple[str, str, str, str]],
) -> list[Verdict]:
    """Verdicts given by emoji under the items of a chat digest, as the reactions stand now.

    They carry no time, so each counts from the night its item was told, a claim from the end of
    that day. Other emoji say nothing.

    posted     see Ledger.posted
    reactions  (message id, emoji, account, source)
    """
    from pipeline.sources.rocketchat.posting import fold

    found = []
    for message, emoji, account, source in reactions:
        choice = REACTIONS.get(fold(emoji).strip(":"))
        if choice is None or message not in posted:
            continue
        keys, night = posted[message]
        at = datetime.combine(night, time(), UTC)
        if choice == "claim":
            at += timedelta(days=1)  # the hour is unknown: count from the end of the day
        verdict = Verdict(keys, account, choice, at, via=source)
        found.append(snoozed(verdict, night) if choice == "snooze" else verdict)
    return found


def from_replies(
    keys_of: Callable[[str], tuple[ItemKey, ...]],
    replies: Iterable[tuple[str, str, datetime]],
    source: str,
    time_zone: str,
) -> list[Verdict]:
    """Verdicts in what readers wrote under a digest: a reference and a choice side by side, such as
    "zmp6zan agree". What is quoted and unknown references say nothing.

    keys_of    see Ledger.keys_of
    replies    (account, Markdown, when), all of one source
    time_zone  of the community, whose days a snooze counts
    """
    found = []
    for account, text, at in replies:
        unquoted = _QUOTE.sub("", text).splitlines()
        own = "\n".join(line for line in unquoted if not line.lstrip().startswith(">"))
        for ref, choice in _REPLY.findall(own):
            keys = keys_of(ref.lower())
            if keys:
                verdict = Verdict(keys, account, cast(Choice, choice.lower()), at, via=source)
                day = at.astimezone(ZoneInfo(time_zone)).date()
                found.append(snoozed(verdict, day) if verdict.choice == "snooze" else verdict)
    return found


def snoozed(verdict: Verdict, night: date, days: int = SNOOZE_DAYS) -> Verdict:
    """The verdict as a snooze from this night on."""
    return replace(verdict, choice="snooze", until=night + timedelta(days=days))


def closed(verdicts: Iterable[Verdict], night: date) -> set[ItemKey]:
    """Keys that readers need not see tonight: judged, handled, or asleep until later."""
    return {
        key
        for verdict in _latest(verdicts)
        if verdict.choice in _CLOSING or (verdict.until is not None and night < verdict.until)
        for key in verdict.keys
    }


def woken(told: Mapping[ItemKey, date], verdicts: Iterable[Verdict], night: date) -> set[ItemKey]:
    """Keys told before a snooze that has ended since: they are news once more."""
    ends = {v.item: v.until for v in _latest(verdicts) if v.until is not None and v.until <= night}
    return {key for key, last in told.items() if key.item in ends and last < ends[key.item]}


def claims(verdicts: Iterable[Verdict], now: datetime) -> dict[ItemId, tuple[Claim, ...]]:
    """Item -> who looks after it now, first to end first. A claim ends by itself, and sooner where
    the same person says of the item what they think."""
    last: dict[tuple[ItemId, str], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.at):
        last.update({(key.item, verdict.who): verdict for key in verdict.keys})
    found: defaultdict[ItemId, list[Claim]] = defaultdict(list)
    for (item, who), verdict in last.items():
        until = verdict.at + timedelta(hours=CLAIM_HOURS)
        if verdict.choice == "claim" and now < until:
            found[item].append(Claim(who, until))
    return {
        item: tuple(sorted(held, key=lambda claim: (claim.until, claim.who)))
        for item, held in found.items()
    }


def precision(
    verdicts: Iterable[Verdict], now: datetime, trusted: Mapping[str, date] | None = None
) -> list[Precision]:
    """Precision of every rule that was judged, by name, over the 30 days up to the last verdict on
    it: a rule in the shadow is told no more, so it gets no new ones, and stays there. Others leave
    the list 30 days after their last verdict. One item is one vote: what most moderators said of
    it; a draw, and any other choice, is no vote.

    trusted  rule name -> the day from which verdicts count against it: how an operator gives it
             another chance
    """
    votes: defaultdict[ItemId, int] = defaultdict(int)
    last: dict[ItemId, Verdict] = {}
    for verdict in _latest(verdicts):
        if verdict.choice in ("agree", "disagree"):
            votes[verdict.item] += 1 if verdict.choice == "agree" else -1
            last[verdict.item] = verdict
    tally: defaultdict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for item, vote in votes.items():
        for rule in last[item].keys[0].rules:
            since = (trusted or {}).get(rule, date.min)
            if vote and last[item].at.date() >= since:
                tally[rule].append((last[item].at, vote > 0))
    found = [(max(said)[0], _precision(rule, said)) for rule, said in sorted(tally.items())]
    return [rule for at, rule in found if rule.is_shadow or now - at <= _TRAILING]


def _precision(rule: str, dated: list[tuple[datetime, bool]]) -> Precision:
    last = max(dated)[0]
    said = [agreed for at, agreed in dated if last - at <= _TRAILING]
    agreed, judged = sum(said), len(said)
    is_shadow = judged >= _ENOUGH and agreed / judged < _FLOOR
    return Precision(rule, agreed, judged, *wilson(agreed, judged), is_shadow)


def _latest(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Each person's last choice on each item. A claim says nothing of the item, so it replaces
    no choice."""
    last: dict[tuple[ItemId, str], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.at):
        if verdict.choice != "claim":
            last[verdict.item, verdict.who] = verdict
    return list(last.values())
