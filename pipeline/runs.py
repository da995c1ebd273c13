"""How a run is named: by the moment it began, so that names sort by time."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y%m%dT%H%M%S%fZ"


def name_of(began: datetime) -> str:
    """The name of a run that began then (aware)."""
    return began.astimezone(UTC).strftime(_FORM)


def began(run: str) -> datetime:
    """When a run began, UTC. Raises ValueError for what names no run."""
    return datetime.strptime(run, _FORM).replace(tzinfo=UTC)
