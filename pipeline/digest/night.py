"""Tonight's items and numbers, as the work file has them."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline.digest.edition import Health
from pipeline.digest.forum import answers
from pipeline.digest.ledger import Ledger
from pipeline.digest.verdicts import Verdict, Verdicts, from_reactions, from_replies
from pipeline.settings import Community

REMEMBERED_DAYS = 7  # how long moderators' emoji under an item are waited for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    import duckdb

    Writer = Callable[[str], Any]


def items(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of marts.digest_items as `select` takes them: aware times, reasons as a list."""
    rows = _rows(db, "FROM marts.digest_items ORDER BY source, thread_id, kind")
    for row in rows:
        row["created_at"] = row["created_at"].replace(tzinfo=UTC)
        row["reasons"] = json.loads(row["reasons"])
    return rows


def health(
    db: duckdb.DuckDBPyConnection, stale: Iterable[Mapping[str, Any]], warnings: Iterable[str]
) -> Health:
    """The numbers on the foot, with what is stale and which contracts only warned."""
    (row,) = _rows(
        db,
        "SELECT waiting, newcomers_waiting, answered_yesterday, p50_h, p90_h, flagged, unscored"
        " FROM marts.health",
    )
    return Health(**row, stale_sources=tuple(stale), warnings=tuple(warnings))


def verdicts(
    db: duckdb.DuckDBPyConnection, community: Community, ledger: Ledger, writer: Writer, day: date
) -> list[Verdict]:
    """All that moderators said: by `hearth verdict`, by emoji in chat, by replies in the forum."""
    said = Verdicts(community.home / "digests" / "verdicts.jsonl").read()
    said += from_reactions(ledger.posted(), _reactions(db, community, ledger, writer, day))
    for name, audience in community.digest.audiences.items():
        if audience.discourse:
            client = writer(audience.discourse.partition("/")[0])
            said += from_replies(ledger.keys_of, answers(client, community.name, name, day))
    return said


def _reactions(
    db: duckdb.DuckDBPyConnection, community: Community, ledger: Ledger, writer: Writer, day: date
) -> list[tuple[str, str, str]]:
    """(message id, emoji, account) under items told in chat. A moderators' room is mostly private
    and not among what the night reads, so recent items of such a room are asked for one by one."""
    found = db.execute(
        "SELECT message_id, emoji, coalesce(account_id, username) FROM staging.reactions"
        " WHERE removed_at IS NULL"
    ).fetchall()
    held = {row[0] for row in db.execute("SELECT message_id FROM staging.messages").fetchall()}
    rooms = {
        a.rocketchat.partition("/")[0] for a in community.digest.audiences.values() if a.rocketchat
    }
    recent = [
        message
        for message, (_, told) in ledger.posted().items()
        if message not in held and (day - told).days <= REMEMBERED_DAYS
    ]
    for chat in map(writer, sorted(rooms)) if recent else ():
        found += [(message, *said) for message in recent for said in chat.said_of(message)]
    return found


def _rows(db: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = db.execute(sql)
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
