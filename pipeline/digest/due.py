"""When readers may be told: on their days, from their hour on, never in their quiet hours. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.settings import Audience


def due_at(reader: Audience, zone: str, as_of: datetime) -> datetime:
    """The moment (UTC) from which the night of `as_of` may be told: the next `send_at` on the
    readers' clocks, or at once without one. An hour that a change of clocks leaves out is taken an
    hour later; of one that comes twice, the first counts.

    zone  the readers' time zone
    """
    local = as_of.astimezone(ZoneInfo(zone))
    if reader.send_at is None:
        return as_of.astimezone(UTC)
    at = datetime.combine(local.date(), reader.send_at, ZoneInfo(zone)).astimezone(UTC)
    if at < as_of:
        next_day = local.date() + timedelta(days=1)
        at = datetime.combine(next_day, reader.send_at, ZoneInfo(zone)).astimezone(UTC)
    return at


def is_due(reader: Audience, zone: str, as_of: datetime, now: datetime) -> bool:
    """Whether the night of `as_of` may be told now. A night of a day on which readers rest never
    is: its items come with the next. Without `send_at` the clock is asked for quiet hours alone."""
    at = due_at(reader, zone, as_of)
    return (
        rests_not(reader, zone, at)
        and (reader.send_at is None or now >= at)
        and not reader.is_quiet(now.astimezone(ZoneInfo(zone)).time())
    )


def rests_not(reader: Audience, zone: str, at: datetime) -> bool:
    """Whether this moment lies on a day on which readers are told."""
    days = reader.days[:1] if reader.weekly else reader.days
    return at.astimezone(ZoneInfo(zone)).isoweekday() in days
