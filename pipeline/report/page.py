"""A report as it is laid out: the findings in one language, every number spelt. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.contracts import contracts
from pipeline.digest import safe
from pipeline.digest.words import Words, read_words
from pipeline.report import draw
from pipeline.report.select import WHOLE, Figure, Findings, Row

_WORDS = Path(__file__).parent / "words"
_SPELT = (  # columns of words, not of names
    "metric",
    "verdict",
    "asker",
    "kind",
    "finding",
    "tier_before",
    "tier_after",
    "aspect",
    "status",
)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a section shows: its weekly bars with their parts, its tables, and whose definitions."""

    name: str
    marts: tuple[str, ...]
    weekly: str = ""
    parts: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


SECTIONS = (
    Spec(
        "activity",
        ("daily_activity", "person_days", "trends", "change_points"),
        weekly="messages",
        tables=("trends", "changes"),
    ),
    Spec(
        "responses",
        ("waits", "wait_times", "response_gaps", "satisfaction"),
        tables=("responses", "gaps", "satisfaction"),
    ),
    Spec(
        "newcomers",
        ("welcomes", "daily_contributors", "contributors"),
        weekly="newcomers",
        parts=("new", "reactivated", "lost"),
        tables=("again",),
    ),
    Spec(
        "members",
        ("tiers",),
        weekly="members",
        parts=("core", "contributor", "user"),
        tables=("moves",),
    ),
    Spec("retention", ("retention",)),
    Spec(
        "network",
        ("concentration", "reply_network"),
        tables=("concentration", "network"),
    ),
    Spec("hours", ("hour_coverage",), tables=("languages",)),
    Spec(
        "care",
        ("reports", "moderator_load", "verdicts"),
        tables=("reports", "load", "verdicts"),
    ),
    Spec("coverage", ("coverage", "freshness"), tables=("coverage", "freshness")),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure in words; `before` and `a_year_before` say "not yet" where there is none."""

    label: str
    value: str
    before: str
    a_year_before: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table in words. `shades` (0 to 4 a cell) only for a triangle."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shades: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, what stands above it, and the names of its colours in order; `unread` names the
    ground of weeks that were not read whole, and is empty where all were."""

    caption: str
    drawing: Markup
    legend: tuple[str, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """One section, ready to be set."""

    name: str
    heading: str
    hint: str
    tiles: tuple[Tile, ...]
    pictures: tuple[Picture, ...]
    grids: tuple[Grid, ...]
    definitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a table means: an anchor of the page; the contract's own words are English."""

    table: str
    says: str
    passport: str


@dataclass(frozen=True, slots=True)
class Page:
    """All the words of a report."""

    language: str
    title: str
    span: str
    lead: tuple[str, ...]
    alarm: str
    blocks: tuple[Block, ...]
    definitions: tuple[Definition, ...]
    footer: str
    say: Words


def page(found: Findings, language: str) -> Page:
    """The report in words of one language."""
    say = Words(language, str, read_words(_WORDS / f"{language}.toml"))
    setter = _Setter(found, say)
    whole = found.covered >= WHOLE
    return Page(
        language=say.tag,
        title=say(f"page.{found.period.kind}", community=safe.plain(found.title)),
        span=setter.span(),
        lead=tuple(setter.lead()),
        alarm="" if whole else say("page.alarm", share=setter.value("x_rate", found.covered)),
        blocks=tuple(setter.block(spec) for spec in SECTIONS),
        definitions=tuple(_definitions()),
        footer=say("page.footer", moment=say.moment(found.as_of, "UTC")),
        say=say,
    )


def _definitions() -> Iterator[Definition]:
    for table in sorted({f"marts.{mart}" for spec in SECTIONS for mart in spec.marts}):
        contract = contracts()[table]
        yield Definition(table, contract.description, contract.passport or "")


class _Setter:
    """Sets one report in one language."""

    def __init__(self, found: Findings, say: Words) -> None:
        self._found, self._say = found, say

    def span(self) -> str:
        """The days of the period."""
        period = self._found.period
        return self._say("page.span", first=self._day(period.first), last=self._day(period.last))

    def lead(self) -> Iterator[str]:
        """The summary, a sentence each; a trend is named only where one is shown."""
        figures = {f.name: f for some in self._found.figures.values() for f in some}
        told = {name: self.value(name, f.value) for name, f in figures.items()}
        yield self._say("lead.activity", **told)
        if figures["questions"].value:
            half = "lead.half" if figures["p50_h"].value is not None else "lead.no_half"
            yield self._say("lead.questions", **told) + self._say(half, **told)
        yield self._say("lead.newcomers", **told)
        if self._found.is_newest:
            yield from self._trends()

    def _trends(self) -> Iterator[str]:
        moved = [row for row in self._found.tables["trends"] if row["verdict"] != "flat"]
        for row in moved:
            told = {**row, "slope": abs(row["slope"])}  # its verdict says which way
            yield self._say("lead.trend", **{name: self.cell(name, told[name]) for name in told})
        if not moved:
            yield self._say("lead.no_trend")

    def block(self, spec: Spec) -> Block:
        """One section."""
        return Block(
            name=spec.name,
            heading=self._say(f"section.{spec.name}.heading"),
            hint=self._say(f"section.{spec.name}.hint"),
            tiles=tuple(self._tile(f) for f in self._found.figures.get(spec.name, ())),
            pictures=tuple(self._pictures(spec)),
            grids=tuple(self._grids(spec)),
            definitions=tuple(f"marts.{mart}" for mart in spec.marts),
        )

    def _tile(self, figure: Figure) -> Tile:
        now, before, then = (
            self.value(figure.name, n) for n in (figure.value, figure.before, figure.a_year_before)
        )
        return Tile(self._say(f"figure.{figure.name}"), now, before, then)

    def _pictures(self, spec: Spec) -> Iterator[Picture]:
        if spec.weekly:
            yield self._bars(spec)
        if spec.name == "responses":
            yield self._curves()
        if spec.name == "hours":
            yield from self._heat()

    def _bars(self, spec: Spec) -> Picture:
        """A column for each week there is, silent ones too; one that was not read whole says so."""
        rows = self._found.series[spec.weekly]
        parts = spec.parts or tuple(sorted({row["part"] for row in rows}))
        weeks: dict[date, dict[str, int]] = {row["week"]: {} for row in self._found.series["weeks"]}
        for row in rows:
            weeks.setdefault(row["week"], {})[row["part"]] = row["n"]
        unread = {w["week"] for w in self._found.series["weeks"] if w["covered_rate"] < WHOLE}
        columns = [
            draw.Column(
                f"{week:%m-%d}",
                heights,
                is_marked=week >= self._found.period.first,
                is_whole=week not in unread,
            )
            for week, heights in sorted(weeks.items())
        ]
        caption = self._say(f"picture.{spec.weekly}")
        names = tuple(self._name(f"part.{part}", part) for part in parts)
        told = self._say("part.unread", weeks=", ".join(f"{w:%m-%d}" for w in sorted(unread)))
        says = f"{caption}; {told}" if unread else caption
        return Picture(caption, draw.bars(columns, parts, says), names, told if unread else "")

    def _curves(self) -> Picture:
        caption = self._say("picture.waiting")
        lines = [curve.steps for curve in self._found.curves]
        legend = tuple(
            self._say("part.curve", asker=self._say(f"value.{c.name}"), n=c.waits)
            for c in self._found.curves
        )
        return Picture(caption, draw.curves(lines, self._say.duration, caption), legend)

    def _heat(self) -> Iterator[Picture]:
        for part, what in enumerate(("threads", "helps")):
            counts = {
                (row["weekday"], row["hour"]): row[what] for row in self._found.series["hours"]
            }
            caption = self._say(f"picture.{what}")
            yield Picture(caption, draw.heat(counts, self._say.weekdays, part, caption))

    def _grids(self, spec: Spec) -> Iterator[Grid]:
        for name in spec.tables:
            rows = self._found.tables[name]
            if rows:
                yield self._grid(name, rows)
        if spec.name == "retention":
            yield from self._triangles()

    def _grid(self, name: str, rows: Sequence[Row]) -> Grid:
        return Grid(
            caption=self._say(f"table.{name}"),
            columns=tuple(self._say(f"column.{column}") for column in rows[0]),
            rows=tuple(tuple(self.cell(c, row[c]) for c in row) for row in rows),
        )

    def _triangles(self) -> Iterator[Grid]:
        rows = self._found.tables["retention"]
        for source in sorted({row["source"] for row in rows}):
            yield self._triangle(source, [row for row in rows if row["source"] == source])

    def _triangle(self, source: str, rows: Sequence[Row]) -> Grid:
        months = range(max(row["months_later"] for row in rows) + 1)
        cohorts: dict[date, dict[int, Row]] = {}
        for row in rows:
            cohorts.setdefault(row["cohort_month"], {})[row["months_later"]] = row
        lines, shades = [], []
        for month, cells in sorted(cohorts.items()):
            rates = [cells[m]["active_rate"] if m in cells else None for m in months]
            lines.append(
                (
                    f"{month:%Y-%m}",
                    self.value("people", cells[0]["people"]),
                    *(
                        "" if m not in cells else self.value("x_rate", r)
                        for m, r in zip(months, rates, strict=True)
                    ),
                )
            )
            shades.append((0, 0, *(0 if r is None else math.ceil(r * 4) for r in rates)))
        return Grid(
            caption=self._say("table.retention", source=source),
            columns=(
                self._say("column.cohort_month"),
                self._say("column.people"),
                *(str(month) for month in months),
            ),
            rows=tuple(lines),
            shades=tuple(shades),
        )

    def cell(self, column: str, value: Any) -> str:
        """A value of a table; its column's name tells the unit."""
        if column in _SPELT:
            return self._say(f"value.{value}")
        if column in ("source", "stream", "group_name", "language"):
            return self._name(f"value.{value}", value)
        return self.value(column, value)

    def value(self, name: str, value: Any) -> str:
        """Text as it is; a number in the unit its name ends with; a dash where none can be told."""
        if value is None:
            return "–"
        if isinstance(value, str):
            return value
        if isinstance(value, date):
            return self._day(value)
        if name.endswith("_h"):
            return str(self._say.duration(value))
        if name.endswith("_rate"):
            return str(self._say("unit.percent", n=round(value * 100)))
        return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")

    def _name(self, key: str, name: str) -> str:
        """A word of ours, or else a name out of the settings."""
        return str(self._say(key)) if self._say.can_say(key, ()) else safe.plain(name)

    def _day(self, day: date) -> str:
        return str(self._say.full_day(day))
