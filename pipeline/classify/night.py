"""Tonight's judgements: messages whose text or judge changed, then the threads they stand in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.classify.answers import ThreadView, Verdict, unanswered
from pipeline.classify.heat import Heat, heat
from pipeline.classify.judge import Judge
from pipeline.classify.message import Message, Reason, Score
from pipeline.text import text_hash
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb

BATCH = 2_000


def judge(
    db: duckdb.DuckDBPyConnection, languages: Iterable[str], as_of: datetime
) -> dict[str, int]:
    """Bring judgement.scores and judgement.threads up to date, as of a moment (aware datetime).

    A message is judged again only when its text, its title or the judge's version changed;
    threads with a message of the last 90 days are judged each night. Returns how many messages
    were judged and how many threads are sour or toxic.
    """
    judging = Judge(tuple(languages))
    scored = 0
    while batch := _unjudged(db, judging.version):
        hashes = {(m.source, m.message_id): body_hash for m, body_hash in batch}
        rows = [
            _score_row(score, hashes[score.source, score.message_id])
            for score in judging.score(message for message, _ in batch)
        ]
        _replace(db, rows, hashes)
        scored += len(batch)
    findings = list(_findings(db, judging, as_of))
    _replace_findings(db, findings)
    flagged = {f["thread_id"] for f in findings if f["kind"] != "question"}
    return {"scored": scored, "flagged": len(flagged)}


def _unjudged(db: duckdb.DuckDBPyConnection, version: str) -> list[tuple[Message, str]]:
    found = db.execute(
        "SELECT s.* FROM marts.statements AS s WHERE s.is_human AND NOT EXISTS ("
        " FROM judgement.scores AS j WHERE j.source = s.source AND j.message_id = s.message_id"
        " AND j.body_hash = s.body_hash AND j.model_version = ?)"
        " ORDER BY s.source, s.message_id LIMIT ?",
        [version, BATCH],
    )
    return [(message(row), row["body_hash"]) for row in _dicts(found)]


def _rows(db: duckdb.DuckDBPyConnection, sql: str) -> Iterator[dict[str, Any]]:
    return _dicts(db.execute(sql))


def _dicts(found: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    names = [name for name, *_ in found.description or ()]
    while rows := found.fetchmany(BATCH):
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def _findings(
    db: duckdb.DuckDBPyConnection, judging: Judge, as_of: datetime
) -> Iterator[dict[str, Any]]:
    """Rows of judgement.threads."""
    for thread in _threads(db):
        found = {
            "source": thread.source,
            "thread_id": thread.thread_id,
            "model_version": judging.version,
        }
        first = thread.messages[0]
        asked = _score(thread, first, "question")
        if asked and asked.is_flagged:
            yield {**found, **_question(thread, asked, unanswered(thread, as_of))}
        worst = _worst(thread)
        if worst:
            yield {**found, **_toxic(worst)}
        heated = heat(thread)
        if heated.is_warming and heated.turn:
            yield {**found, **_sour(thread, heated)}


def _question(thread: ThreadView, asked: Score, verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": "question",
        "level": verdict.level,
        "message_id": thread.messages[0].message_id,
        "score": asked.score,
        "severity": 1,
        "evidence": ["asks"],
        "reasons": [*map(_told, (*verdict.reasons, *asked.reasons))],
        "sentence": asked.sentence,
        "text_hash": asked.text_hash,
        "model": asked.model,
    }


def _toxic(worst: Score) -> dict[str, Any]:
    return {
        "kind": "toxic",
        "message_id": worst.message_id,
        "score": worst.score,
        "severity": 1,
        "evidence": ["alert"],
        "reasons": [*map(_told, worst.reasons)],
        "sentence": worst.sentence,
        "text_hash": worst.text_hash,
        "model": worst.model,
    }


def _sour(thread: ThreadView, heated: Heat) -> dict[str, Any]:
    """The message where the tone changed stands for the thread, and what was said there."""
    turn = next(m for m in thread.messages if m.message_id == heated.turn)
    there = _score(thread, turn, "uncivil")
    return {
        "kind": "sour",
        "message_id": turn.message_id,
        "score": heated.score,
        "severity": heated.severity,
        "evidence": sorted(heated.kinds),
        "reasons": [*map(_told, heated.reasons)],
        "sentence": there.sentence if there else None,
        "text_hash": text_hash(turn.body),
        "model": "heat",
    }


def _told(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, **reason.values}


def _worst(thread: ThreadView) -> Score | None:
    """The strictest alert of a thread; null without one."""
    alerts = [
        score
        for scores in thread.scores.values()
        for score in scores
        if score.label == "strict" and score.is_flagged
    ]
    return max(alerts, key=lambda score: (score.score or 0, score.message_id), default=None)


def _score(thread: ThreadView, message: Message, label: str) -> Score | None:
    found = (s for s in thread.scores.get(message.message_id, ()) if s.label == label)
    return next(found, None)


def _threads(db: duckdb.DuckDBPyConnection) -> Iterator[ThreadView]:
    """Threads with a message of the last 90 days, as they stand: their own messages, and in flat
    channels those that answer them from outside (marts.links)."""
    for (source, thread_id), rows in groupby(
        _rows(db, "FROM marts.conversations ORDER BY source, thread_id, created_at, message_id"),
        key=lambda row: (row["source"], row["thread_id"]),
    ):
        told = list(rows)
        if told[0]["is_first"]:
            scores = {row["message_id"]: _read(row["scores"]) for row in told}
            yield ThreadView(source, thread_id, [message(row) for row in told], scores)


def _read(scores: str) -> list[Score]:
    found = []
    for score in json.loads(scores):
        del score["body_hash"]
        score["reasons"] = tuple(Reason(r["code"], r["values"]) for r in score["reasons"])
        found.append(Score(**score))
    return found


def message(row: dict[str, Any]) -> Message:
    """A row of marts.statements as the judge takes it; people go by their pseudonyms."""
    return Message(
        source=row["source"],
        thread_id=row["thread_id"],
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


def _score_row(score: Score, body_hash: str) -> dict[str, Any]:
    return {**asdict(score), "body_hash": body_hash}


def _replace(
    db: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], judged: Iterable[tuple[str, str]]
) -> None:
    """Put these scores in the place of all that was said of these messages."""
    db.begin()
    try:
        db.execute("CREATE OR REPLACE TEMP TABLE judged (source VARCHAR, message_id VARCHAR)")
        insert(db, "judged", [{"source": source, "message_id": key} for source, key in judged])
        db.execute(
            "DELETE FROM judgement.scores USING judged WHERE scores.source = judged.source"
            " AND scores.message_id = judged.message_id"
        )
        insert(db, "judgement.scores", rows)
        db.commit()
    except BaseException:
        db.rollback()
        raise


def _replace_findings(db: duckdb.DuckDBPyConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put these in the place of all that was found in lively threads. What was found in others
    stays: it still says which of them asked something."""
    db.begin()
    try:
        db.execute(
            "DELETE FROM judgement.threads AS t USING marts.conversations AS c"
            " WHERE t.source = c.source AND t.thread_id = c.thread_id"
        )
        insert(db, "judgement.threads", rows)
        db.commit()
    except BaseException:
        db.rollback()
        raise
