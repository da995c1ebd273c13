"""Tonight's items and numbers, as the work file has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from pipeline import warehouse
from pipeline.contracts import contracts
from pipeline.digest.edition import Health, ItemId, finding_of
from pipeline.digest.forum import answers
from pipeline.digest.ledger import Ledger
from pipeline.digest.review import outcomes
from pipeline.digest.verdicts import (
    ERASED,
    LISTENING,
    Heard,
    Precision,
    Verdict,
    Verdicts,
    from_reactions,
    from_replies,
    precision,
)
from pipeline.settings import Community

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    import duckdb

    Writer = Callable[[str], Any]


def items(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of marts.digest_items as `select` takes them: aware times, reasons as a list."""
    columns = ", ".join(contracts()["marts.digest_items"].columns)
    rows = warehouse.rows(
        db, f"SELECT {columns} FROM marts.digest_items ORDER BY source, thread_id, kind"
    )
    for row in rows:
        row["created_at"] = row["created_at"].replace(tzinfo=UTC)
        row["reasons"] = json.loads(row["reasons"])
        row["who_might_know"] = json.loads(row["who_might_know"] or "[]")
    return rows


def health(
    db: duckdb.DuckDBPyConnection, stale: Iterable[Mapping[str, Any]], warnings: Iterable[str]
) -> Health:
    """The numbers on the foot, with what is stale and which contracts only warned."""
    (row,) = warehouse.rows(db, "SELECT * EXCLUDE (as_of, questions, flagged) FROM marts.health")
    thanks = warehouse.rows(
        db,
        "SELECT * EXCLUDE (person_id) FROM marts.thanks"
        " ORDER BY is_first_accepted DESC, newcomers DESC, accepted DESC, liked DESC, person",
    )
    return Health(
        **row | {"waiting_before": tuple(row["waiting_before"])},
        stale_sources=tuple(_since(db, place) for place in stale),
        warnings=tuple(warnings),
        thanks=tuple(thanks),
    )


def _since(db: duckdb.DuckDBPyConnection, place: Mapping[str, Any]) -> dict[str, Any]:
    """The stale source, or stream of a source, with the time of its last good read."""
    source, _, stream = place["source"].partition("/")
    row = db.execute(
        "SELECT make_timestamp(max(started_at)) FROM raw.reads"
        " WHERE source = ? AND ? IN (stream, '') AND unavailable IS NULL",
        [source, stream],
    ).fetchone()
    last = row[0] if row else None
    return {**place, "since": last and last.replace(tzinfo=UTC)}


def verdicts(
    db: duckdb.DuckDBPyConnection, community: Community, ledger: Ledger, writer: Writer, day: date
) -> list[Verdict]:
    """All that moderators said: by `hearth verdict`, by emoji in chat, by replies in the forum,
    in its review queue. What was heard of the latter three is written down."""
    heard = from_reactions(ledger.posted(), _reactions(db, community, ledger, writer, day))
    for name, audience in community.digest.audiences.items():
        if audience.discourse:
            source = audience.discourse.partition("/")[0]
            replies = answers(writer(source), community.name, name, day)
            heard += from_replies(ledger.keys_of, replies, source)
    now = datetime.combine(day, time(), UTC)
    heard += outcomes(db, community, ledger.reported(), now)
    return Verdicts.of(community).read() + Heard.of(community).replace(heard, now)


def known_verdicts(community: Community) -> list[Verdict]:
    """All that is written down of what moderators said; nobody is asked."""
    return Verdicts.of(community).read() + Heard.of(community).read()


def rules(community: Community, now: datetime) -> list[Precision]:
    """How often moderators agreed with each rule, by what is written down."""
    return precision(known_verdicts(community), now, community.judgement.trusted)


def store_verdicts(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Fill `judgement.verdicts` anew from what is written down; of emoji and replies that is what
    the last digest heard."""
    rows = [
        {
            **{name: getattr(key, name) for name in ("source", "thread_id", "kind", "text_hash")},
            "evidence": key.evidence,
            "via": verdict.via,
            "account": None if verdict.who == ERASED else verdict.who,
            "choice": verdict.choice,
            "said_at": verdict.at.astimezone(UTC).replace(tzinfo=None).isoformat(),
            "until_day": verdict.until and verdict.until.isoformat(),
            "model": verdict.model,
        }
        for verdict in known_verdicts(community)
        for key in verdict.keys
    ]
    db.execute("DELETE FROM judgement.verdicts")
    warehouse.insert(db, "judgement.verdicts", rows)


def store_told(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Fill `judgement.told` anew from the ledger: what anybody was told of, and in which night.
    News that a question was answered is no finding."""
    first: dict[ItemId, date] = {}
    for (source, thread_id, kind, text_hash), night in Ledger.of(community).first_nights().items():
        if kind != "answered":
            item = (source, thread_id, finding_of(kind), text_hash)
            first[item] = min(night, first.get(item, night))
    names = ("source", "thread_id", "finding", "text_hash")
    rows = [
        dict(zip(names, item, strict=True)) | {"told_on": night.isoformat()}
        for item, night in first.items()
    ]
    db.execute("DELETE FROM judgement.told")
    warehouse.insert(db, "judgement.told", rows)


def _reactions(
    db: duckdb.DuckDBPyConnection, community: Community, ledger: Ledger, writer: Writer, day: date
) -> list[tuple[str, str, str, str]]:
    """(message id, emoji, account, source) under items told in chat. A moderators' room is mostly
    private and not among what the night reads, so recent items of it are asked for one by one,
    each where it was posted."""
    posted = list(ledger.posted())
    found = db.execute(
        "SELECT message_id, emoji, coalesce(account_id, username), source FROM staging.reactions"
        " WHERE removed_at IS NULL AND message_id IN (SELECT unnest(?::VARCHAR[]))",
        [posted],
    ).fetchall()
    read = db.execute(
        "SELECT message_id FROM staging.messages WHERE message_id IN (SELECT unnest(?::VARCHAR[]))",
        [posted],
    ).fetchall()
    held = {message for (message,) in read}
    rooms = {
        a.rocketchat.partition("/")[0] for a in community.digest.audiences.values() if a.rocketchat
    }
    recent = {
        message: source
        for message, source in ledger.posted_since(day - LISTENING).items()
        if message not in held
    }
    for room in sorted(rooms):
        asked = [message for message, source in recent.items() if source in {room, None}]
        if asked:
            said_of = writer(room).said_of
            found += [(message, *said, room) for message in asked for said in said_of(message)]
    return found
