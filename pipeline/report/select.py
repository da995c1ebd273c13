"""What a published night says of a period: figures beside earlier ones, tables, and series.

Every number comes out of a mart, whose contract defines it; `sql/reports/` only adds it up over the
days of a period, one file a question. What there is by the week alone (how askers fared, the load
of moderators) and what is drawn by the week is of the whole weeks up to its end. Runs over the
published files: no night is ever in its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline import build, warehouse
from pipeline.contracts import contracts
from pipeline.errors import FixSettings
from pipeline.publish import FILES
from pipeline.report.period import Period
from pipeline.settings import Community
from pipeline.statements import SQL, literal, value, written

if TYPE_CHECKING:
    import duckdb

QUESTIONS = SQL / "reports"
WHOLE = 0.98  # a period of which less was read is shown, but greyed
LOOKS_BACK = timedelta(weeks=13)  # of curves, bars and heat maps

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a period beside the same of the period before and of the season a year ago.

    The end of its name is its unit: `_h` hours, `_rate` 0 to 1, else a count. A number is null
    where it cannot be told: nothing was read then, or it is about too few.
    """

    name: str
    value: float | None
    before: float | None
    a_year_before: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """How many of the questions of some days still wait after so many hours (Kaplan and Meier).

    is_told  whether the questions are so many that hours may be told of them
    steps    (hours, share still waiting as `survival()` in sql/macros.sql has it), falling
    """

    name: str
    waits: int
    is_told: bool
    steps: tuple[tuple[float, float], ...]

    def reached(self, share: float) -> float | None:
        """Hours until this share had an answer; null while it has not come so far, or where they
        are not told."""
        if not self.is_told:
            return None
        return next((h for h, waiting in self.steps if waiting <= 1 - share), None)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report says of a period, before it is put into words.

    covered  share of the source days that were read whole
    figures  by section; tables and series by the name of their question in `sql/reports/`. Weekly
             series leave out what is 0; `weeks` has every week there is, and how much of it was
             read whole
    """

    title: str
    period: Period
    as_of: datetime
    is_newest: bool
    covered: float
    figures: dict[str, tuple[Figure, ...]]
    tables: dict[str, list[Row]]
    series: dict[str, list[Row]]
    curves: tuple[Curve, ...]


def as_of_day(community: Community) -> date:
    """The day in which the published night speaks."""
    with _opened(community) as db:
        day: date = value(db, "SELECT as_of_day()")
        return day


def findings(community: Community, period: Period) -> Findings:
    """What the published night says of this period. Raises FixSettings where none is published."""
    with _opened(community) as db:
        covered = {p: _covered(db, p) for p in (period, period.before(), period.a_year_before())}
        figures = {
            file.stem.removeprefix("figures_"): tuple(_figures(db, file.stem, period, covered))
            for file in sorted(QUESTIONS.glob("figures_*.sql"))
        }
        curves = _curves(db, period)
        figures["responses"] += tuple(_percentiles(db, period, covered))
        _set(db, period)
        (now,) = warehouse.rows(db, "SELECT as_of() AS at, as_of_day() AS day")
        return Findings(
            title=community.title,
            period=period,
            as_of=now["at"].replace(tzinfo=UTC),
            is_newest=period == Period.ended(period.kind, now["day"]),
            covered=covered[period],
            figures=figures,
            tables=_all(db, "table"),
            series=_all(db, "weekly") | {name: _ask(db, name) for name in ("hours", "weeks")},
            curves=curves,
        )


@contextmanager
def _opened(community: Community) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published tables under their names, with the macros of a build; what an older night did
    not publish yet is empty. Raises FixSettings where a table of it lacks what is asked."""
    import duckdb

    folder = community.home / "published"
    with duckdb.connect() as db:
        warehouse.prepare(db)
        for audience, name in FILES.items():
            file = folder / name
            if not file.exists():
                raise FixSettings(f"{file} does not exist yet; `hearth nightly` publishes it")
            db.execute(f"ATTACH {literal(file.resolve())} AS {audience} (READ_ONLY)")
            held = db.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [audience]
            )
            for (table,) in held.fetchall():
                if f"marts.{table}" in contracts():
                    db.execute(f"DROP TABLE IF EXISTS marts.{table}")
                    db.execute(f"CREATE VIEW marts.{table} AS FROM {audience}.marts.{table}")
        as_of = value(db, "SELECT as_of FROM marts.health")
        build.set_scene(db, community, as_of.replace(tzinfo=UTC))
        db.execute(written("reports/macros"))
        what = (
            f"{community.name}: the published night is of another version of Hearth and lacks "
            "what the report asks"
        )
        with warehouse.named(what, "run a night first"):
            yield db


def _figures(
    db: duckdb.DuckDBPyConnection, question: str, period: Period, covered: dict[Period, float]
) -> Iterator[Figure]:
    now, before, then = (_of(db, question, p, covered[p]) for p in covered)
    for name in now:
        yield Figure(name, now[name], before[name], then[name])


def _of(db: duckdb.DuckDBPyConnection, question: str, period: Period, covered: float) -> Row:
    """The figures of one period; all null where nothing of it was read."""
    _set(db, period)
    (row,) = _ask(db, question)
    return row if covered else dict.fromkeys(row)


def _percentiles(
    db: duckdb.DuckDBPyConnection, period: Period, covered: dict[Period, float]
) -> Iterator[Figure]:
    curves = [_curve(db, p, "all") for p in covered]
    for name, share in (("p50_h", 0.5), ("p90_h", 0.9)):
        yield Figure(name, *(curve.reached(share) for curve in curves))


def _curves(db: duckdb.DuckDBPyConnection, period: Period) -> tuple[Curve, ...]:
    """Newcomers' and regulars' questions of the thirteen weeks to the end of the period."""
    view = Period(period.kind, period.after - LOOKS_BACK, period.after)
    return tuple(_curve(db, view, asker) for asker in ("newcomer", "regular"))


def _curve(db: duckdb.DuckDBPyConnection, period: Period, asker: str) -> Curve:
    _set(db, period, asker)
    rows = _ask(db, "waiting")
    steps = tuple((row["waited_h"], row["still_waiting"]) for row in rows)
    if not rows:
        return Curve(asker, 0, False, ())
    return Curve(asker, rows[0]["waits"], rows[0]["is_told"], steps)


def _covered(db: duckdb.DuckDBPyConnection, period: Period) -> float:
    """Share of the days of all sources that were read whole, 0 to 1."""
    _set(db, period)
    sources = value(db, "SELECT count(DISTINCT source) FROM marts.coverage")
    days = sum(row["covered_days"] for row in _ask(db, "table_coverage"))
    return days / (sources * period.days) if sources else 0.0


def _all(db: duckdb.DuckDBPyConnection, kind: str) -> dict[str, list[Row]]:
    return {
        file.stem.removeprefix(f"{kind}_"): _ask(db, file.stem)
        for file in sorted(QUESTIONS.glob(f"{kind}_*.sql"))
    }


def _set(db: duckdb.DuckDBPyConnection, period: Period, asker: str = "all") -> None:
    db.execute("SET VARIABLE first = ?::DATE", [period.first])
    db.execute("SET VARIABLE after = ?::DATE", [period.after])
    db.execute("SET VARIABLE view_first = ?::DATE", [period.after - LOOKS_BACK])
    db.execute("SET VARIABLE asker = ?", [asker])


def _ask(db: duckdb.DuckDBPyConnection, question: str) -> list[Row]:
    return warehouse.rows(db, written(f"reports/{question}"))
