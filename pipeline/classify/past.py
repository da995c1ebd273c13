"""The past as it stood: whole threads once, and how each looked on any night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.classify import chat
from pipeline.classify.answers import ThreadView
from pipeline.classify.judging import message
from pipeline.classify.message import Message, Score
from pipeline.statements import written
from pipeline.warehouse import each_row

if TYPE_CHECKING:
    import duckdb

Key = tuple[str, str]  # source, and a message or a thread in it
Scores = Mapping[Key, list[Score]]


@dataclass(frozen=True, slots=True)
class Said:
    """A message with what befell it later; times are null where it did not happen."""

    message: Message
    is_chat: bool
    channel_id: str | None
    deleted_at: datetime | None
    accepted_at: datetime | None
    thanks: tuple[tuple[str, datetime | None], ...]

    def then(self, moment: datetime) -> Message:
        """The message as it stood; its text is the one it has today."""
        thanked = frozenset(who for who, at in self.thanks if at is None or at <= moment)
        is_accepted = self.accepted_at is not None and self.accepted_at <= moment
        if (thanked, is_accepted) == (self.message.thanked_by, self.message.is_accepted):
            return self.message
        return replace(self.message, thanked_by=thanked, is_accepted=is_accepted)


@dataclass(frozen=True, slots=True)
class Report:
    """A member's report; `ended` is null while no moderator decided."""

    message_id: str
    reporter: str
    made: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class PastThread:
    """A thread through time; `solved_at` is null while it has no solution."""

    source: str
    thread_id: str
    said: tuple[Said, ...]
    reports: tuple[Report, ...]
    solved_at: datetime | None

    def is_solved(self, moment: datetime) -> bool:
        """Whether it had today's solution by then; one without a time counts as always there."""
        return self.solved_at is not None and self.solved_at <= moment

    def events(self) -> Iterator[datetime]:
        """When something happened that may change what is found."""
        for each in self.said:
            yield each.message.created_at
            yield from (at for at in (each.deleted_at, each.accepted_at) if at)
            yield from (at for _, at in each.thanks if at)
        for report in self.reports:
            yield report.made
            yield from [report.ended] if report.ended else []

    def then(self, moment: datetime, scores: Scores) -> ThreadView | None:
        """The thread as it stood; null where it had not begun or its beginning was deleted."""
        here = [
            each.then(moment)
            for each in self.said
            if each.message.created_at <= moment
            and (each.deleted_at is None or each.deleted_at > moment)
        ]
        if not here or not here[0].is_first:
            return None
        reporters: defaultdict[str, set[str]] = defaultdict(set)
        for report in self.reports:
            if report.made <= moment and (report.ended is None or report.ended > moment):
                reporters[report.message_id].add(report.reporter)
        keys = {m.message_id for m in here}
        return ThreadView(
            self.source,
            self.thread_id,
            here,
            {m.message_id: scores.get((m.source, m.message_id), []) for m in here},
            {key: len(who) for key, who in reporters.items() if key in keys},
        )


class Channels:
    """Flat channels through time."""

    def __init__(self, threads: list[PastThread]) -> None:
        said: defaultdict[tuple[str, str | None], list[Message]] = defaultdict(list)
        self._place: dict[Key, tuple[str, str | None]] = {}
        for thread in threads:
            first = thread.said[0]
            if first.is_chat and first.message.is_first:
                place = (thread.source, first.channel_id)
                said[place].append(first.message)
                self._place[thread.source, thread.thread_id] = place
        self._talks = {
            place: chat.Talk(sorted(messages, key=lambda m: (m.created_at, m.message_id)))
            for place, messages in said.items()
        }

    def heard(self, thread: PastThread, moment: datetime) -> chat.Heard | None:
        """`chat.Talk.heard` of a thread's question as the channel stood; null outside chat."""
        place = self._place.get((thread.source, thread.thread_id))
        question = thread.said[0].message
        if place is None or not question.is_human:
            return None
        return self._talks[place].heard(question.message_id, moment)


def threads(db: duckdb.DuckDBPyConnection, since: datetime) -> Iterator[PastThread]:
    """Threads of public places in which something was said since, or as long before as one is
    judged."""
    reports, solved = _reports(db), _solved(db)
    given = {"since": since.astimezone(UTC).replace(tzinfo=None)}
    for (source, thread_id), told in groupby(
        each_row(db, written("judgement/past"), given),
        key=lambda row: (row["source"], row["thread_id"]),
    ):
        said = tuple(map(_said, told))
        if said[0].message.is_first:
            made = (r for s in said for r in reports.get((source, s.message.message_id), ()))
            yield PastThread(source, thread_id, said, tuple(made), solved.get((source, thread_id)))


def _said(row: Mapping[str, Any]) -> Said:
    return Said(
        message(row),
        row["is_chat"],
        row["channel_id"],
        _utc(row["deleted_at"]),
        _utc(row["accepted_at"]),
        tuple((thanks["who"], _utc(thanks["at"])) for thanks in row["thanks"]),
    )


def _reports(db: duckdb.DuckDBPyConnection) -> dict[Key, list[Report]]:
    found: defaultdict[Key, list[Report]] = defaultdict(list)
    for source, message_id, reporter, made, ended, outcome in db.execute(
        "SELECT source, message_id, coalesce(reporter_id, report_id), created_at, resolved_at,"
        " outcome FROM marts.reports WHERE about = 'message' AND is_by_human AND NOT is_private"
    ).fetchall():
        end = made if outcome != "open" and ended is None else ended  # decided, nobody knows when
        report = Report(message_id, reporter, made.replace(tzinfo=UTC), _utc(end))
        found[source, message_id].append(report)
    return found


def _solved(db: duckdb.DuckDBPyConnection) -> dict[Key, datetime]:
    """(source, thread) -> when it was solved, 1970 where nobody knows."""
    found = db.execute(
        "SELECT source, thread_id, coalesce(solved_at, make_timestamp(0)) FROM marts.threads"
        " WHERE is_solved"
    ).fetchall()
    return {(source, thread_id): at.replace(tzinfo=UTC) for source, thread_id, at in found}


def _utc(at: datetime | None) -> datetime | None:
    return at and at.replace(tzinfo=UTC)
