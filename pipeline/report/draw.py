"""Pictures as SVG inside the page.

Colours come from its style sheet, so that they follow light, dark and print. Every picture has a
text that says what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 220, 44, 24, 8
RIGHT = 28  # room for half of a label below the end of an axis
SHORTEST_H, LONGEST_H = 0.25, 24 * 30  # ends of the axis of waiting, which is logarithmic
HOURS = (1, 4, 24, 72, 168, 720)


class Column(NamedTuple):
    """One bar: its label, its height by part (a part left out is 0), whether it belongs to what the
    report is about, and whether all of it is known."""

    label: str
    heights: Mapping[str, int]
    is_marked: bool = True
    is_whole: bool = True


def bars(columns: Sequence[Column], parts: Sequence[str], says: str) -> Markup:
    """Stacked bars; negative parts hang below the line. A column of which not all is known stands
    on a ground of its own, so that it is not taken for a low one."""
    top = max([sum(n for n in c.heights.values() if n > 0) for c in columns], default=0)
    low = min([sum(n for n in c.heights.values() if n < 0) for c in columns], default=0)
    ceiling = _round_up(max(top, -low, 1))
    floor = -_round_up(-low) if low else 0
    place = _scale(floor, ceiling, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT) / max(len(columns), 1)
    drawn = [_level(place(n), str(n)) for n in sorted({floor, 0, ceiling})]
    for at, column in enumerate(columns):
        x = LEFT + at * step
        if not column.is_whole:
            drawn.append(
                Markup('<rect class="unread" x="{}" y="{}" width="{}" height="{}"/>').format(
                    _n(x), TOP, _n(step), HEIGHT - BOTTOM - TOP
                )
            )
        drawn.append(_column(x + step * 0.15, step * 0.7, column, parts, place))
        if (len(columns) - 1 - at) % 3 == 0:
            drawn.append(_label(x + step / 2, HEIGHT - 6, column.label))
    return _picture(drawn, says)


def curves(
    lines: Sequence[Sequence[tuple[float, float]]], spell: Callable[[float], str], says: str
) -> Markup:
    """Falling steps of (hours, share still waiting), one line each, hours on a logarithmic axis."""
    across = _scale(math.log(SHORTEST_H), math.log(LONGEST_H), LEFT, WIDTH - RIGHT)
    down = _scale(0, 1, HEIGHT - BOTTOM, TOP)
    drawn = [_level(down(share), f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)]
    for hours in HOURS:
        x = across(math.log(hours))
        drawn.append(
            Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                _n(x), TOP, HEIGHT - BOTTOM
            )
        )
        drawn.append(_label(x, HEIGHT - 6, spell(hours)))
    for number, steps in enumerate(lines):
        path = [f"M{LEFT} {_n(down(1))}"]
        for waited, waiting in steps:
            x = across(math.log(min(max(waited, SHORTEST_H), LONGEST_H)))
            path.append(f"H{_n(x)}V{_n(down(waiting))}")
        path.append(f"H{WIDTH - RIGHT}")
        drawn.append(Markup('<path class="curve part{}" d="{}"/>').format(number, "".join(path)))
    return _picture(drawn, says)


def heat(
    counts: Mapping[tuple[int, int], int], weekdays: Sequence[str], part: int, says: str
) -> Markup:
    """The week by hours: counts by (weekday from 0, hour), darker where there are more."""
    size, top = (WIDTH - LEFT) / 24, 18
    most = max(counts.values(), default=0) or 1  # hours may be listed in which nothing was said
    drawn = [_label(LEFT + (hour + 0.5) * size, 12, f"{hour:02}") for hour in range(0, 24, 3)]
    for day, name in enumerate(weekdays):
        y = top + day * (size - 4)
        drawn.append(
            Markup('<text class="label" x="{}" y="{}" text-anchor="end">{}</text>').format(
                LEFT - 6, _n(y + size - 10), name
            )
        )
        for hour in range(24):
            n = counts.get((day, hour), 0)
            drawn.append(
                Markup(
                    '<rect class="cell part{}" x="{}" y="{}" width="{}" height="{}"'
                    ' fill-opacity="{}">'
                    "<title>{} {:02}:00: {}</title></rect>"
                ).format(
                    part,
                    _n(LEFT + hour * size),
                    _n(y),
                    _n(size - 2),
                    _n(size - 6),
                    f"{0.06 + 0.94 * n / most:.2f}",
                    name,
                    hour,
                    n,
                )
            )
    return _picture(drawn, says, height=math.ceil(top + 7 * (size - 4) + 4))


def _column(
    x: float,
    width: float,
    column: Column,
    parts: Sequence[str],
    place: Callable[[float], float],
) -> Markup:
    up = down = 0
    drawn = Markup()
    for number, part in enumerate(parts):
        n = column.heights.get(part, 0)
        base = up if n > 0 else down
        ends = sorted((place(base), place(base + n)))
        up, down = up + max(n, 0), down + min(n, 0)
        if n:
            tone = "" if column.is_marked else " past"
            box = (_n(size) for size in (x, ends[0], width, ends[1] - ends[0]))
            drawn += Markup('<rect class="part{}{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                number, tone, *box
            )
    return drawn


def _picture(drawn: Sequence[Markup], says: str, height: int = HEIGHT) -> Markup:
    return Markup('<svg role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>').format(
        WIDTH, height, says, Markup("").join(drawn)
    )


def _level(y: float, label: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
        '<text class="label" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT, WIDTH, LEFT - 6, _n(y + 4), label, y=_n(y))


def _label(x: float, y: float, text: str) -> Markup:
    return Markup('<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        _n(x), _n(y), escape(text)
    )


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _round_up(n: float) -> int:
    """The next round number, so that the highest bar nearly fills the picture."""
    power = 10 ** math.floor(math.log10(max(n, 1)))
    return next(int(k * power) for k in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if k * power >= n)


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
