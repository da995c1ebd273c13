"""What each night found, kept: `judgement.found` from tonight's `judgement.threads`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_SAME = " AND ".join(
    f"f.{column} IS NOT DISTINCT FROM t.{column}"
    for column in (
        "source",
        "thread_id",
        "kind",
        "text_hash",
        "level",
        "severity",
        "model",
        "model_version",
    )
)


def remember(db: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Carry on the rows of what the last night found and tonight does too, and add the rest. The
    caller has tonight's threads in the table `lively`, has noted tonight's build, and has a
    transaction.

    The same night again replaces what it said; a night of the past changes nothing, for what was
    found then was found by other rules.
    """
    tonight = as_of.astimezone(UTC).replace(tzinfo=None)
    [(newest, last)] = db.execute(
        "SELECT max(as_of), max(as_of) FILTER (as_of < ?) FROM raw.builds", [tonight]
    ).fetchall()
    if newest > tonight:
        return
    db.execute(
        "CREATE OR REPLACE TEMP TABLE found_tonight AS SELECT t.* FROM judgement.threads AS t"
        " SEMI JOIN lively AS c ON t.source = c.source AND t.thread_id = c.thread_id"
    )
    _unsay(db, tonight, last)
    db.execute(
        f"UPDATE judgement.found AS f SET last_found_at = $tonight FROM found_tonight AS t"
        f" WHERE {_SAME} AND f.last_found_at = $last",
        {"tonight": tonight, "last": last},
    )
    db.execute(
        "INSERT INTO judgement.found BY NAME SELECT source, thread_id, kind, text_hash, message_id,"
        " level, severity, model, model_version, $tonight AS first_found_at,"
        " $tonight AS last_found_at FROM found_tonight AS t ANTI JOIN"
        f" (FROM judgement.found WHERE last_found_at = $tonight) AS f ON {_SAME}",
        {"tonight": tonight},
    )


def _unsay(db: duckdb.DuckDBPyConnection, tonight: datetime, last: datetime | None) -> None:
    """Take back what was found earlier this same night and is found no more: it ended the night
    before."""
    gone = f"last_found_at = $tonight AND NOT EXISTS (FROM found_tonight AS t WHERE {_SAME})"
    db.execute(
        f"DELETE FROM judgement.found AS f WHERE first_found_at = $tonight AND {gone}",
        {"tonight": tonight},
    )
    db.execute(
        f"UPDATE judgement.found AS f SET last_found_at = $last WHERE {gone}",
        {"tonight": tonight, "last": last},
    )
