"""Endpoints of the chat plugin: channels, their messages, and those of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.discourse import sight
from pipeline.sandbox.discourse.cook import excerpt
from pipeline.sandbox.discourse.people import SYSTEM
from pipeline.sandbox.discourse.post_json import person
from pipeline.sandbox.discourse.tables import Row
from pipeline.sandbox.discourse.web import Routes, Visit, forbidden, missing, only

_STATUSES = ("open", "read_only", "closed", "archived")
_MOST = 50
routes = Routes()


@routes.on("GET", "/chat/api/channels")
def channels(visit: Visit) -> Any:
    """Public channels, by name, 25 a page unless `limit` says more, at most 50."""
    _need_chat(visit)
    rows = visit.read(
        "SELECT h.*, coalesce(h.name, c.name) AS title, c.name AS category, c.read_restricted"
        " FROM chat_channels AS h JOIN categories AS c ON c.id = h.chatable_id"
        " WHERE h.chatable_type = 'Category' AND h.deleted_at IS NULL"
        f" AND {sight.categories(visit, 'h.chatable_id')} ORDER BY h.name, c.name"
        f" LIMIT {visit.number('limit', 25, low=1, high=_MOST)}"
        f" OFFSET {visit.number('offset', 0)}"
    )
    copied = "id title slug chatable_id chatable_type description threading_enabled"
    shown = [
        only(row, copied)
        | {
            "status": _STATUSES[row["status"]],
            "chatable": {
                "id": row["chatable_id"],
                "name": row["category"],
                "read_restricted": row["read_restricted"],
            },
            "memberships_count": row["user_count"],
        }
        for row in rows
    ]
    return {"channels": shown, "meta": {"load_more_url": "/chat/api/channels?offset=25"}}


@routes.on("GET", "/chat/api/channels/{channel:int}/messages")
def messages(visit: Visit, channel: int) -> Any:
    """Messages of a channel, oldest first; where it has threads, without their replies."""
    place = _readable(visit, channel)
    shown = (
        "m.thread_id IS NULL OR m.id IN (SELECT original_message_id FROM chat_threads)"
        if place["threading_enabled"]
        else "TRUE"
    )
    return _page(visit, place, f"m.chat_channel_id = {channel} AND ({shown})")


@routes.on("GET", "/chat/api/channels/{channel:int}/threads/{thread:int}/messages")
def thread_messages(visit: Visit, channel: int, thread: int) -> Any:
    """Messages of a thread, its first one too, oldest first."""
    place = _readable(visit, channel)
    if not place["threading_enabled"]:
        raise missing()
    return _page(visit, place, f"m.chat_channel_id = {channel} AND m.thread_id = {thread}")


def _readable(visit: Visit, channel: int) -> Row:
    """The channel, if it is public: direct messages are for their people."""
    _need_chat(visit)
    found = visit.read("FROM chat_channels WHERE id = ? AND deleted_at IS NULL", channel)
    if not found:
        raise missing()
    readable = sight.categories(visit, str(found[0]["chatable_id"]))
    if found[0]["chatable_type"] != "Category" or not visit.read(f"SELECT 1 WHERE {readable}"):
        raise forbidden()
    return found[0]


def _page(visit: Visit, channel: Row, where: str) -> Any:
    """At most `page_size` messages, from the newest, or before or after `target_message_id`. Staff
    see deleted ones."""
    size = visit.number("page_size", _MOST, low=1, high=_MOST)
    target = visit.number("target_message_id", 0)
    future = visit.query.get("direction") == "future"
    side = f"m.id > {target}" if future else (f"m.id < {target}" if target else "TRUE")
    rows = visit.read(
        f"SELECT m.* FROM chat_messages AS m WHERE {where} AND {side}"
        f" AND {'TRUE' if visit.staff else 'm.deleted_at IS NULL'}"
        f" ORDER BY m.created_at {'ASC' if future else 'DESC'}, m.id {'ASC' if future else 'DESC'}"
        f" LIMIT {size}"
    )
    page = rows if future else rows[::-1]
    return {
        "messages": _shown(visit, channel, page),
        "meta": {
            "target_message_id": target or None,
            "can_load_more_past": len(rows) == size and not future,
            "can_load_more_future": len(rows) == size and future,
        },
    }


def _shown(visit: Visit, channel: Row, rows: list[Row]) -> list[Row]:
    beside = _Beside(visit, [row["id"] for row in rows], [row["in_reply_to_id"] for row in rows])
    return [
        _always(visit, row, beside.person(row["user_id"]), is_known=row["user_id"] in beside.people)
        | beside.more(row)
        | (beside.thread(row) if channel["threading_enabled"] else {})
        for row in rows
    ]


class _Beside:
    """What other tables say of the messages of one page."""

    def __init__(self, visit: Visit, ids: list[int], answered: list[int | None]) -> None:
        def of(table: str, column: str, keys: list[Any] = ids) -> list[Row]:
            where = f"WHERE {column} IN (SELECT unnest(?::BIGINT[])) ORDER BY id"
            return visit.read(f"FROM {table} {where}", keys)

        self._me = visit.user_id
        self.people = {
            user["id"]: person(user["id"], user["username"], user["name"])
            for user in visit.read("SELECT id, username, name FROM users")
        }
        self._edited = {
            row["chat_message_id"] for row in of("chat_message_revisions", "chat_message_id")
        }
        self._mentions = of("chat_mentions", "chat_message_id")
        self._reactions = of("chat_message_reactions", "chat_message_id")
        self._threads = {
            row["original_message_id"]: row for row in of("chat_threads", "original_message_id")
        }
        last = [thread["last_message_id"] for thread in self._threads.values()]
        self._replied_at = {row["id"]: row["created_at"] for row in of("chat_messages", "id", last)}
        self._answered = {row["id"]: row for row in of("chat_messages", "id", answered)}

    def person(self, user_id: int | None) -> Row:
        return self.people.get(user_id, _NOBODY)

    def more(self, message: Row) -> Row:
        """Mentions, and what is only there where there is something to say."""
        mentioned = [
            m["target_id"] for m in self._mentions if m["chat_message_id"] == message["id"]
        ]
        shown: Row = {"mentioned_users": [self.person(user) for user in mentioned]}
        if reactions := list(self._given(message["id"])):
            shown["reactions"] = reactions
        if message["id"] in self._edited:
            shown["edited"] = True
        if message["in_reply_to_id"] is not None:
            shown["in_reply_to"] = self._quoted(self._answered.get(message["in_reply_to_id"]))
        return shown

    def thread(self, message: Row) -> Row:
        """The thread of a message; what is known of it stands beside its first one alone."""
        shown: Row = {"thread_id": message["thread_id"]}
        if row := self._threads.get(message["id"]):
            replies = row["replies_count"]
            shown["thread"] = {
                "id": row["id"],
                "title": row["title"],
                "status": _STATUSES[row["status"]],
                "channel_id": row["channel_id"],
                "reply_count": replies,
                "preview": {
                    "last_reply_id": row["last_message_id"],
                    "last_reply_created_at": self._replied_at.get(row["last_message_id"]),
                    "reply_count": replies,
                },
            }
        return shown

    def _given(self, message_id: int) -> Iterator[Row]:
        """An emoji and the first five who gave it, in the order it was first given."""
        by_emoji: dict[str, list[int | None]] = {}
        for row in self._reactions:
            if row["chat_message_id"] == message_id:
                by_emoji.setdefault(row["emoji"], []).append(row["user_id"])
        for emoji, users in by_emoji.items():
            yield {
                "emoji": emoji,
                "count": len(users),
                "users": [self.person(user) for user in users[:5]],
                "reacted": self._me in users,
            }

    def _quoted(self, message: Row | None) -> Row | None:
        """What a message answers; null where it is deleted."""
        if message is None or message["deleted_at"] is not None:
            return None
        return {
            "id": message["id"],
            "cooked": message["cooked"],
            "excerpt": excerpt(message["cooked"]),
            "user": self.person(message["user_id"]),
        }


_NOBODY = {"id": None, "username": "deleted", "name": None, "avatar_template": ""}


def _always(visit: Visit, row: Row, user: Row, *, is_known: bool) -> Row:
    """What every message has. One of nobody is shown as deleted at this very moment."""
    deleted_at = row["deleted_at"] if is_known else visit.now
    deleted = {
        "deleted_at": deleted_at and deleted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "deleted_by_id": row["deleted_by_id"] if is_known else SYSTEM,
    }
    return {
        "id": row["id"],
        "message": row["message"],
        "cooked": row["cooked"],
        "created_at": row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "excerpt": excerpt(row["cooked"]),
        "chat_channel_id": row["chat_channel_id"],
        "streaming": False,
        "user": user,
        "available_flags": [],
        "blocks": [],
        "uploads": [],
        "chat_webhook_event": None,
    } | (deleted if deleted_at is not None else {})


def _need_chat(visit: Visit) -> None:
    if not visit.switches.chat:
        raise missing()
    if visit.user is None:
        raise forbidden()
