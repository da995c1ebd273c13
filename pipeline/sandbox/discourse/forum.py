"""The sandbox forum: everything a Discourse site knows, in an in-memory DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.sandbox.discourse.chatting import Chatting
from pipeline.sandbox.discourse.switches import Switches
from pipeline.sandbox.discourse.tables import action

_FOUNDED = datetime(2014, 1, 1, tzinfo=UTC)


class Forum(Chatting):
    """A forum with its accounts `system` (-1) and `discobot` (-2), and no category yet.

    The methods of People, Writing, Moderating and Chatting are what people, bots and staff do. `db`
    may be read by SQL through `read`; `write` changes it by SQL.
    """

    def __init__(self, switches: Switches | None = None, founded: datetime = _FOUNDED) -> None:
        self.switches = switches or Switches()
        super().__init__(self.switches.solved, founded)
        self._memo: dict[bytes, tuple[datetime, int]] = {}

    @action
    def remember(self, request: bytes, at: datetime, post_id: int) -> None:
        """Note which post an API request made."""
        self._memo[request] = (at, post_id)

    def recall(self, request: bytes, now: datetime, seconds: int) -> int | None:
        """The post that the same request made within so many seconds; null if none."""
        at, post_id = self._memo.get(request, (None, None))
        return post_id if at is not None and (now - at).total_seconds() < seconds else None
