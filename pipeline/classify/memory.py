"""What each night found, kept: `judgement.found` from tonight's `judgement.threads`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.statements import run

if TYPE_CHECKING:
    import duckdb


def remember(db: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Carry on the rows of what the last night found and tonight does too, and add the rest. The
    caller has tonight's threads in the table `recent`, has noted tonight's build, and has a
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
    run(db, "judgement/remember", {"tonight": tonight, "last": last})
