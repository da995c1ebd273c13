"""The sandbox forum: everything a Discourse site knows, in an in-memory DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.sandbox.discourse.moderating import Moderating
from pipeline.sandbox.discourse.switches import Switches
from pipeline.sandbox.discourse.tables import action, made, utc

_FOUNDED = datetime(2014, 1, 1, tzinfo=UTC)


class Forum(Moderating):
    """A forum with its accounts `system` (-1) and `discobot` (-2), and no category yet.

    The methods of People, Writing and Moderating are what people, bots and staff do. `db` may be
    read by SQL through `read`; `write` changes it by SQL.
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

    @action
    def chat_channel(self, name: str, category_id: int, at: datetime) -> int:
        """The id of a new channel of the chat plugin."""
        row = self.add(
            "chat_channels", name=name, slug=name.lower(), chatable_id=category_id, **made(at)
        )
        return int(row["id"])

    @action
    def chat(
        self,
        channel_id: int,
        user_id: int,
        message: str,
        at: datetime,
        thread_id: int | None = None,
    ) -> int:
        """The id of a new message of the chat plugin."""
        channel = self.get("chat_channels", channel_id)
        row = self.add(
            "chat_messages",
            chat_channel_id=channel_id,
            user_id=user_id,
            message=message,
            cooked=f"<p>{message}</p>",
            last_editor_id=user_id,
            thread_id=thread_id,
            **made(at),
        )
        self.change("chat_channels", channel_id, messages_count=channel["messages_count"] + 1)
        return int(row["id"])

    @action
    def chat_delete(self, message_id: int, by: int, at: datetime) -> None:
        """Delete a chat message softly."""
        self.change("chat_messages", message_id, deleted_at=utc(at), deleted_by_id=by)
