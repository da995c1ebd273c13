"""Ask the sources, land what they say, bring it into `raw`."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import housekeeping, runs, settings
from pipeline.errors import BadAnswer, HearthError
from pipeline.files import write_whole
from pipeline.landing import Report
from pipeline.records import Bookmarks, StreamPlan
from pipeline.settings import Community
from pipeline.storage import disk_of, landing_of
from pipeline.tonight import (
    Night,
    Plan,
    Unit,
    bookmarks_folder,
    home_of,
    in_journal,
    journal_of,
    moment_of,
    plan_file,
    planned_streams,
    run_folder,
    stale_places,
)

if TYPE_CHECKING:
    from pipeline.sources import Source


def plan(community: str | None = None, as_of: str | None = None) -> Plan:
    """Bring in what an earlier night landed and did not load, tidy up, ask every source what it can
    give, and write the bookmarks. A source that does not answer is left out and named; the night
    goes on without it. Raises the source's own error where none answers."""
    home = settings.load().community(community)
    moment = moment_of(as_of)
    night = Night(
        community=home.name, run=runs.name_of(datetime.now(UTC)), as_of=moment.isoformat()
    )
    with journal_of(home, night).telling("plan"):
        return _plan(home, night)


def _plan(home: Community, night: Night) -> Plan:
    from pipeline import load, warehouse
    from pipeline.sources import understood

    journal = journal_of(home, night)
    housekeeping.check_room(home)
    with warehouse.opened(home) as db:
        loaded = load.load(db, landing_of(home))
        housekeeping.check_clock(home, load.last_seen(db), time.time_ns() // 1000)
        for name in home.sources:
            load.write_bookmarks(db, name, bookmarks_folder(home, night, name))
            disk_of(home).send(bookmarks_folder(home, night, name))
        read_before = load.streams_read(db)
    for place in loaded.damaged:
        _tell_damage(home, night, place)
    housekeeping.tidy(home, datetime.now(UTC))
    units: list[Unit] = []
    silent: dict[str, HearthError] = {}
    for name in home.sources:
        try:
            with understood(home, name):
                journal.progress(name, "asked what it can give")  # a sick server may take long
                units += _streams_of(home, night, name, read_before.get(name, set()))
        except HearthError as error:
            silent[name] = error
            journal.trouble(name, str(error))
    if len(silent) == len(home.sources):
        raise next(iter(silent.values()))
    planned = Plan(night=night, units=units)
    write_whole(run_folder(home, night) / "night.json", json.dumps(planned).encode())
    return planned


def _streams_of(home: Community, night: Night, name: str, read_before: set[str]) -> Iterator[Unit]:
    """Write down what a source can give tonight, and yield the streams that are to be read. What it
    cannot give is a read that brought nothing, so that marts.freshness says why.

    A stream that was read before and is not available any more is marked `lost`: not a fact of the
    site, but something that went wrong."""
    from pipeline.sources import open_source

    streams = open_source(home, name).plan()
    told = [
        {**asdict(stream), "lost": bool(stream.unavailable and stream.stream in read_before)}
        for stream in streams
    ]
    file = plan_file(home, night, name)
    write_whole(file, json.dumps(told).encode())
    disk_of(home).send(file)
    for stream in streams:
        if stream.unavailable:
            journal_of(home, night).trouble(f"{name}/{stream.stream}", stream.unavailable)
            landing_of(home).finish(_not_read(night, name, stream))
        else:
            yield Unit(source=name, stream=stream.stream)


def _not_read(night: Night, source: str, stream: StreamPlan) -> Report:
    """The report of a stream that the source cannot give."""
    return Report(
        source,
        stream.stream,
        night["run"],
        via=stream.via,
        started_at=time.time_ns() // 1000,
        streams=stream.yields or (stream.stream,),
        unavailable=stream.unavailable,
    )


def estimate(community: str | None = None) -> Iterator[dict[str, Any]]:
    """What the next read of each source would cost, as plain data; needs the work file free. One
    that fails keeps no other from its turn: what was said of it is raised at the end."""
    home = settings.load().community(community).at_a_prompt()
    failed: list[HearthError] = []
    for name in home.sources:
        try:
            told = _cost_of(home, name)
        except HearthError as error:
            failed.append(error)
        else:
            yield told
    if failed:
        failed[0].args = ("\n".join(dict.fromkeys(map(str, failed))),)
        raise failed[0]


def _cost_of(home: Community, name: str) -> dict[str, Any]:
    from pipeline import load, warehouse
    from pipeline.sources import open_source, understood

    place = home.home / "work" / "bookmarks" / "estimate" / name
    with warehouse.opened(home) as db:
        load.write_bookmarks(db, name, place)
    with understood(home, name):
        source = open_source(home, name)
        streams = source.plan()
        cost = source.estimate(Bookmarks.read(place))
    return {
        "source": name,
        "requests": cost.requests,
        "seconds": cost.seconds,
        "by_stream": dict(cost.by_stream),
        "unavailable": {s.stream: s.unavailable for s in streams if s.unavailable},
        "blind_spots": list(dict.fromkeys(b for s in streams for b in s.blind_spots)),
    }


def extract(night: Night, unit: Unit) -> dict[str, Any]:
    """Land everything of one stream that is new, changed or gone. Returns its report."""
    from pipeline.sources import understood

    home, place = home_of(night), f"{unit['source']}/{unit['stream']}"
    with journal_of(home, night).telling(place), understood(home, unit["source"], unit["stream"]):
        return _extract(night, unit)


def _extract(night: Night, unit: Unit) -> dict[str, Any]:
    from pipeline.sources import open_source

    home = home_of(night)
    source = open_source(home, unit["source"])
    landed = landing_of(home)
    landed.disk.fetch(plan_file(home, night, unit["source"]))
    (chosen,) = [
        p for p in planned_streams(home, night, unit["source"]) if p["stream"] == unit["stream"]
    ]
    with landed.disk.borrowed(bookmarks_folder(home, night, unit["source"])) as folder:
        report = _land(night, unit, chosen, source, Bookmarks.read(folder))
    landed.finish(report)
    counted = ", ".join(f"{n:,} {name}" for name, n in sorted(report.brought.items()))
    told = f"{counted or 'nothing new'}; {_number(report.requests, 'request')} via {chosen['via']}"
    journal_of(home, night).done(
        f"{unit['source']}/{unit['stream']}", "; not read: ".join((told, *source.gaps))
    )
    return {
        **unit,
        "records": sum(report.brought.values()),
        "requests": report.requests,
        "bytes": report.bytes,
    }


def _land(
    night: Night, unit: Unit, chosen: dict[str, Any], source: Source, bookmarks: Bookmarks
) -> Report:
    """Read a stream to its end, part by part; returns the report to finish it with."""
    began, started_at = time.monotonic(), time.time_ns() // 1000
    home = home_of(night)
    landed, journal = landing_of(home), journal_of(home, night)
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
    return Report(
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
        blind_spots=(*chosen["blind_spots"], *source.gaps),
    )


def how_far(records: int, asked: int, expected: int | None, seconds: float) -> str:
    """How far a read has come: what it brought, what it asked, how fast, and what is left of the
    `expected` requests, where that is known."""
    pace = asked / seconds if seconds else 0.0
    told = f"{_number(records, 'record')}, {_number(asked, 'request')}, {pace:.1f} a second"
    if not expected or not pace:
        return told
    left = max(expected - asked, 0)
    minutes = left / pace / 60
    return f"{told}; about {left:,} left, {minutes:.0f} min to go"


def _number(of: int, thing: str) -> str:
    return f"{of:,} {thing}{'s' * (of != 1)}"


def _expected(
    source: Source, unit: Unit, yields: Sequence[str], bookmarks: Bookmarks
) -> int | None:
    """About how many requests a first fill takes; null on other nights, which are short."""
    if any(bookmarks[stream].rows for stream in yields or (unit["stream"],)):
        return None
    cost = source.estimate(bookmarks, unit["stream"])
    return cost.by_stream.get(unit["stream"], cost.requests)


@in_journal
def load(night: Night) -> dict[str, Any]:
    """Bring what was landed into `raw`. A damaged file is named, set aside and read again.

    Raises BadAnswer where no source ever gave anything: an empty night would look like a quiet
    one."""
    from pipeline import load as loading
    from pipeline import warehouse

    home = home_of(night)
    landed = landing_of(home)
    landed.disk.fetch(run_folder(home, night))
    with warehouse.opened(home) as db:
        loaded, is_empty = loading.load(db, landed), loading.is_empty(db)
    for place in loaded.damaged:
        _tell_damage(home, night, place)
        source, run, stream = place.split("/")
        if run == night["run"]:
            with suppress(HearthError):  # the journal tells, and `conclude` raises for it
                extract(night, Unit(source=source, stream=stream))
    if loaded.damaged:
        with warehouse.opened(home) as db:
            loading.load(db, landed)
            is_empty = loading.is_empty(db)
    if is_empty:
        raise _nothing_given(home, night)
    journal_of(home, night).done(
        "load", f"{loaded.files:,} files, {loaded.changed:,} records changed"
    )
    return {"files": loaded.files, "changed": loaded.changed, "damaged": list(loaded.damaged)}


def _tell_damage(home: Community, night: Night, place: str) -> None:
    source = place.split("/", maxsplit=1)[0]
    journal_of(home, night).trouble(source, f"landing/{place} was damaged; set aside, read again")


def _nothing_given(home: Community, night: Night) -> BadAnswer:
    said = (f"{place['source']}: {place['why']}" for place in stale_places(home, night))
    return BadAnswer(
        f"{home.name}: no source ever gave anything, so nothing is published; `hearth doctor` "
        f"looks for the reason. What was asked and what answered: {'; '.join(said)}"
    )
