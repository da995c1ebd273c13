"""Tonight's judgements: messages whose text or judge changed, then the threads they stand in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline.classify.judge import Judge
from pipeline.classify.message import Message, Score
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb

BATCH = 2_000


def judge(db: duckdb.DuckDBPyConnection, languages: Iterable[str]) -> dict[str, int]:
    """Bring judgement.scores and judgement.threads up to date.

    A message is judged again only when its text, its title or the judge's version changed.
    Returns how many messages were judged and how many threads have a finding.
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
    return {"scored": scored, "flagged": 0}


def _unjudged(db: duckdb.DuckDBPyConnection, version: str) -> list[tuple[Message, str]]:
    found = db.execute(
        "SELECT s.* FROM marts.statements AS s WHERE s.is_human AND NOT EXISTS ("
        " FROM judgement.scores AS j WHERE j.source = s.source AND j.message_id = s.message_id"
        " AND j.body_hash = s.body_hash AND j.model_version = ?)"
        " ORDER BY s.source, s.message_id LIMIT ?",
        [version, BATCH],
    )
    names = [name for name, *_ in found.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in found.fetchall())
    return [(message(row), row["body_hash"]) for row in rows]


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
