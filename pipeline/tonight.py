"""A night: what was planned for it, where it keeps its things, and what of it stayed stale."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypedDict

from pipeline import landing, runs, settings
from pipeline.errors import FixSettings, NightRuns
from pipeline.files import make_folder
from pipeline.journal import Journal
from pipeline.landing import Report
from pipeline.settings import Community
from pipeline.storage import disk_of, landing_of

P = ParamSpec("P")
LONGEST_TASK = timedelta(hours=10)  # a first fill of a large forum


class Night(TypedDict):
    """One night of one community. `as_of` is an ISO time; it is what the metrics call now."""

    community: str
    run: str
    as_of: str


class Unit(TypedDict):
    """One unit of extraction: a stream of a source."""

    source: str
    stream: str


class Plan(TypedDict):
    """A night and what is to be read in it."""

    night: Night
    units: list[Unit]


def latest(community: str | None = None, run: str | None = None) -> Plan:
    """The newest planned night of a community, or the one named."""
    home = settings.load().community(community)
    found = sorted((home.home / "runs").glob(f"{run or '*'}/night.json"))
    if not found:
        raise FixSettings(
            f"{home.name}: no planned night{f' {run}' if run else ''}; `hearth plan` makes one"
        )
    planned: Plan = json.loads(found[-1].read_text())
    return planned


def last_published(home: Community) -> Night | None:
    """The newest night whose files were published; null before the first."""
    for file in sorted((home.home / "runs").glob("*/night.json"), reverse=True):
        lines = Journal(file.with_name("journal.jsonl")).lines()
        if any((line.step, line.level) == ("publish", "done") for line in lines):
            planned: Plan = json.loads(file.read_text())
            return planned["night"]
    return None


def check_read(home: Community, now: datetime) -> None:
    """Raise NightRuns while other machines may still be reading for the newest night: this one's
    lock does not stop them, and what they land would be loaded later. Which of them are at work is
    not known here, so a night counts as being read until it loads or `LONGEST_TASK` is over."""
    found = sorted((home.home / "runs").glob("*/night.json"))
    if home.cluster is None or not found:
        return
    run = found[-1].parent
    until = runs.began(run.name) + LONGEST_TASK
    loads = any(line.step == "load" for line in Journal(run / "journal.jsonl").lines())
    if now < until and not loads:
        raise NightRuns(
            f"{home.name}: other machines may still read for the night {run.name}; wait until it "
            f"has ended. One that was given up is waited for until {until:%Y-%m-%d %H:%M} UTC"
        )


def in_journal(
    step: Callable[Concatenate[Night, P], dict[str, Any]],
) -> Callable[Concatenate[Night, P], dict[str, Any]]:
    """Decorate a step: whatever ends it badly is written to the night's journal first, from where
    people are told of it."""

    @wraps(step)
    def telling(night: Night, /, *args: P.args, **options: P.kwargs) -> dict[str, Any]:
        with journal_of(home_of(night), night).telling(step.__name__):
            return step(night, *args, **options)

    return telling


def stale_places(home: Community, night: Night) -> list[dict[str, Any]]:
    """Sources and streams that were not read to their end tonight, with what was said of it."""
    said = {
        line.step: line.text for line in journal_of(home, night).lines() if line.level == "trouble"
    }
    names = [name for name in home.sources if not planned_streams(home, night, name)]
    names += [
        f"{name}/{planned['stream']}"
        for name in home.sources
        for planned in planned_streams(home, night, name)
        if planned.get("lost")
        or (not planned["unavailable"] and report_of(home, night, name, planned["stream"]) is None)
    ]
    return [{"source": name, "why": said.get(name, "")} for name in names]


def warnings(home: Community, night: Night) -> list[str]:
    """What tonight's validation found and let pass, one sentence a rule."""
    file = run_folder(home, night) / "validation.json"
    if not file.exists():
        return []
    return [f"{b['table']}: {b['says']}" for b in json.loads(file.read_text())["broken"]]


def rows_last_published(home: Community) -> dict[str, dict[str, int]]:
    """Table with a band -> value of the band's column -> rows it had in the night that was last
    published. Empty before the first, and where that night noted none."""
    night = last_published(home)
    file = run_folder(home, night) / "validation.json" if night else None
    if file is None or not file.exists():
        return {}
    rows: dict[str, dict[str, int]] = json.loads(file.read_text()).get("rows", {})
    return rows


def planned_streams(home: Community, night: Night, source: str) -> list[dict[str, Any]]:
    """What a source was planned to give, a stream each; empty where it did not answer the plan."""
    try:
        text = plan_file(home, night, source).read_text()
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = json.loads(text)
    return found


def report_of(home: Community, night: Night, source: str, stream: str) -> Report | None:
    """The report of a stream's read; null where it did not run to its end tonight."""
    return landing.report(landing_of(home).folder_of(source, night["run"], stream))


def home_of(night: Night) -> Community:
    """The settings of the community whose night it is."""
    return settings.load().community(night["community"])


def run_folder(home: Community, night: Night) -> Path:
    """Where a night writes down what it planned, found and met; made if it is not there."""
    folder = home.home / "runs" / night["run"]
    make_folder(folder)
    return folder


def plan_file(home: Community, night: Night, source: str) -> Path:
    """Where it is written what a source can give tonight."""
    return run_folder(home, night) / f"{source}.plan.json"


def bookmarks_folder(home: Community, night: Night, source: str) -> Path:
    """Where the bookmarks lie from which tonight's reads of a source go on."""
    return home.home / "work" / "bookmarks" / night["run"] / source


def journal_of(home: Community, night: Night) -> Journal:
    """The journal of a night, as this process writes and reads it."""
    return Journal(run_folder(home, night) / "journal.jsonl", disk_of(home))


def moment_of(as_of: str | None) -> datetime:
    """An ISO date or time as an aware moment, in UTC where it says no offset; now where none is
    given. Raises FixSettings for what is neither."""
    if not as_of:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        raise FixSettings(
            f"{as_of!r}: write the moment as 2026-03-02 or 2026-03-02T02:00:00+00:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
