"""Say how a night ended, to whom it concerns, and report on weeks and months."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline import settings
from pipeline.errors import Degraded, HearthError
from pipeline.journal import Journal
from pipeline.tonight import (
    Night,
    home_of,
    in_journal,
    journal_of,
    run_folder,
    stale_places,
)


@in_journal
def write_reports(night: Night) -> dict[str, Any]:
    """Write the evaluation report of a week or month that has ended, and mail it once to those who
    asked for it. What cannot be printed or sent is noted as trouble and holds nothing up; the next
    night sends what a mail server did not take."""
    from pipeline import report

    home = home_of(night)
    journal = journal_of(home, night)
    written: list[str] = []
    for period in report.ended(home):
        try:
            if not report.is_written(home, period):
                files = report.write(home, period, home.report.languages, pdf=home.report.pdf)
                written += [file.name for file in files]
                journal.done("report", f"{period.name}: {home.home / 'reports' / files[0].name}")
            report.send(home, period, datetime.now(UTC))
        except HearthError as error:
            journal.trouble("report", str(error))
    return {"written": written}


@in_journal
def conclude(night: Night) -> dict[str, Any]:
    """Whether the night was whole. Raises Degraded where a source or stream stayed stale: what was
    good is published all the same, and what is stale is named."""
    home = home_of(night)
    stale = [place["source"] for place in stale_places(home, night)]
    if stale:
        raise Degraded(
            f"{night['run']}: published, but stale: {', '.join(stale)}; see "
            f"{run_folder(home, night) / 'journal.jsonl'} for what each source said"
        )
    journal_of(home, night).done("night", "whole")
    return {"run": night["run"]}


def wrap_up(community: str) -> str:
    """Write the operations page, tell other programs, and mail the operators of a night that was
    not whole; the last step, however the night went. Returns how the newest run ended."""
    from pipeline import notice, status, telemetry

    home = settings.load().community(community)
    now = datetime.now(UTC)
    state = status.write_page(home, now)
    runs = state["runs"]
    if not runs:
        return "unfinished"
    journal = Journal(home.home / "runs" / runs[0]["run"] / "journal.jsonl")
    for what, told in (
        ("telemetry", lambda: telemetry.tell(home, state)),
        ("notice", lambda: notice.tell_operators(home, runs[0], now)),
    ):
        try:
            told()
        except HearthError as error:
            journal.trouble(what, str(error))
    return str(runs[0]["state"])


def watch(community: str, hours: float = 26) -> str:
    """One sentence on the last published night. Raises Degraded where it is older than that."""
    from pipeline import status

    return status.check(settings.load().community(community), datetime.now(UTC), hours)


def tell_failure(community: str, what: str, why: str) -> bool:
    """Mail the operators that something between the nights failed; whether a mail went."""
    from pipeline import notice

    return notice.tell_failure(settings.load().community(community), what, why, datetime.now(UTC))
