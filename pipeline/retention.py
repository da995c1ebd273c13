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
from pipeline.statements import run
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb


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
    with transaction(db):
        days = {"days": community.keep_text_days}
        [(count,)] = run(db, "retention/let_go", days).fetchall()
    return int(count)
