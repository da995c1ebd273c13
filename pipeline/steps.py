"""The verbs of a night: plan, extract, load, build, validate, score, publish, digest, conclude.

Each takes and returns plain data (it travels between processes), may run twice, and writes only
below the community's home. Heavy libraries are imported where they are used: this module is quick
to import, for the scheduler reads it again and again.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import housekeeping, landing, redact, settings
from pipeline.errors import ContractBroken, Degraded, FixSettings, HearthError
from pipeline.journal import Journal
from pipeline.landing import Landing, Report
from pipeline.records import Bookmarks
from pipeline.settings import Community
from pipeline.tonight import (
    Night,
    Plan,
    Unit,
    bookmarks_folder,
    home_of,
    how_far,
    in_journal,
    journal_of,
    moment_of,
    new_run,
    plan_source,
    planned_streams,
    run_folder,
    stale_places,
    warnings,
)

if TYPE_CHECKING:
    from pipeline.sources import Source


def communities() -> list[str]:
    """Names of the communities in hearth.toml; secrets are not needed to know them."""
    return settings.names()


def lend_secrets(
    community: str, connection: Callable[[str], tuple[str | None, str | None]]
) -> list[str]:
    """Put secrets that the environment lacks there, from (login, password) of connections named
    `hearth_<community>_<source>`, and `hearth_<community>` for the pseudonym key. From then on our
    logs hide them; returns them all, for the scheduler to hide in its own."""
    for variable, name, part in settings.connections(community):
        if not os.environ.get(variable):
            login, password = connection(name)
            secret = login if part == "login" else password
            if secret:
                os.environ[variable] = secret
    redact.install()
    return redact.secrets()


def at_work(community: str, *, shared: bool = False) -> AbstractContextManager[None]:
    """While one task of a scheduled night is at work (`shared`), or a whole night: see
    `pipeline.housekeeping.alone`. Raises NightRuns where another night is at work."""
    return housekeeping.alone(settings.load().community(community), shared=shared)


def plan(community: str | None = None, as_of: str | None = None) -> Plan:
    """Bring in what an earlier night landed and did not load, tidy up, ask every source what it can
    give, and write the bookmarks. A source that does not answer is left out and named; the night
    goes on without it. Raises the source's own error where none answers."""
    home = settings.load().community(community)
    moment = moment_of(as_of)
    night = Night(community=home.name, run=new_run(), as_of=moment.isoformat())
    with journal_of(night).telling("plan"):
        return _plan(home, night)


def _plan(home: Community, night: Night) -> Plan:
    from pipeline import load, warehouse

    journal = journal_of(night)
    housekeeping.check_room(home)
    with warehouse.opened(home) as db:
        load.load(db, Landing(home.home / "landing"))
        for name in home.sources:
            load.write_bookmarks(db, name, bookmarks_folder(home, night, name))
        read_before = load.streams_read(db)
    housekeeping.tidy(home, datetime.now(UTC))
    units: list[Unit] = []
    silent: dict[str, HearthError] = {}
    for name in home.sources:
        try:
            units += plan_source(home, night, name, read_before.get(name, set()))
        except HearthError as error:
            silent[name] = error
            journal.trouble(name, str(error))
    if len(silent) == len(home.sources):
        raise next(iter(silent.values()))
    planned = Plan(night=night, units=units)
    landing.write_whole(run_folder(home, night) / "night.json", json.dumps(planned).encode())
    return planned


def estimate(community: str | None = None) -> Iterator[dict[str, Any]]:
    """What the next read of each source would cost, as plain data; needs the work file free."""
    from pipeline import load, warehouse
    from pipeline.sources import open_source

    home = settings.load().community(community)
    for name in home.sources:
        place = home.home / "work" / "bookmarks" / "estimate" / name
        with warehouse.opened(home) as db:
            load.write_bookmarks(db, name, place)
        source = open_source(home, name)
        streams = source.plan()
        cost = source.estimate(Bookmarks.read(place))
        yield {
            "source": name,
            "requests": cost.requests,
            "seconds": cost.seconds,
            "by_stream": dict(cost.by_stream),
            "unavailable": {s.stream: s.unavailable for s in streams if s.unavailable},
            "blind_spots": list(dict.fromkeys(b for s in streams for b in s.blind_spots)),
        }


def extract(night: Night, unit: Unit) -> dict[str, Any]:
    """Land everything of one stream that is new, changed or gone. Returns its report."""
    with journal_of(night).telling(f"{unit['source']}/{unit['stream']}"):
        return _extract(night, unit)


def _extract(night: Night, unit: Unit) -> dict[str, Any]:
    from pipeline.sources import open_source

    home = home_of(night)
    source = open_source(home, unit["source"])
    landed = Landing(home.home / "landing")
    bookmarks = Bookmarks.read(bookmarks_folder(home, night, unit["source"]))
    (chosen,) = [
        p for p in planned_streams(home, night, unit["source"]) if p["stream"] == unit["stream"]
    ]
    began, started_at = time.monotonic(), time.time_ns() // 1000
    journal = journal_of(night)
    step = f"{unit['source']}/{unit['stream']}"
    brought: Counter[str] = Counter()
    parts = 0
    expected = _expected(source, unit, chosen["yields"], bookmarks)
    before = source.usage.requests
    for part in source.read(unit["stream"], bookmarks):
        landed.write(unit["source"], night["run"], unit["stream"], part)
        brought.update(record.stream for record in part.records)
        parts += 1
        asked, seconds = source.usage.requests - before, time.monotonic() - began
        journal.progress(step, how_far(brought.total(), asked, expected, seconds), parts)
    usage = source.usage
    report = Report(
        **unit,
        run=night["run"],
        via=chosen["via"],
        started_at=started_at,
        brought=dict(brought),
        parts=parts,
        requests=usage.requests,
        bytes=usage.bytes,
        retries=usage.retried,
        waited_s=round(usage.waited_s, 3),
        seconds=round(time.monotonic() - began, 3),
        streams=tuple(chosen["yields"]) or (unit["stream"],),
        blind_spots=tuple(chosen["blind_spots"]),
    )
    landed.finish(report)
    counted = ", ".join(f"{n:,} {name}" for name, n in sorted(brought.items())) or "nothing new"
    journal.done(step, f"{counted}; {usage.requests} requests via {chosen['via']}")
    return {
        **unit,
        "records": brought.total(),
        "requests": usage.requests,
        "bytes": usage.bytes,
    }


def _expected(
    source: Source, unit: Unit, yields: Sequence[str], bookmarks: Bookmarks
) -> int | None:
    """About how many requests a first fill takes; null on other nights, which are short."""
    if any(bookmarks[stream].rows for stream in yields or (unit["stream"],)):
        return None
    cost = source.estimate(bookmarks)
    return cost.by_stream.get(unit["stream"], cost.requests)


@in_journal
def load(night: Night) -> dict[str, Any]:
    """Bring what was landed into `raw`. A damaged file is named, set aside and read again."""
    from pipeline import load as loading
    from pipeline import warehouse

    home = home_of(night)
    landed = Landing(home.home / "landing")
    with warehouse.opened(home) as db:
        loaded = loading.load(db, landed)
    for place in loaded.damaged:
        source, run, stream = place.split("/")
        journal_of(night).trouble(source, f"landing/{place} was damaged; set aside, read again")
        if run == night["run"]:
            with suppress(HearthError):  # the journal tells, and `conclude` raises for it
                extract(night, Unit(source=source, stream=stream))
    if loaded.damaged:
        with warehouse.opened(home) as db:
            loading.load(db, landed)
    journal_of(night).done("load", f"{loaded.files:,} files, {loaded.changed:,} records changed")
    return {"files": loaded.files, "changed": loaded.changed, "damaged": list(loaded.damaged)}


@in_journal
def build(night: Night) -> dict[str, Any]:
    """Type what changed and build the marts, as of the night's moment."""
    from pipeline import build as building
    from pipeline import warehouse

    home = home_of(night)
    with warehouse.opened(home) as db:
        building.build(db, home, moment_of(night["as_of"]))
        counts = dict(
            db.execute("SELECT source, count(*) FROM staging.messages GROUP BY source").fetchall()
        )
    told = ", ".join(f"{n:,} messages of {source}" for source, n in sorted(counts.items()))
    journal_of(night).done("build", told or "nothing yet")
    return counts


def rebuild(night: Night, *, from_landing: bool = False) -> dict[str, Any]:
    """Derive all that is built or judged anew, as of the night's moment, without the network.

    `from_landing` also makes the work file anew from what was landed; the old one is kept beside
    it until the next time."""
    from pipeline import build as building
    from pipeline import load as loading
    from pipeline import warehouse

    home = home_of(night)
    if from_landing:
        warehouse.set_aside(home)
    with warehouse.opened(home) as db:
        if from_landing:
            loading.load(db, Landing(home.home / "landing"))
        building.build(db, home, moment_of(night["as_of"]), whole=True)
        counts = dict(
            db.execute("SELECT source, count(*) FROM staging.messages GROUP BY source").fetchall()
        )
    score(night)
    return counts


@in_journal
def score(night: Night) -> dict[str, Any]:
    """Judge messages whose text or whose judge changed, and build what reads the judgements."""
    from pipeline import build as building
    from pipeline import warehouse
    from pipeline.classify import night as judging

    home = home_of(night)
    with warehouse.opened(home) as db:
        building.set_scene(db, home, moment_of(night["as_of"]))
        counts = judging.judge(db, home.languages, moment_of(night["as_of"]))
        building.rebuild_after(db, "judgement.scores")
        building.rebuild_after(db, "judgement.threads")
    journal_of(night).done(
        "score", f"{counts['scored']:,} judged anew, {counts['flagged']} threads flagged"
    )
    return counts


@in_journal
def validate(night: Night) -> dict[str, Any]:
    """Hold the work file against its contracts. Raises ContractBroken for a critical rule."""
    from pipeline import validate as validating

    home = home_of(night)
    docs = home.home / "docs" / night["run"]
    found = validating.validate(home.home / "work" / "warehouse.duckdb", docs)
    said = {"checked": found.checked, "broken": [asdict(broken) for broken in found.broken]}
    landing.write_whole(run_folder(home, night) / "validation.json", json.dumps(said).encode())
    journal = journal_of(night)
    for broken in found.broken:
        journal.trouble(broken.table, f"{broken.rule} ({broken.severity}): {broken.says} "
                                      f"Rows that break it: {broken.rows}.")  # fmt: skip
    if found.critical:
        first = found.critical[0]
        raise ContractBroken(
            f"{len(found.critical)} critical rule(s) broken, first {first.table}/{first.rule}: "
            f"{first.says} Nothing was published; see {found.docs}"
        )
    journal.done("validate", f"{found.checked} expectations, {len(found.broken)} warnings; "
                             f"see {found.docs}")  # fmt: skip
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
        journal_of(night).trouble("ping", str(error))
    journal_of(night).done("publish", f"{file} -> {manifest.community.name}")
    return {"file": str(file), "rows": manifest.community.rows}


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


def erase(source: str, account: str, community: str | None = None) -> dict[str, Any]:
    """Clear a person everywhere; see `pipeline.erase.erase`. Returns the certificate."""
    from pipeline import erase as erasing
    from pipeline import status

    home = settings.load().community(community)
    now = datetime.now(UTC)
    with at_work(home.name):
        told = erasing.erase(home, source, account, now)
        status.write_page(home, now)
    return told


def report(community: str) -> str:
    """Write the operations page and mail the operators of a night that was not whole; the last
    step, however the night went. Returns how the newest run ended."""
    from pipeline import notice, status

    home = settings.load().community(community)
    now = datetime.now(UTC)
    runs = status.write_page(home, now)["runs"]
    if not runs:
        return "unfinished"
    try:
        notice.tell_operators(home, runs[0], now)
    except HearthError as error:
        Journal(home.home / "runs" / runs[0]["run"] / "journal.jsonl").trouble("notice", str(error))
    return str(runs[0]["state"])


def run_night(community: str | None = None, as_of: str | None = None) -> Night:
    """The whole night in this process, in the order the DAG has. Raises NightRuns where another
    one of this community runs."""
    name = settings.load().community(community).name
    with at_work(name):
        try:
            return _run_night(name, as_of)
        finally:
            report(name)


def _run_night(community: str, as_of: str | None) -> Night:
    planned = plan(community, as_of)
    night = planned["night"]
    for unit in planned["units"]:
        with suppress(HearthError):  # the journal tells, and `conclude` raises for it
            extract(night, unit)
    for verb in (load, build, score, validate, publish, digest, conclude):
        verb(night)
    return night
