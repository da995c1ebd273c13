"""Weeks and months of a community's own calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Kind = Literal["week", "month"]
YEAR_OF_WEEKS = timedelta(weeks=52)  # a year that keeps the weekday


@dataclass(frozen=True, slots=True)
class Period:
    """A whole week, from Monday, or a calendar month: from `first` to the day before `after`."""

    kind: Kind
    first: date
    after: date

    @classmethod
    def around(cls, kind: Kind, day: date) -> Period:
        """The period a day lies in."""
        if kind == "week":
            first = day - timedelta(days=day.weekday())
            return cls(kind, first, first + timedelta(weeks=1))
        first = day.replace(day=1)
        return cls(kind, first, (first + timedelta(days=31)).replace(day=1))

    @classmethod
    def ended(cls, kind: Kind, today: date) -> Period:
        """The newest period that was over before `today` began."""
        return cls.around(kind, cls.around(kind, today).first - timedelta(days=1))

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after - timedelta(days=1)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.after - self.first).days

    @property
    def name(self) -> str:
        """Its name in file names, such as 2026-W09 or 2026-02."""
        return f"{self.first:%G-W%V}" if self.kind == "week" else f"{self.first:%Y-%m}"

    def before(self) -> Period:
        """The period that ended when this one began."""
        return self.around(self.kind, self.first - timedelta(days=1))

    def a_year_before(self) -> Period:
        """The same season: the same month of the year before, or the week 52 weeks ago."""
        if self.kind == "month":
            return self.around("month", self.first.replace(year=self.first.year - 1))
        return self.around("week", self.first - YEAR_OF_WEEKS)
