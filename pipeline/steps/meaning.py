"""Build, judge, check and publish what was read."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import ContractBroken, HearthError
from pipeline.files import write_whole
from pipeline.settings import Community
from pipeline.storage import landing_of
from pipeline.tonight import (
    Night,
    home_of,
    in_journal,
    journal_of,
    moment_of,
    rows_last_published,
    run_folder,
)

if TYPE_CHECKING:
    import duckdb

_SHORT = (
    "landing/ holds what was fetched in the last {days} days (`keep_landing_days`); older "
    "things are missing until the next night reads them again, for good where the source lost them"
)
_FORGOTTEN = (
    "the old work file could not be read ({why}): what each night found (marts.finding_nights) is "
    "known from now on"
)


@in_journal
def build(night: Night, *, judged: bool = False) -> dict[str, Any]:
    """Let go of texts that are kept no longer, type what changed and build the marts, as of the
    night's moment. What reads judgements is built by `score`, which follows; where `judged`, here
    too, of the judgements held."""
    from pipeline import retention, warehouse

    home = home_of(night)
    with warehouse.opened(home) as db:
        let_go = retention.let_go(db, home, moment_of(night["as_of"]))
        counts = _derive(db, home, night, judged=judged)
    if let_go:
        journal_of(home, night).done("retention", f"{let_go:,} texts let go")
    told = ", ".join(f"{n:,} messages of {source}" for source, n in sorted(counts.items()))
    journal_of(home, night).done("build", told or "nothing yet")
    return counts


def _derive(
    db: duckdb.DuckDBPyConnection, home: Community, night: Night, **how: bool
) -> dict[str, int]:
    """Build with what moderators said and were told by now; returns messages by source."""
    from pipeline import build as building
    from pipeline.digest.heard import store_told, store_verdicts

    store_verdicts(db, home)
    store_told(db, home)
    building.build(db, home, moment_of(night["as_of"]), **how)
    return dict(
        db.execute("SELECT source, count(*) FROM staging.messages GROUP BY source").fetchall()
    )


def rebuild(night: Night, *, from_landing: bool = False) -> dict[str, Any]:
    """Derive all that is built or judged anew, as of the night's moment, without the network.

    `from_landing` also makes the work file anew from what was landed, and from the old one, kept
    beside it until the next time, what cannot be derived again."""
    import duckdb

    from pipeline import load as loading
    from pipeline import warehouse

    home = home_of(night)
    aside = warehouse.set_aside(home) if from_landing else None
    with warehouse.opened(home) as db:
        if aside:
            try:
                warehouse.carry_over(db, aside)
            except duckdb.Error as error:
                journal_of(home, night).trouble(
                    "rebuild", _FORGOTTEN.format(why=type(error).__name__)
                )
            loading.load(db, landing_of(home))
            if home.keep_landing_days is not None:
                journal_of(home, night).trouble(
                    "rebuild", _SHORT.format(days=home.keep_landing_days)
                )
        counts = _derive(db, home, night, whole=True, judged=False)
    score(night)
    return counts


@in_journal
def score(night: Night) -> dict[str, Any]:
    """Judge messages whose text or whose judge changed, and build what reads the judgements."""
    from pipeline import build as building
    from pipeline import warehouse
    from pipeline.classify import judging

    home = home_of(night)
    with warehouse.opened(home) as db:
        building.set_scene(db, home, moment_of(night["as_of"]))
        counts = judging.judge(db, home, moment_of(night["as_of"]))
        building.build_judged(db)
    journal_of(home, night).done(
        "score", f"{counts['scored']:,} judged anew, {counts['flagged']} threads flagged"
    )
    return counts


@in_journal
def validate(night: Night) -> dict[str, Any]:
    """Hold the work file against its contracts. Raises ContractBroken for a critical rule."""
    from pipeline import validate as validating

    home = home_of(night)
    docs = home.home / "docs" / night["run"]
    found = validating.validate(home.work_file, docs, rows_last_published(home))
    said = {
        "checked": found.checked,
        "broken": [asdict(broken) for broken in found.broken],
        "rows": found.rows,
    }
    write_whole(run_folder(home, night) / "validation.json", json.dumps(said).encode())
    journal = journal_of(home, night)
    for broken in found.broken:
        journal.trouble(
            broken.table,
            f"{broken.rule} ({broken.severity}): {broken.says} Rows that break it: {broken.rows}.",
        )
    if found.critical:
        first = found.critical[0]
        raise ContractBroken(
            f"{len(found.critical)} critical rule(s) broken, first {first.table}/{first.rule}: "
            f"{first.says} Nothing was published; see {found.docs}"
        )
    journal.done(
        "validate", f"{found.checked:,} promises, {len(found.broken)} warnings; see {found.docs}"
    )
    return {"checked": found.checked, "warnings": len(found.broken), "docs": str(found.docs)}


@in_journal
def publish(night: Night) -> dict[str, Any]:
    """Write tonight's files and flip the links; then tell the watchdog, if one is set."""
    from pipeline import notice, status, warehouse
    from pipeline import publish as publishing

    home = home_of(night)
    with warehouse.opened(home) as db:
        manifest = publishing.publish(db, home, night["run"], moment_of(night["as_of"]))
    file = home.home / "published" / "current.duckdb"
    status.mark_published(home, datetime.now(UTC))
    try:
        notice.ping(home)
    except HearthError as error:
        journal_of(home, night).trouble("ping", str(error))
    journal_of(home, night).done("publish", f"{file} -> {manifest.community.name}")
    return {"file": str(file), "rows": manifest.community.rows}
