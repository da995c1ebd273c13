"""What members wrote is let go when its thread has been quiet for as long as texts are kept.

Everything typed from it stays: who, when, where, in answer to what, how long. So does what was
judged, without the sentences it showed. Every number is made of these, so none changes. What cannot
be done without the text any more: judge it anew, show it, learn from it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline import build
from pipeline.settings import Community
from pipeline.statements import value
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb

_UNTYPED = ["revisions"]  # hold texts too, and go by their own age


def let_go(db: duckdb.DuckDBPyConnection, community: Community, as_of: datetime) -> int:
    """Take the texts of threads that were quiet at the last build out of `raw.records`, and their
    sentences out of judgement; returns how many records lost theirs. Nothing where the settings
    keep texts for ever.

    Comes before a build, which types these records without their texts. One that a source sends
    again, changed or not, loses its text again before it is typed.
    """
    if community.keep_text_days is None:
        return 0
    build.set_scene(db, community, as_of)
    limit = f"as_of() - INTERVAL {community.keep_text_days} DAYS"
    db.execute(
        "CREATE OR REPLACE TEMP TABLE quiet AS SELECT source, thread_id FROM staging.messages"
        f" GROUP BY ALL HAVING max(created_at) < {limit}"
    )
    db.execute(
        "CREATE OR REPLACE TEMP TABLE leaving AS"
        " SELECT m.source, m.record FROM staging.messages AS m"
        " JOIN quiet AS q ON m.source = q.source AND m.thread_id = q.thread_id"
        f" UNION SELECT source, record FROM staging.reports WHERE created_at < {limit}"
        " UNION SELECT source, stream || '/' || key FROM raw.records"
        f' WHERE stream IN ? AND make_timestamp(coalesce("at", first_seen_at)) < {limit}',
        [_UNTYPED],
    )
    with transaction(db):
        count: int = value(
            db,
            "UPDATE raw.records AS r SET payload = without_text(r.stream, r.payload),"
            " load = (SELECT max(load) + 1 FROM raw.records) FROM leaving AS l"
            " WHERE r.source = l.source AND r.stream || '/' || r.key = l.record"
            " AND without_text(r.stream, r.payload) <> r.payload"
            " AND (r.payload ->> 'let_go') IS NULL",
        )
        db.execute(
            "UPDATE judgement.scores AS s SET sentence = NULL"
            " FROM staging.messages AS m JOIN quiet AS q"
            " ON m.source = q.source AND m.thread_id = q.thread_id"
            " WHERE s.source = m.source AND s.message_id = m.message_id AND sentence IS NOT NULL"
        )
        db.execute(
            "UPDATE judgement.threads AS t SET sentence = NULL, context = NULL FROM quiet AS q"
            " WHERE t.source = q.source AND t.thread_id = q.thread_id"
            " AND coalesce(sentence, context) IS NOT NULL"
        )
    return count
