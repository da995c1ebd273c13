"""Tonight's judgements: messages whose text or judge changed, then the threads they stand in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.classify import chat
from pipeline.classify.answers import ThreadView
from pipeline.classify.community import in_use
from pipeline.classify.findings import findings
from pipeline.classify.helpers import Asked, Suggestion
from pipeline.classify.judge import Judge
from pipeline.classify.message import Message, Reason, Score
from pipeline.settings import Community
from pipeline.transaction import transaction
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb

BATCH = 2_000
SETTLED = "INTERVAL 30 MINUTES"  # a text that young is often mended; it is judged the night after


def judge(db: duckdb.DuckDBPyConnection, community: Community, as_of: datetime) -> dict[str, int]:
    """Bring the tables of judgement up to date, as of a moment (aware datetime).

    A message is judged again only when its text, its title or the judge's version changed;
    threads with a message of the last 90 days are judged each night. Returns how many messages
    were judged and how many threads are sour or toxic.
    """
    judging = Judge(community.languages, own=in_use(community.home))
    scored = _score(db, judging, as_of)
    db.execute("CREATE OR REPLACE TEMP TABLE lively AS FROM marts.conversations")
    in_channel = dict(_in_channel(db))
    asked = Asked(community.unnamed)
    found = []
    for thread in _threads(db):
        likely = in_channel.get((thread.source, thread.thread_id))
        new = list(findings(thread, as_of, likely))
        asked.add(thread, new)
        found += [{**row, "model_version": judging.version} for row in new]
    _replace(db, "threads", found)
    _replace(db, "helpers", map(_helper_row, asked.suggestions(as_of)))
    flagged = {f["thread_id"] for f in found if f["kind"] != "question"}
    return {"scored": scored, "flagged": len(flagged)}


def _score(db: duckdb.DuckDBPyConnection, judging: Judge, as_of: datetime) -> int:
    """Judge what has no score by this judge on this text; returns how many messages.

    Scores that are out of date go first, so a night that is killed goes on where it stopped.
    """
    db.execute(
        "CREATE OR REPLACE TEMP TABLE unjudged AS SELECT s.source, s.message_id, s.body_hash"
        " FROM marts.statements AS s WHERE s.is_human AND s.deleted_at IS NULL AND NOT EXISTS ("
        " FROM judgement.scores AS j WHERE j.source = s.source AND j.message_id = s.message_id"
        " AND j.body_hash = s.body_hash AND j.model_version = $version)",
        {"version": judging.version},
    )
    db.execute(
        "DELETE FROM judgement.scores AS j USING unjudged AS u"
        " WHERE j.source = u.source AND j.message_id = u.message_id"
    )
    reading = db.cursor()
    reading.execute(
        "SELECT s.* FROM marts.statements AS s WHERE s.is_human AND s.deleted_at IS NULL"
        f" AND s.settled_at <= ?::TIMESTAMP - {SETTLED} AND NOT EXISTS ("
        " FROM judgement.scores AS j WHERE j.source = s.source AND j.message_id = s.message_id)",
        [as_of.astimezone(UTC).replace(tzinfo=None)],
    )
    scored = 0
    for batch in batches(reading):
        hashes = {(row["source"], row["message_id"]): row["body_hash"] for row in batch}
        insert(
            db,
            "judgement.scores",
            [
                {**asdict(score), "body_hash": hashes[score.source, score.message_id]}
                for score in judging.score(message(row) for row in batch)
            ],
        )
        scored += len(batch)
    return scored


def _in_channel(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[tuple[str, str], float]]:
    """(source, thread) of each question in a chat room -> how likely it was answered there."""
    said = rows(
        db,
        "FROM lively WHERE is_first AND is_chat"
        " ORDER BY source, channel_id, created_at, message_id",
    )
    for (source, _), told in groupby(said, key=lambda row: (row["source"], row["channel_id"])):
        channel, asked = [], []
        for row in told:
            channel.append(message(row))
            if any(s.label == "question" and s.is_flagged for s in read_scores(row["scores"])):
                asked.append(channel[-1])
        talk = chat.Talk(channel)
        for opening in asked:
            yield (source, opening.thread_id), talk.answered(opening.message_id)


def _threads(db: duckdb.DuckDBPyConnection) -> Iterator[ThreadView]:
    """Threads with a message of the last 90 days, as they stand: their own messages, and in flat
    channels those that answer them from outside (marts.links)."""
    reports = _reports(db)
    for (source, thread_id), those in groupby(
        rows(db, "FROM lively ORDER BY source, thread_id, created_at, message_id"),
        key=lambda row: (row["source"], row["thread_id"]),
    ):
        told = list(those)
        if told[0]["is_first"]:
            scores = {row["message_id"]: read_scores(row["scores"]) for row in told}
            here = {key: reports[source, key] for key in scores if (source, key) in reports}
            yield ThreadView(source, thread_id, [message(row) for row in told], scores, here)


def _reports(db: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """(source, message) -> members whose report of it no moderator has decided yet."""
    found = db.execute(
        "SELECT source, message_id, count(DISTINCT coalesce(reporter_id, report_id))"
        " FROM marts.reports WHERE about = 'message' AND is_by_human AND NOT is_private"
        " AND outcome = 'open' GROUP BY ALL"
    ).fetchall()
    return {(source, message_id): members for source, message_id, members in found}


def read_scores(scores: str) -> list[Score]:
    """Scores of one message from a list of rows of judgement.scores."""
    found = []
    for score in json.loads(scores):
        del score["body_hash"]
        score["reasons"] = tuple(Reason(r["code"], r["values"]) for r in score["reasons"])
        found.append(Score(**score))
    return found


def message(row: Mapping[str, Any]) -> Message:
    """A row of marts.statements or marts.conversations as the judge takes it; people go by their
    pseudonyms. What answers a thread from outside is its own thread."""
    return Message(
        source=row["source"],
        thread_id=row["thread_id"] if row.get("is_inside", True) else row["message_id"],
        message_id=row["message_id"],
        account_id=row["person_id"],
        created_at=row["created_at"].replace(tzinfo=UTC),
        body=row["body"],
        form=row["form"],
        is_human=row["is_human"],
        is_first=row["is_first"],
        title=row["title"],
        channel=row["channel"],
        reply_to=row["reply_to"],
        username=row["username"],
        thanked_by=frozenset(row["thanked_by"]),
        is_accepted=row["is_accepted"],
    )


def rows(
    db: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of a query by column name, as they come."""
    for batch in batches(db.execute(sql, given or {})):
        yield from batch


def batches(found: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, Any]]]:
    """Rows of an open query, BATCH at a time."""
    names = [name for name, *_ in found.description or ()]
    while rows := found.fetchmany(BATCH):
        yield [dict(zip(names, row, strict=True)) for row in rows]


def _helper_row(suggestion: Suggestion) -> dict[str, Any]:
    at = suggestion.last_active_at.astimezone(UTC).replace(tzinfo=None)
    return asdict(suggestion) | {"last_active_at": at.isoformat()}


def _replace(db: duckdb.DuckDBPyConnection, table: str, found: Iterable[Mapping[str, Any]]) -> None:
    """Put these in the place of all that was found in lively threads. What was found in others
    stays: it still says which of them asked something."""
    with transaction(db):
        db.execute(
            f"DELETE FROM judgement.{table} AS t USING lively AS c"
            " WHERE t.source = c.source AND t.thread_id = c.thread_id"
        )
        insert(db, f"judgement.{table}", found)
