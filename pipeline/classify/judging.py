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
from pipeline.statements import SQL, run, written
from pipeline.transaction import transaction
from pipeline.warehouse import batches, each_row, insert

if TYPE_CHECKING:
    import duckdb


def judge(db: duckdb.DuckDBPyConnection, community: Community, as_of: datetime) -> dict[str, int]:
    """Bring the tables of judgement up to date, as of a moment (aware datetime).

    A message is judged again only when its text, its title or the judge's version changed; a
    thread with a message of the last 90 days when something in its conversation did, or the code
    that judges. Who might know is asked anew of all of them. Returns how many messages were judged
    and how many of these threads are sour or toxic.
    """
    judging = Judge(community.languages, own=in_use(community.home))
    scored = _score(db, judging, as_of)
    run(db, "judgement/recent")
    _find_changed(db, f"{judging.version} {_code()}", as_of)
    in_channel = dict(_in_channel(db))
    found = []
    for thread in _threads(db):
        rows = findings(thread, as_of, in_channel.get((thread.source, thread.thread_id)))
        found += [{**row, "model_version": judging.version} for row in rows]
    _keep(db, found)
    with transaction(db):
        remember(db, as_of)
    with transaction(db):
        run(db, "judgement/drop_helpers")
        insert(db, "judgement.helpers", map(_helper_row, _helpers(db, community.unnamed, as_of)))
    [(flagged,)] = run(db, "judgement/flagged").fetchall()
    return {"scored": scored, "flagged": flagged}


def _score(db: duckdb.DuckDBPyConnection, judging: Judge, as_of: datetime) -> int:
    """Judge what has no score by this judge on this text; returns how many messages."""
    given = {"version": judging.version, "as_of": _plain(as_of)}
    reading = run(db.cursor(), "judgement/unjudged", given)
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


def _find_changed(db: duckdb.DuckDBPyConnection, judged_by: str, as_of: datetime) -> None:
    """Make the table `changed`: conversations of which something changed since they were judged
    last; and `reported`."""
    given = {
        "judged_by": judged_by,
        "as_of": _plain(as_of),
        "stale_days": STALE_DAYS,
        "before": chat.WINDOW,
        "after": chat.AHEAD,
    }
    run(db, "judgement/changed", given)


@cache
def _code() -> str:
    """Changes with all that a finding depends on besides the conversation and the models."""
    folder = Path(__file__).parent
    code = [text.__file__, *folder.rglob("*.py"), *folder.rglob("*.toml")]
    files = [*code, *(SQL / "judgement").glob("*.sql")]
    digest = hashlib.sha256(fingerprint().encode())
    for file in sorted(map(str, files)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


def _keep(db: duckdb.DuckDBPyConnection, found: Iterable[Mapping[str, Any]]) -> None:
    """Put these in the place of all that was found in the conversations that changed."""
    with transaction(db):
        run(db, "judgement/drop_changed")
        insert(db, "judgement.threads", found)
        run(db, "judgement/note_changed")


def _in_channel(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[tuple[str, str], chat.Heard]]:
    """(source, thread) of each changed question in a chat room -> what its room says of it. What
    was said before it is left out where a moderator should rather see it as flagged."""
    said = each_row(db, written("judgement/channels"))
    for (source, _), told in groupby(said, key=lambda row: (row["source"], row["channel_id"])):
        channel, asked, scores = [], [], {}
        for row in told:
            channel.append(message(row))
            scores[row["message_id"]] = row["scores"]
            if row["is_changed"] and "question" in _flagged(row["scores"]):
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
    """The changed threads as they stand, with what answers them from outside (marts.links)."""
    reports = {
        (source, message_id): members
        for source, message_id, members in db.execute("FROM reported").fetchall()
    }
    for (source, thread_id), those in groupby(
        each_row(db, written("judgement/changed_threads")),
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
    """Who might know, by all that recent conversations asked and who helped there. The newest
    questions get first choice of helpers, because old ones have been told before."""
    names = {"never": [name.lower() for name in never]}
    seen = run(db, "judgement/last_active", names).fetchall()
    last_active = {(source, person): at.replace(tzinfo=UTC) for source, person, at in seen}
    waiting, helped = [], []
    for row in each_row(db, written("judgement/questions")):
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
    return asdict(suggestion) | {"last_active_at": _plain(suggestion.last_active_at).isoformat()}


def _plain(at: datetime) -> datetime:
    """UTC without a zone, as DuckDB's TIMESTAMP wants it."""
    return at.astimezone(UTC).replace(tzinfo=None)
