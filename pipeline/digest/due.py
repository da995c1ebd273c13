"""When readers may be told: on their days, from their hour on, never in their quiet hours. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.settings import Audience


def due_at(reader: Audience, zone: str, as_of: datetime) -> datetime:
    """The moment (UTC) from which the night of `as_of` may be told: the next `send_at` on the
    readers' clocks; without one at once, or when their quiet hours end. An hour that a change of
    clocks leaves out is taken an hour later; of one that comes twice, the first counts.

    zone  the readers' time zone
    """
    local = as_of.astimezone(ZoneInfo(zone))
    clock = reader.send_at
    if clock is None and reader.quiet and reader.is_quiet(local.time()):
        clock = reader.quiet[1]
    if clock is None:
        return as_of.astimezone(UTC)
    at = datetime.combine(local.date(), clock, ZoneInfo(zone)).astimezone(UTC)
    if at < as_of:
        next_day = local.date() + timedelta(days=1)
        at = datetime.combine(next_day, clock, ZoneInfo(zone)).astimezone(UTC)
    return at


def is_due(reader: Audience, zone: str, as_of: datetime, now: datetime) -> bool:
    """Whether the night of `as_of` may be told now. One that falls on a day of rest never is: its
    items come with the next night's. Without `send_at` any hour will do that is not quiet."""
    at = due_at(reader, zone, as_of)
    return (
        on_their_days(reader, zone, at)
        and (reader.send_at is None or now >= at)
        and not reader.is_quiet(now.astimezone(ZoneInfo(zone)).time())
    )


def on_their_days(reader: Audience, zone: str, at: datetime) -> bool:
    """Whether this moment lies on a day on which readers are told."""
    days = reader.days[:1] if reader.weekly else reader.days
    return at.astimezone(ZoneInfo(zone)).isoweekday() in days
