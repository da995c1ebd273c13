"""The sandbox's own time, so that a test or a demonstration can move from night to night."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Aware UTC time that starts at `now` and runs on, or stands still where `frozen`."""

    def __init__(self, now: datetime | None = None, *, frozen: bool = False) -> None:
        self.frozen = frozen
        self.set(now or datetime.now(UTC))

    def now(self) -> datetime:
        """The present moment of the sandbox."""
        if self.frozen:
            return self._set_to
        return self._set_to + timedelta(seconds=time.monotonic() - self._set_at)

    def set(self, now: datetime) -> None:
        """Move to an aware moment; time runs on from there."""
        self._set_to = now.astimezone(UTC)
        self._set_at = time.monotonic()
