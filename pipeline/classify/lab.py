"""The lab: what judges and rules would have flagged on the nights of the past, and how right they
would have been by what moderators said since.

Each message is judged once, then the nights are walked: a thread is looked at again only on nights
before which something happened in it, with the messages, likes, accepted answers and reports there
were by then. A text is the one it has today. Caps of a digest are not applied. What was open
already on the night before the first is told apart: it is no news of any night.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from pipeline.classify.findings import Row, asks, findings
from pipeline.classify.judge import Judge
from pipeline.classify.judging import read_scores
from pipeline.classify.message import Label, Score
from pipeline.classify.past import Channels, Key, PastThread, Scores, threads
from pipeline.settings import Community
from pipeline.shadow import in_light
from pipeline.statements import value
from pipeline.warehouse import BATCH
from pipeline.wilson import wilson

if TYPE_CHECKING:
    import duckdb

_PROGRESS = logging.getLogger("hearth.progress")


@dataclass(frozen=True)
class Setup:
    """Who judges, and what counts.

    thresholds  label -> the score from which it counts, instead of the model's own
    shadow      rules ("kind/evidence") and models that count for nothing
    """

    judge: Judge
    thresholds: Mapping[Label, float] = field(default_factory=dict)
    shadow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Flag:
    """What would have been told, on the first night it would have been; `was_open` where that is
    the night before the first, or one before it."""

    night: date
    source: str
    thread_id: str
    kind: str
    message_id: str
    severity: int
    evidence: tuple[str, ...]
    sentence: str | None
    was_open: bool = False

    @property
    def item(self) -> tuple[str, str, str]:
        """What a verdict is about."""
        return self.source, self.thread_id, self.kind


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of some flags were news of a night, and how many were open before; how right all of
    them were: `judged` have a verdict, `agreed` a good one."""

    flags: int
    judged: int
    agreed: int
    open_before: int = 0

    @property
    def precision(self) -> str:
        """Agreed of judged in percent with Wilson's 95 % interval; empty without verdicts."""
        if not self.judged:
            return ""
        low, high = wilson(self.agreed, self.judged)
        share = self.agreed / self.judged
        return f"{share:.0%} ({100 * low:.0f} to {100 * high:.0f})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Two setups over the same nights. Verdicts: item -> whether most moderators agreed."""

    nights: int
    current: Sequence[Flag]
    tried: Sequence[Flag]
    verdicts: Mapping[tuple[str, str, str], bool]

    @property
    def adds(self) -> list[Flag]:
        """Flags that only the tried setup has."""
        had = {flag.item for flag in self.current}
        return [flag for flag in self.tried if flag.item not in had]

    @property
    def loses(self) -> list[Flag]:
        """Flags that only the current setup has."""
        kept = {flag.item for flag in self.tried}
        return [flag for flag in self.current if flag.item not in kept]

    @staticmethod
    def most_a_night(flags: Sequence[Flag]) -> int:
        """News of the fullest night."""
        return max(Counter(f.night for f in flags if not f.was_open).values(), default=0)

    def tally(self, flags: Collection[Flag]) -> Tally:
        """How many these flags are, and how right they were."""
        said = [self.verdicts[flag.item] for flag in flags if flag.item in self.verdicts]
        before = sum(flag.was_open for flag in flags)
        return Tally(len(flags) - before, len(said), sum(said), before)


def compare(
    db: duckdb.DuckDBPyConnection, community: Community, current: Setup, tried: Setup, nights: int
) -> Outcome:
    """Both setups over the last so many nights of this work file; fewer where it begins later."""
    moments = _moments(db, nights)
    if not moments:
        return Outcome(0, [], [], {})
    past = list(threads(db, moments[0]))
    nights_of = _Nights(
        moments,
        Channels(past),
        due_after=timedelta(hours=community.digest.overdue_h / 2),
        heat_lasts=_heat_lasts(db),
        is_waiting=_is_waiting(db),
    )
    judges = {setup.judge.version: setup.judge for setup in (current, tried)}
    judged = {version: _scores(db, past, judge) for version, judge in judges.items()}
    flags = [
        _flags(past, nights_of, _moved(judged[setup.judge.version], setup), setup.shadow, name)
        for name, setup in (("now", current), ("tried", tried))
    ]
    return Outcome(len(moments), flags[0], flags[1], _verdicts(db))


@dataclass(frozen=True, slots=True)
class _Nights:
    """The nights, oldest first; a question that waits (by its level, its rule and whether it is
    solved) may be told from `due_after` on, a sour or toxic message for as long as `heat_lasts`."""

    moments: Sequence[datetime]
    channels: Channels
    due_after: timedelta
    heat_lasts: timedelta
    is_waiting: Callable[[str, str, bool], bool]

    def due(self, thread: PastThread) -> datetime:
        """From when on its question may be told."""
        return thread.said[0].message.created_at + self.due_after

    def looks(self, events: Iterable[datetime]) -> Iterator[tuple[datetime, bool]]:
        """The nights on which there is something new to see, oldest first, and whether each is the
        night before the first: all that happened by then is seen on it."""
        moments = (self.moments[0] - timedelta(days=1), *self.moments)
        looked = {bisect_left(moments, at) for at in events}
        yield from ((moments[at], at == 0) for at in sorted(looked - {len(moments)}))


def _flags(
    past: Sequence[PastThread],
    nights: _Nights,
    scores: Scores,
    shadow: Collection[str],
    name: str,
) -> list[Flag]:
    found: list[Flag] = []
    for n, thread in enumerate(past, 1):
        found += _walk(thread, nights, scores, shadow)
        if n % BATCH == 0:
            _PROGRESS.info("%s: %d of %d threads walked, %d flags", name, n, len(past), len(found))
    return sorted(found, key=lambda flag: (flag.night, flag.item))


def _moments(db: duckdb.DuckDBPyConnection, nights: int) -> list[datetime]:
    """The last nights, a day apart, oldest first; none from before the first message."""
    row = db.execute(
        "SELECT (SELECT max(as_of) FROM raw.builds), (SELECT min(created_at) FROM marts.messages)"
    ).fetchone()
    last, first = row or (None, None)
    if last is None or first is None:
        return []
    known = (last.replace(tzinfo=UTC) - timedelta(days=n) for n in range(nights))
    return sorted(moment for moment in known if moment >= first.replace(tzinfo=UTC))


def _heat_lasts(db: duckdb.DuckDBPyConnection) -> timedelta:
    """As marts.digest_items has it: one macro says it for both."""
    lasts: timedelta = value(db, "SELECT heat_lasts()")
    return lasts


def _is_waiting(db: duckdb.DuckDBPyConnection) -> Callable[[str, str, bool], bool]:
    """The same; there are few answers, so each is asked for once."""

    @cache
    def answer(level: str, rule: str, is_solved: bool) -> bool:
        return bool(value(db, "SELECT is_waiting(?, ?, ?)", level, rule, is_solved))

    return answer


def _scores(db: duckdb.DuckDBPyConnection, past: Sequence[PastThread], judge: Judge) -> Scores:
    """Scores of every message by this judge: those the nights stored, others made here."""
    people = {
        (each.message.source, each.message.message_id): each.message
        for thread in past
        for each in thread.said
        if each.message.is_human and each.message.thread_id == thread.thread_id
    }
    stored = db.execute(
        "SELECT source, message_id, to_json(list(s ORDER BY label)) FROM judgement.scores AS s"
        " WHERE model_version = $version AND (source, message_id) IN"
        " (SELECT (unnest($sources), unnest($messages))) GROUP BY ALL",
        {
            "version": judge.version,
            "sources": [source for source, _ in people],
            "messages": [message_id for _, message_id in people],
        },
    ).fetchall()
    found: dict[Key, list[Score]] = {
        (source, message_id): read_scores(scores) for source, message_id, scores in stored
    }
    missing = [message for key, message in people.items() if key not in found]
    for start in range(0, len(missing), BATCH):
        for score in judge.score(missing[start : start + BATCH]):
            found.setdefault((score.source, score.message_id), []).append(score)
        _PROGRESS.info("%d of %d messages judged", start, len(missing))
    return found


def _moved(scores: Scores, setup: Setup) -> Scores:
    """The same with the thresholds of a setup."""
    if not setup.thresholds:
        return scores
    return {
        key: [
            replace(score, threshold=setup.thresholds.get(score.label, score.threshold))
            for score in those
        ]
        for key, those in scores.items()
    }


def _walk(
    thread: PastThread, nights: _Nights, scores: Scores, shadow: Collection[str]
) -> Iterator[Flag]:
    """Flags of one thread, each on the first night that has it."""
    told: set[str] = set()
    for moment, was_open in nights.looks((*thread.events(), nights.due(thread))):
        view = thread.then(moment, scores)
        if view is None:
            continue
        begun = {m.message_id: m.created_at for m in view.messages}
        heard = nights.channels.heard(thread, moment) if asks(view) else None
        for row in findings(view, moment, heard):
            given = row["kind"], row["evidence"], row["reasons"], row["model"]
            evidence = tuple(in_light(*given, shadow))
            if row["kind"] in told or not evidence:
                continue
            if not _is_told(row, thread, moment, begun, nights):
                continue
            told.add(row["kind"])
            yield Flag(
                moment.date(),
                thread.source,
                thread.thread_id,
                row["kind"],
                row["message_id"],
                len(evidence),
                evidence,
                row["sentence"],
                was_open,
            )


def _is_told(
    row: Row,
    thread: PastThread,
    moment: datetime,
    begun: Mapping[str, datetime],
    nights: _Nights,
) -> bool:
    """As marts.digest_items has it, but that newcomers' questions are due as late as others'."""
    if row["kind"] == "question":
        is_solved = thread.is_solved(moment)
        is_waiting = nights.is_waiting(row["level"], row["rule"], is_solved)
        return is_waiting and moment >= nights.due(thread)
    return moment - begun[row["message_id"]] <= nights.heat_lasts


def _verdicts(db: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], bool]:
    """Item -> whether most moderators agreed; a draw says nothing."""
    found = db.execute(
        "SELECT source, thread_id, finding, count_if(choice = 'agree'),"
        " count_if(choice = 'disagree') FROM marts.verdicts WHERE is_last GROUP BY ALL"
    ).fetchall()
    return {
        (source, thread_id, finding): agreed > disagreed
        for source, thread_id, finding, agreed, disagreed in found
        if agreed != disagreed
    }
