"""The chat plugin by REST: public channels, from the newest message down.

Deleted messages are shown to staff; what the daily job has let expire is not there any more, which
is no deletion.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pipeline.errors import FixAccess
from pipeline.records import HIGHEST, Bookmark, Bookmarks, Part, Record
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.marks import (
    ChannelMark,
    ChatMark,
    parse,
    sql,
    sql_is_whole,
    state,
    text_state,
    written,
)
from pipeline.sources.discourse.rest import (
    DAY_US,
    NIGHTS,
    OVERLAP_US,
    Site,
    differing,
    micros,
    newest_first,
    only,
    whole,
)

CHANNELS_PAGE = 25
PAGE = 50
OF_LATE_US = 2 * NIGHTS * DAY_US
EXPIRY_US = 2 * DAY_US  # twice as long as what expires may wait for the daily job that deletes it

_CHANNEL_FIELDS = (
    "id",
    "title",
    "chatable_id",
    "chatable_type",
    "status",
    "threading_enabled",
)
_MESSAGE_FIELDS = (
    "id",
    "message",
    "created_at",
    "deleted_at",
    "edited",
    "thread_id",
    "chat_channel_id",
)


def chat(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """Channels of categories that may be read, and their messages: down to what is held, and once
    a week, or where its threads were switched, all of them, for what became of older ones."""
    asked_at = site.now()
    channels = list(_channels(site, bookmarks))
    records = [_channel_record(channel, asked_at) for channel in channels]
    held = bookmarks["chat_channels"].marks()
    readers = [_Channel(site, channel, bookmarks["chat_messages"]) for channel in channels]
    for reader, channel, record in zip(readers, channels, records, strict=True):
        is_due = (channel["id"] - site.night()) % NIGHTS == 0
        is_switched = _threading(held.get(record.key)) != _threading(record.mark)
        yield from reader.read(to_its_end=is_due or is_switched)
    oldest_at = min(reader.oldest_at for reader in readers) if readers else 0
    for reader in readers:
        if (part := reader.destroyed(oldest_at + EXPIRY_US)).records:
            yield part
    yield whole(site, records, bookmarks["chat_channels"], asked_at, "chat_channels")


def expected_requests(site: Site, bookmarks: Bookmarks, messages: int) -> int:
    """What the next read of a chat of this many messages costs, once it asked for its channels. One
    message in ten begins a thread, where channels show them, and a thread is a request; each week
    those of late are asked for again."""
    channels: list[dict[str, Any]] = []
    if messages:
        with suppress(Refused, FixAccess):  # then it is not read either
            channels += _channels(site, bookmarks)
    threaded = sum(bool(channel.get("threading_enabled")) for channel in channels)
    threads = messages * threaded // max(1, len(channels)) // 10
    requests = messages // PAGE + threads
    if bookmarks["chat_channels"].rows is not None:
        requests = messages // PAGE // NIGHTS + threads // NIGHTS // NIGHTS
    return requests + 5


def _channels(site: Site, bookmarks: Bookmarks) -> Iterator[dict[str, Any]]:
    open_ = {category["id"]: category for category in site.categories(bookmarks)}
    seen: set[int] = set()
    while True:
        page = site.client.fetch("/chat/api/channels.json", limit=CHANNELS_PAGE, offset=len(seen))
        new = [channel for channel in page["channels"] if channel["id"] not in seen]
        seen |= {channel["id"] for channel in new}
        for channel in new:
            category = open_.get(channel["chatable_id"])
            if channel["chatable_type"] == "Category" and category:
                restricted = bool(category.get("read_restricted"))
                yield only(channel, *_CHANNEL_FIELDS) | {"read_restricted": restricted}
        if len(page["channels"]) < CHANNELS_PAGE or not new:
            return


def _channel_record(channel: dict[str, Any], asked_at: int) -> Record:
    threads, rest = channel.get("threading_enabled"), text_state(state(*channel.values()))
    mark = written(ChannelMark, threads=threads, rest=rest)
    return Record("chat_channels", str(channel["id"]), channel, asked_at, mark=mark)


def _threading(mark: str | None) -> str:
    return parse(ChannelMark, mark).threads or ""


class _Channel:
    """Reads one channel: messages that differ from those held, the newest first.

    oldest_at  when the oldest message read tonight was written, µs; beyond all times if none was
    """

    def __init__(self, site: Site, channel: dict[str, Any], held: Bookmark) -> None:
        self._site = site
        self._path = f"/chat/api/channels/{channel['id']}"
        self._held = held
        self._seen: set[int] = set()
        self._answers: set[int] = set()  # some held as no answers: threads were just switched on
        self._is_whole = False
        self.oldest_at = HIGHEST

    def read(self, *, to_its_end: bool) -> Iterator[Part]:
        """Down to what is held, or to its end. The replies of a thread come with its first message,
        so that a kill leaves neither alone; it tells when there are more or fewer of them, but not
        when one was edited, so those of late are asked for each time all is read."""

        def ask(_: int) -> tuple[list[dict[str, Any]], Part]:
            asked_at = self._site.now()
            page = self._page(self._path, min(self._seen, default=None))
            self._seen.update(message["id"] for message in page)
            told = [_record(message, asked_at) for message in page]
            self.oldest_at = min([self.oldest_at, *(r.at for r in told if r.at is not None)])
            found = differing(told, self._held)
            keys = {record.key for record in found}
            replies = [
                reply
                for message in page
                if message.get("thread_id")
                if str(message["id"]) in keys or (to_its_end and self._is_of_late(message))
                for reply in self._replies(message)
            ]
            self._answers.update(int(reply.key) for reply in replies)
            return page, Part((*found, *differing(replies, self._held)))

        known = Bookmark() if to_its_end else self._held
        yield from newest_first(ask, "created_at", known, OVERLAP_US)
        self._is_whole = to_its_end and bool(self._seen)

    def destroyed(self, unexpired: int) -> Part:
        """Tombstones of the channel's own messages that were destroyed, where all of it was read.
        What was written after `unexpired` (µs) cannot have expired: in another channel stands what
        is older, and all expire by one rule."""
        if not self._is_whole:
            return Part()
        seen = self._seen | self._answers
        return Part(tuple(self._destroyed("", min(self._seen), seen, unexpired)))

    def _destroyed(
        self, first: str, oldest: int, seen: set[int], unexpired: int = HIGHEST
    ) -> Iterator[Record]:
        """Tombstones of what is held of a thread (empty: of the channel itself), is newer than the
        oldest message there or `unexpired`, and was not seen. What expires goes from the oldest on,
        so these were destroyed with their author's account. What an older version marked is left
        alone: it did not tell threads apart."""
        asked_at = self._site.now()
        channel = self._path.rpartition("/")[2]
        for (key,) in self._held.ask(
            'SELECT CAST(key AS BIGINT) AS id WHERE NOT gone AND (id > ? OR "at" > ?)'
            f" AND {sql(ChatMark, 'channel')} = ? AND {sql(ChatMark, 'first')} = ?"
            f" AND {sql_is_whole(ChatMark)}",
            oldest,
            unexpired,
            channel,
            first,
        ):
            if key not in seen:
                yield Record("chat_messages", str(key), {}, asked_at, gone=True)

    def _page(self, path: str, before: int | None) -> list[dict[str, Any]]:
        """Messages before one, or the newest; the newest first. None where they are refused."""
        wish: dict[str, Any] = {"page_size": PAGE}
        if before is not None:
            wish |= {"direction": "past", "target_message_id": before}
        try:
            answer = self._site.client.fetch(f"{path}/messages.json", **wish)
        except Refused:  # a channel deleted or closed since it was listed, threads switched off
            return []
        messages: list[dict[str, Any]] = answer["messages"]
        return messages[::-1]

    def _is_of_late(self, first: dict[str, Any]) -> bool:
        """Whether its thread was answered in the last weeks, or the server does not tell."""
        preview = (first.get("thread") or {}).get("preview") or {}
        answered_at = micros(preview.get("last_reply_created_at"))
        return answered_at is None or answered_at > self._site.now() - OF_LATE_US

    def _replies(self, first: dict[str, Any]) -> Iterator[Record]:
        """All replies of the thread that this message began, and tombstones of those destroyed."""
        seen: set[int] = set()
        while True:
            asked_at = self._site.now()
            page = self._page(f"{self._path}/threads/{first['thread_id']}", min(seen, default=None))
            seen.update(message["id"] for message in page)
            for message in page:
                if message["id"] != first["id"]:
                    yield _record(message, asked_at, first["id"])
            if len(page) < PAGE:
                break
        if first["id"] in seen:
            yield from self._destroyed(str(first["id"]), first["id"], seen)


def _record(message: dict[str, Any], asked_at: int, first: int | None = None) -> Record:
    """`first`: the message that began its thread, of a reply.

    One whose author is gone is shown as deleted at the moment of asking, so its mark leaves that
    out; the mark of a thread's first message tells how far the thread has come."""
    user, answered = message.get("user") or {}, message.get("in_reply_to") or {}
    payload = only(message, *_MESSAGE_FIELDS) | {
        "user": only(user, "id", "username"),
        "in_reply_to_id": answered.get("id"),
        "original_message_id": first,
        "reactions": [only(given, "emoji", "count") for given in message.get("reactions") or ()],
    }
    if "mentioned_users" in message:
        payload["mentioned_user_ids"] = [who["id"] for who in message["mentioned_users"]]
    thread = message.get("thread") or {}
    mark = written(
        ChatMark,
        channel=message["chat_channel_id"],
        user=user.get("id"),
        deleted_at=user.get("id") and message.get("deleted_at"),
        edited=message.get("edited"),
        message=text_state(message["message"]),
        reactions=text_state(payload["reactions"]),
        first=first,
        replies=thread.get("reply_count"),
        last_reply=(thread.get("preview") or {}).get("last_reply_id"),
    )
    at = micros(message["created_at"])
    return Record("chat_messages", str(message["id"]), payload, asked_at, at=at, mark=mark)
