"""The words of a digest, one catalogue per language: `words/<language>.toml`. Only the sentences
for reasons are kept elsewhere, beside the judges that give them: `classify/reasons.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.classify import reasons

_FOLDER = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))
LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}


@cache
def catalogue(language: str) -> dict[str, Any]:
    """Every text of this language by its dotted key; plural forms are a table, lists stay lists."""
    texts = read_words(_FOLDER / f"{language}.toml")
    return texts | {f"reason.{code}": said[language] for code, said in reasons().items()}


def read_words(file: Path) -> dict[str, Any]:
    """The texts of one file by their dotted keys."""
    return _flat(tomllib.loads(file.read_text(encoding="utf-8")))


def fields(text: str | dict[str, str]) -> set[str]:
    """Names of the values a text needs, in any of its plural forms."""
    forms = text.values() if isinstance(text, dict) else [text]
    return {name for form in forms for _, name, _, _ in Formatter().parse(form) if name}


class Said(str):
    """Words that are already escaped for their place, so that nesting does not escape twice."""

    __slots__ = ()


class Words:
    """Says things in one language, with every value escaped for the place it goes to.

    more  further texts, which win over those of the digest"""

    def __init__(
        self,
        language: str,
        escape: Callable[[str], str],
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.language = language
        self.tag = LANGUAGE_TAGS[language]
        self.escape = escape
        self._texts = catalogue(language) | dict(more)

    def __call__(self, key: str, **values: object) -> Said:
        """The sentence of this key. `n` chooses singular or plural. KeyError if there is none."""
        text = self._texts[key]
        if isinstance(text, dict):
            text = text["one"] if values.get("n") == 1 and "one" in text else text["other"]
        said = {name: self._value(value) for name, value in values.items()}
        return Said(text.format(**said))

    def can_say(self, key: str, values: Collection[str]) -> bool:
        """Whether the catalogue has a text of this key that these values fill."""
        return key in self._texts and fields(self._texts[key]) <= set(values)

    @property
    def weekdays(self) -> list[str]:
        """Their short names, Monday first."""
        names: list[str] = self._texts["date.weekdays"]
        return names

    def duration(self, hours: float) -> Said:
        """Hours in the unit a person would choose: minutes, hours, or days from two days on."""
        if hours < 1:
            return self("unit.minutes", n=max(1, round(hours * 60)))
        if hours < 48:
            return self("unit.hours", n=round(hours))
        return self("unit.days", n=round(hours / 24))

    def day(self, day: date) -> Said:
        """A date with its weekday, without the year."""
        return self("date.day", **self._parts(day))

    def full_day(self, day: date) -> Said:
        """A date with its year, without the weekday."""
        return self("date.whole", year=Said(day.year), **self._parts(day))

    def moment(self, at: datetime, zone: str) -> Said:
        """An instant in the named time zone, to the minute."""
        local = at.astimezone(ZoneInfo(zone))
        return self("date.moment", clock=Said(f"{local:%H:%M}"), zone=zone, **self._parts(local))

    def _parts(self, day: date) -> dict[str, object]:
        return {
            "weekday": Said(self._texts["date.weekdays"][day.weekday()]),
            "month": Said(self._texts["date.months"][day.month - 1]),
            "day": day.day,
        }

    def _value(self, value: object) -> str:
        if isinstance(value, float):
            return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}".removesuffix(".0")
        if isinstance(value, int):
            return f"{value:,}"
        return value if isinstance(value, Said) else self.escape(str(value))


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and "other" not in value:
            texts |= _flat(value, f"{prefix}{name}.")
        else:
            texts[prefix + name] = value
    return texts
