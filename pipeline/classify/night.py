"""Tonight's judgements: messages whose text or judge changed, then conversations that changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import text
from pipeline.build import fingerprint
from pipeline.classify import chat
from pipeline.classify.answers import STALE_DAYS, ThreadView
from pipeline.classify.community import in_use
from pipeline.classify.findings import findings
from pipeline.classify.helpers import Suggestion, question, who_might_know
from pipeline.classify.judge import Judge
from pipeline.classify.memory import remember
from pipeline.classify.message import Message, Reason, Score
from pipeline.settings import Community
from pipeline.statements import value
from pipeline.transaction import transaction
from pipeline.warehouse import batches, each_row, insert

if TYPE_CHECKING:
    import duckdb

SETTLED = "INTERVAL 30 MINUTES"  # a text that young is often mended; it is judged the night after


def judge(db: duckdb.DuckDBPyConnection, community: Community, as_of: datetime) -> dict[str, int]:
    """Bring the tables of judgement up to date, as of a moment (aware datetime).

    A message is judged again only when its text, its title or the judge's version changed; a
    thread with a message of the last 90 days when something in its conversation did, or the code
    that judges. Who might know is asked anew of all of them. Returns how many messages were judged
    and how many of these threads are sour or toxic.
    """
    judging = Judge(community.languages, own=in_use(community.home))
    scored = _score(db, judging, as_of)
    # Whose first message has let its text go cannot be judged: what was found in it stays
    db.execute(
        "CREATE OR REPLACE TEMP TABLE lively AS FROM marts.conversations"
        " QUALIFY bool_or(is_first) OVER (PARTITION BY source, thread_id)"
    )
    _stir(db, f"{judging.version} {_code()}", as_of)
    in_channel = dict(_in_channel(db))
    found = []
    for thread in _threads(db):
        rows = findings(thread, as_of, in_channel.get((thread.source, thread.thread_id)))
        found += [{**row, "model_version": judging.version} for row in rows]
    _keep(db, found)
    with transaction(db):
        remember(db, as_of)
    with transaction(db):
        db.execute(
            "DELETE FROM judgement.helpers AS h USING lively AS l"
            " WHERE h.source = l.source AND h.thread_id = l.thread_id"
        )
        insert(db, "judgement.helpers", map(_helper_row, _helpers(db, community.unnamed, as_of)))
    flagged = value(
        db,
        "SELECT count(DISTINCT (t.source, t.thread_id)) FROM judgement.threads AS t"
        " SEMI JOIN lively AS l ON t.source = l.source AND t.thread_id = l.thread_id"
        " WHERE t.kind <> 'question'",
    )
    return {"scored": scored, "flagged": flagged}


def _score(db: duckdb.DuckDBPyConnection, judging: Judge, as_of: datetime) -> int:
    """Judge what has no score by this judge on this text; returns how many messages.

    Scores that are out of date go first, so a night that is killed goes on where it stopped. So do
    those of messages that turned out to be a bot's.
    """
    db.execute(
        "DELETE FROM judgement.scores AS j USING marts.messages AS m"
        " WHERE j.source = m.source AND j.message_id = m.message_id AND NOT m.is_human"
    )
    reading = db.cursor()
    reading.execute(  # a step of its own: DuckDB would hold both joins in memory at once
        "CREATE OR REPLACE TEMP TABLE said AS SELECT source, message_id, body_hash"
        " FROM marts.wordings WHERE is_human AND deleted_at IS NULL"
    )
    reading.execute(
        "CREATE OR REPLACE TEMP TABLE unjudged AS SELECT s.source, s.message_id FROM said AS s"
        " WHERE NOT EXISTS (FROM judgement.scores AS j"
        " WHERE j.source = s.source AND j.message_id = s.message_id"
        " AND j.body_hash = s.body_hash AND j.model_version = $version)",
        {"version": judging.version},
    )
    reading.execute(
        "DELETE FROM judgement.scores AS j USING unjudged AS u"
        " WHERE j.source = u.source AND j.message_id = u.message_id"
    )
    reading.execute(
        "SELECT w.* FROM marts.wordings AS w"
        " SEMI JOIN unjudged AS u ON w.source = u.source AND w.message_id = u.message_id"
        f" WHERE w.settled_at <= ?::TIMESTAMP - {SETTLED}",
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


_STIRRED = f"""
CREATE OR REPLACE TEMP TABLE stirred AS
WITH said AS (
    SELECT
        l.source, l.thread_id, bit_xor(hash(l, r.members)) AS content,
        max(l.created_at) FILTER (l.is_human) <= $as_of - INTERVAL {STALE_DAYS} DAYS AS is_stale
    FROM lively AS l
    LEFT JOIN reported AS r ON l.source = r.source AND l.message_id = r.message_id
    GROUP BY ALL
),
around AS (
    SELECT
        source, thread_id, message_id, bit_xor(hash(l)) OVER (
            PARTITION BY source, channel_id ORDER BY created_at, message_id
            ROWS BETWEEN {chat.WINDOW} PRECEDING AND {chat.AHEAD} FOLLOWING
        ) AS content
    FROM lively AS l
    WHERE is_first AND is_chat
),
asked AS (
    SELECT a.source, a.thread_id, a.content
    FROM around AS a
    SEMI JOIN judgement.scores AS j
        ON a.source = j.source AND a.message_id = j.message_id
        AND j.label = 'question' AND j.score >= j.threshold
),
now AS (
    SELECT s.source, s.thread_id,
        hash(s.content, s.is_stale, a.content, $judged_by)::VARCHAR AS fingerprint
    FROM said AS s
    LEFT JOIN asked AS a ON s.source = a.source AND s.thread_id = a.thread_id
)
FROM now
ANTI JOIN judgement.conversations AS c
    ON now.source = c.source AND now.thread_id = c.thread_id AND now.fingerprint = c.fingerprint
"""


def _stir(db: duckdb.DuckDBPyConnection, judged_by: str, as_of: datetime) -> None:
    """Make `stirred`: conversations of which something changed since they were judged last. The
    clock counts once, when nobody returned for a week. Of a question in a flat channel what was
    said around it counts too; not that a name became known which was called long before."""
    db.execute(
        "CREATE OR REPLACE TEMP TABLE reported AS"
        " SELECT source, message_id, count(DISTINCT coalesce(reporter_id, report_id)) AS members"
        " FROM marts.reports WHERE about = 'message' AND is_by_human AND NOT is_private"
        " AND outcome = 'open' GROUP BY ALL"
    )
    moment = as_of.astimezone(UTC).replace(tzinfo=None)
    db.execute(_STIRRED, {"judged_by": judged_by, "as_of": moment})


@cache
def _code() -> str:
    """Changes with all that a finding depends on besides the conversation and the models."""
    folder = Path(__file__).parent
    files = [text.__file__, *folder.rglob("*.py"), *folder.rglob("*.toml")]
    digest = hashlib.sha256(fingerprint().encode())
    for file in sorted(map(str, files)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


def _keep(db: duckdb.DuckDBPyConnection, found: Iterable[Mapping[str, Any]]) -> None:
    """Put these in the place of all that was found in the stirred conversations. What was found in
    those that are lively no more stays: it still says which of them asked something."""
    with transaction(db):
        for table in ("threads", "conversations"):
            db.execute(
                f"DELETE FROM judgement.{table} AS t USING stirred AS s"
                " WHERE t.source = s.source AND t.thread_id = s.thread_id"
            )
        insert(db, "judgement.threads", found)
        db.execute("INSERT INTO judgement.conversations BY NAME FROM stirred")
        db.execute(
            "DELETE FROM judgement.conversations AS c WHERE NOT EXISTS ("
            " FROM lively AS l WHERE l.source = c.source AND l.thread_id = c.thread_id)"
        )


def _in_channel(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[tuple[str, str], chat.Heard]]:
    """(source, thread) of each stirred question in a chat room -> what its room says of it. What
    was said before it is left out where a moderator should rather see it as flagged."""
    said = each_row(
        db,
        "WITH first AS (SELECT l.*, s.thread_id IS NOT NULL AS is_stirred FROM lively AS l"
        " LEFT JOIN stirred AS s ON l.source = s.source AND l.thread_id = s.thread_id"
        " WHERE l.is_first AND l.is_chat)"
        " FROM first QUALIFY bool_or(is_stirred) OVER (PARTITION BY source, channel_id)"
        " ORDER BY source, channel_id, created_at, message_id",
    )
    for (source, _), told in groupby(said, key=lambda row: (row["source"], row["channel_id"])):
        channel, asked, scores = [], [], {}
        for row in told:
            channel.append(message(row))
            scores[row["message_id"]] = row["scores"]
            if row["is_stirred"] and "question" in _flagged(row["scores"]):
                asked.append(channel[-1])
        if asked:
            talk = chat.Talk(channel)
            for opening in asked:
                heard = talk.heard(opening.message_id)
                before = talk.before(opening.message_id)
                if before and not _flagged(scores[before.message_id]) - {"question"}:
                    heard = heard._replace(before=before)
                yield (source, opening.thread_id), heard


def _flagged(scores: str) -> set[str]:
    """Labels that a message was given."""
    return {score.label for score in read_scores(scores) if score.is_flagged}


def _threads(db: duckdb.DuckDBPyConnection) -> Iterator[ThreadView]:
    """Stirred threads as they stand: their own messages, and in flat channels those that answer
    them from outside (marts.links)."""
    reports = {
        (source, message_id): members
        for source, message_id, members in db.execute("FROM reported").fetchall()
    }
    for (source, thread_id), those in groupby(
        each_row(
            db,
            "FROM lively AS l"
            " SEMI JOIN stirred AS s ON l.source = s.source AND l.thread_id = s.thread_id"
            " ORDER BY source, thread_id, created_at, message_id",
        ),
        key=lambda row: (row["source"], row["thread_id"]),
    ):
        told = list(those)
        if told[0]["is_first"]:
            scores = {row["message_id"]: read_scores(row["scores"]) for row in told}
            here = {key: reports[source, key] for key in scores if (source, key) in reports}
            yield ThreadView(source, thread_id, [message(row) for row in told], scores, here)


def _helpers(
    db: duckdb.DuckDBPyConnection, never: Collection[str], as_of: datetime
) -> Iterator[Suggestion]:
    """Who might know, by all that lively conversations asked and who helped there; the newest
    questions choose first, for old ones have been told before."""
    seen = db.execute(
        "SELECT source, person_id, max(created_at) FROM lively WHERE is_human"
        " AND person_id IS NOT NULL AND NOT list_contains(?, lower(coalesce(username, '')))"
        " GROUP BY ALL",
        [[name.lower() for name in never]],
    ).fetchall()
    last_active = {(source, person): at.replace(tzinfo=UTC) for source, person, at in seen}
    waiting, helped = [], []
    for row in each_row(
        db,
        "SELECT f.*, is_waiting(j.level, j.rule, t.is_solved) AS is_waiting, a.person_id AS helper"
        " FROM judgement.threads AS j"
        " JOIN marts.threads AS t ON j.source = t.source AND j.thread_id = t.thread_id"
        " JOIN lively AS f ON j.source = f.source AND j.thread_id = f.thread_id AND f.is_first"
        " LEFT JOIN lively AS a ON j.source = a.source AND j.thread_id = a.thread_id"
        " AND j.answer_id = a.message_id"
        " WHERE j.kind = 'question' ORDER BY f.created_at DESC, f.thread_id DESC, f.source",
    ):
        asked = question(message(row), row["helper"])
        if row["is_waiting"]:
            waiting.append(asked)
        elif asked.helper not in (None, asked.asker):
            helped.append(asked)
    return who_might_know(waiting, helped, last_active, as_of)


def read_scores(scores: str) -> list[Score]:
    """Scores of one message from a list of rows of judgement.scores."""
    found = []
    for score in json.loads(scores):
        del score["body_hash"]
        score["reasons"] = tuple(Reason(r["code"], r["values"]) for r in score["reasons"])
        found.append(Score(**score))
    return found


def message(row: Mapping[str, Any]) -> Message:
    """A row of marts.wordings (it tells nothing of what surrounds a message) or of
    marts.conversations as the judge takes it; people go by their pseudonyms. What answers a thread
    from outside is its own thread."""
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
        is_notice=row.get("is_notice", False),
        title=row["title"],
        channel=row.get("channel"),
        reply_to=row.get("reply_to"),
        username=row.get("username"),
        thanked_by=frozenset(row.get("thanked_by", ())),
        is_accepted=row.get("is_accepted", False),
    )


def _helper_row(suggestion: Suggestion) -> dict[str, Any]:
    at = suggestion.last_active_at.astimezone(UTC).replace(tzinfo=None)
    return asdict(suggestion) | {"last_active_at": at.isoformat()}
