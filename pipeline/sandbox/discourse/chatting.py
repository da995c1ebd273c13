"""The sandbox forum's chat plugin: what is said in its channels, and what becomes of it.

Source: `plugins/chat`, its services (CreateMessage, UpdateMessage, TrashMessage, TrashChannel) and
its jobs (DeleteOldMessages, ChannelDelete).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pipeline.sandbox.discourse.cook import MENTION, cook
from pipeline.sandbox.discourse.moderating import Moderating
from pipeline.sandbox.discourse.tables import Row, action, made, utc

_BY_MESSAGE = ("chat_mentions", "chat_message_reactions", "chat_message_revisions")
_RETENTION = timedelta(days=90)  # chat_channel_retention_days


class Chatting(Moderating):
    """The chat's part. All times are aware."""

    def __init__(self, solved: int | None, at: datetime) -> None:
        super().__init__(solved, at)
        self._expired_on: date | None = None

    @action
    def chat_channel(
        self,
        name: str | None,
        category_id: int,
        at: datetime,
        *,
        threads: bool = False,
        **columns: Any,
    ) -> int:
        """The id of a new channel; without a name of its own it is called as its category is.

        `threads`: replies stand in threads, not in the channel."""
        row = self.add(
            "chat_channels",
            name=name,
            slug=(name or "").lower(),
            chatable_id=category_id,
            threading_enabled=threads,
            **made(at),
            **columns,
        )
        return int(row["id"])

    @action
    def chat_direct(self, user_ids: list[int], at: datetime) -> int:
        """The id of a channel for the direct messages of these people."""
        return self.chat_channel(
            None, user_ids[0], at, chatable_type="DirectMessage", type="DirectMessageChannel"
        )

    @action
    def chat(
        self,
        channel_id: int,
        user_id: int,
        message: str,
        at: datetime,
        reply_to: int | None = None,
        *,
        id: int | None = None,  # noqa: A002 - the column's name
    ) -> int:
        """The id of a new message. An answer to another makes a thread of both, or joins its
        thread, even where the channel shows none."""
        thread = None if reply_to is None else self._thread_of(reply_to, at)
        row = self.add(
            "chat_messages",
            id=id,
            chat_channel_id=channel_id,
            user_id=user_id,
            message=message,
            cooked=cook(message),
            last_editor_id=user_id,
            in_reply_to_id=reply_to,
            thread_id=thread,
            **made(at),
        )
        self._note_mentions(row, at)
        if thread is not None:
            replies = self.get("chat_threads", thread)["replies_count"]
            self.change(
                "chat_threads", thread, replies_count=replies + 1, last_message_id=row["id"]
            )
        return int(row["id"])

    @action
    def chat_edit(self, message_id: int, message: str, at: datetime) -> None:
        """Change what a message says; what it said is kept as a revision."""
        old = self.get("chat_messages", message_id)
        self.add(
            "chat_message_revisions",
            chat_message_id=message_id,
            old_message=old["message"],
            new_message=message,
            user_id=old["user_id"],
            **made(at),
        )
        row = self.change(
            "chat_messages", message_id, message=message, cooked=cook(message), updated_at=utc(at)
        )
        self.write("DELETE FROM chat_mentions WHERE chat_message_id = ?", message_id)
        self._note_mentions(row, at)

    @action
    def chat_delete(self, message_id: int, by: int, at: datetime) -> None:
        """Delete a message softly; `updated_at` does not move."""
        self.change("chat_messages", message_id, deleted_at=utc(at), deleted_by_id=by)

    @action
    def chat_restore(self, message_id: int) -> None:
        """Take a deletion back; no time moves."""
        self.change("chat_messages", message_id, deleted_at=None, deleted_by_id=None)

    @action
    def chat_react(self, message_id: int, user_id: int, emoji: str, at: datetime) -> int:
        """The id of a reaction; the message does not change."""
        row = self.add(
            "chat_message_reactions",
            chat_message_id=message_id,
            user_id=user_id,
            emoji=emoji,
            **made(at),
        )
        return int(row["id"])

    @action
    def chat_unreact(self, message_id: int, user_id: int, emoji: str) -> None:
        """Take a reaction back; its row is gone."""
        self.write(
            "DELETE FROM chat_message_reactions WHERE chat_message_id = ? AND user_id = ?"
            " AND emoji = ?",
            message_id,
            user_id,
            emoji,
        )

    @action
    def chat_trash_channel(self, channel_id: int, by: int, at: datetime) -> None:
        """Delete a channel softly, and its messages; reactions and revisions are gone."""
        self.change("chat_channels", channel_id, deleted_at=utc(at), deleted_by_id=by)
        self._forget_around("chat_channel_id = ?", channel_id)
        self.write(
            "UPDATE chat_messages SET deleted_at = ?, deleted_by_id = ? WHERE chat_channel_id = ?"
            " AND deleted_at IS NULL",
            utc(at),
            by,
            channel_id,
        )

    @action
    def chat_expire(self, before: datetime) -> None:
        """Destroy all messages of public channels written before a moment; what answered them
        answers nothing any more."""
        old = (
            "created_at < ? AND chat_channel_id IN"
            " (SELECT id FROM chat_channels WHERE chatable_type = 'Category')"
        )
        self._destroy(old, utc(before))

    @action
    def run_jobs(self, at: datetime) -> None:
        """Also what expires each day."""
        super().run_jobs(at)
        if self._expired_on != at.date():
            self._expired_on = at.date()
            self.chat_expire(at - _RETENTION)

    @action
    def delete_user(self, user_id: int, at: datetime, *, with_chat: bool = False) -> None:
        """Delete an account: its chat messages keep its id, which is nobody's any more, unless
        they are destroyed with it."""
        super().delete_user(user_id, at)
        self.write("DELETE FROM chat_message_reactions WHERE user_id = ?", user_id)
        if with_chat:
            self._destroy("user_id = ?", user_id)

    def _destroy(self, which: str, value: Any) -> None:
        self._forget_around(which, value)
        ids = f"(SELECT id FROM chat_messages WHERE {which})"
        self.write(
            f"UPDATE chat_messages SET in_reply_to_id = NULL WHERE in_reply_to_id IN {ids}", value
        )
        self.write(f"DELETE FROM chat_messages WHERE {which}", value)

    def _forget_around(self, which: str, value: Any) -> None:
        for table in _BY_MESSAGE:
            self.write(
                f"DELETE FROM {table} WHERE chat_message_id IN"
                f" (SELECT id FROM chat_messages WHERE {which})",
                value,
            )

    def _thread_of(self, message_id: int, at: datetime) -> int:
        """The thread of a message, made now if it has none."""
        message = self.get("chat_messages", message_id)
        if message["thread_id"] is None:
            thread = self.add(
                "chat_threads",
                channel_id=message["chat_channel_id"],
                original_message_id=message_id,
                original_message_user_id=message["user_id"],
                last_message_id=message_id,
                **made(at),
            )
            message = self.change(
                "chat_messages", message_id, thread_id=thread["id"], updated_at=utc(at)
            )
        return int(message["thread_id"])

    def _note_mentions(self, message: Row, at: datetime) -> None:
        names = {name.lower() for name in MENTION.findall(message["message"])}
        for user in self.read("SELECT id, username_lower FROM users ORDER BY id") if names else ():
            if user["username_lower"] in names:
                self.add(
                    "chat_mentions",
                    chat_message_id=message["id"],
                    target_id=user["id"],
                    type="Chat::UserMention",
                    **made(at),
                )
