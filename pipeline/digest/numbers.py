"""Tonight's items and numbers, as the work file has them."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline import warehouse
from pipeline.contracts import contracts
from pipeline.digest.edition import Health
from pipeline.statements import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb


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
    last = value(
        db,
        "SELECT make_timestamp(max(started_at)) FROM raw.reads"
        " WHERE source = ? AND ? IN (stream, '') AND unavailable IS NULL",
        source,
        stream,
    )
    return {**place, "since": last and last.replace(tzinfo=UTC)}
