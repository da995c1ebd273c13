"""Tell people of a night, hear what they say of it, and say how it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline import settings
from pipeline.errors import Degraded, FixSettings, HearthError
from pipeline.journal import Journal
from pipeline.tonight import (
    Night,
    home_of,
    in_journal,
    journal_of,
    moment_of,
    run_folder,
    stale_places,
    warnings,
)


@in_journal
def digest(night: Night) -> dict[str, Any]:
    """Write and send each audience's digest of this night, once: a rerun sends nothing again.

    A channel in trouble keeps no other waiting; its items come another night."""
    from zoneinfo import ZoneInfo

    from pipeline import warehouse
    from pipeline.digest import night as tonight
    from pipeline.digest.ledger import Ledger
    from pipeline.digest.tell import Teller
    from pipeline.sources import open_source

    home, journal = home_of(night), journal_of(night)
    moment = moment_of(night["as_of"])
    day = moment.astimezone(ZoneInfo(home.time_zone)).date()
    folder = home.home / "digests"
    ledger = Ledger(folder / "ledger.jsonl")

    def writer(source: str) -> Any:
        return open_source(home, source).writer

    with warehouse.opened(home) as db:
        rows = tonight.items(db)
        health = tonight.health(db, stale_places(home, night), warnings(home, night))
        verdicts = tonight.verdicts(db, home, ledger, writer, day)
    teller = Teller(home, ledger, folder, datetime.now(UTC), writer)
    sent = list(teller.tell(rows, health, verdicts, as_of=moment, night=day))
    for told in sent:
        step = f"digest/{told.audience}/{told.channel}"
        if told.trouble:
            journal.trouble(step, told.trouble)
        else:
            journal.done(step, f"{told.items} items; {told.where}")
    return {"sent": [told.channel for told in sent if not told.trouble]}


def give_verdict(
    ref: str, choice: str, who: str, community: str | None = None, days: int | None = None
) -> int:
    """Note what a person says of an item of a digest, by its reference; returns how many findings
    it is about. Raises FixSettings for a reference or choice nobody knows."""
    from pipeline.digest.ledger import Ledger
    from pipeline.digest.verdicts import CHOICES, SNOOZE_DAYS, Verdict, Verdicts, snoozed

    home = settings.load(secrets=False).community(community)
    keys = Ledger(home.home / "digests" / "ledger.jsonl").keys_of(ref.lower())
    if not keys:
        raise FixSettings(f"no digest of {home.name} had an item {ref!r}; each shows its own")
    if choice not in CHOICES:
        raise FixSettings(f"{choice!r} is no verdict; it is one of {', '.join(CHOICES)}")
    now = datetime.now(UTC)
    verdict = Verdict(keys, who, choice, now)
    if choice == "snooze":
        verdict = snoozed(verdict, now.date(), days or SNOOZE_DAYS)
    Verdicts(home.home / "digests" / "verdicts.jsonl").add(verdict)
    return len(keys)


@in_journal
def evaluate(night: Night) -> dict[str, Any]:
    """Write the evaluation report of a week or month that has ended, and mail it to those who asked
    for it, once. A mail server in trouble is told of and keeps nothing else waiting."""
    from pipeline import report as evaluation

    home, journal = home_of(night), journal_of(night)
    written: list[str] = []
    for period in evaluation.due(home):
        files = evaluation.write(home, period, home.report.languages, pdf=home.report.pdf)
        written += [file.name for file in files]
        journal.done("report", f"{period.name}: {home.home / 'reports' / files[0].name}")
        try:
            evaluation.send(home, period, datetime.now(UTC))
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
    journal_of(night).done("night", "whole")
    return {"run": night["run"]}


def report(community: str) -> str:
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
