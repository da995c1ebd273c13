"""The ledger of what was sent: it makes a rerun silent and keeps items from coming back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.digest.edition import Edition, Item, ItemId, ItemKey
from pipeline.jsonl import JsonLines
from pipeline.settings import Community

if TYPE_CHECKING:
    from pipeline.digest.ladder import Step

_When = TypeVar("_When", bound=date)  # a moment is one too


class Ledger:
    """A file with one line per audience, night and channel. It keeps no text of a member.

    A line half written by a crash is not counted: what it stood for was sent, and may be sent once
    more, which is better than never.
    """

    def __init__(self, file: Path) -> None:
        self._lines = JsonLines(file)

    @classmethod
    def of(cls, community: Community) -> Ledger:
        """The ledger of a community."""
        return cls(community.home / "digests" / "ledger.jsonl")

    def was_sent(self, audience: str, night: date, channel: str) -> bool:
        """Whether this channel already got this night's edition."""
        wanted = (audience, night.isoformat(), channel)
        return any((e["audience"], e["night"], e["channel"]) == wanted for e in self._lines)

    def told(self, audience: str, night: date, channel: str = "files") -> dict[ItemKey, date]:
        """Keys of all items this audience was told of on this channel on nights before this one,
        with the last such night.

        Channels are kept apart: what a mail server refused for a week is still news by mail."""
        return {
            read_key(key): date.fromisoformat(entry["night"])
            for entry in sorted(self._lines, key=lambda entry: str(entry["night"]))
            if (entry["audience"], entry["channel"]) == (audience, channel)
            and entry["night"] < night.isoformat()
            for item in entry["items"]
            for key in item["keys"]
        }

    def first_told(self, audience: str) -> dict[ItemId, datetime]:
        """Item -> when this audience was first told of it, on whatever channel."""
        lines = (entry for entry in self._lines if entry["audience"] == audience)
        return _first(lines, lambda entry: datetime.fromisoformat(entry["sent_at"]))

    def first_nights(self) -> dict[ItemId, date]:
        """Item -> the night whose digest first told anybody of it."""
        return _first(self._lines, lambda entry: date.fromisoformat(entry["night"]))

    def steps_taken(self, audience: str) -> dict[str, set[ItemId]]:
        """Channel of each step of a ladder -> items that took it."""
        found: defaultdict[str, set[ItemId]] = defaultdict(set)
        for entry in self._lines:
            if entry["audience"] == audience and "/" in entry["channel"]:
                keys = (read_key(key) for item in entry["items"] for key in item["keys"])
                found[entry["channel"]] |= {key.item for key in keys}
        return dict(found)

    def record_step(
        self, community: str, audience: str, night: date, step: Step, sent_at: datetime
    ) -> None:
        """Note that these items took this step of a ladder; on disk when it returns."""
        told = [_told(item) for item in step.items]
        where = {"community": community, "audience": audience, "channel": step.channel}
        self._note(night, sent_at, told, **where)

    def record_report(self, community: str, night: date, item: Item, sent_at: datetime) -> None:
        """Note that this item's message was put into its source's review queue."""
        told = [_told(item, post=item.message_id)]
        where = {"community": community, "audience": "", "channel": "review"}
        self._note(night, sent_at, told, **where)

    def reported(self) -> dict[tuple[str, str], tuple[ItemKey, ...]]:
        """(source, message) that was put into a review queue -> the item's keys."""
        found = {}
        for entry in self._lines:
            for item in entry["items"]:
                if "post" in item:
                    keys = tuple(read_key(key) for key in item["keys"])
                    found[keys[0].source, item["post"]] = keys
        return found

    def keys_of(self, ref: str) -> tuple[ItemKey, ...]:
        """Keys of the item that was last told under this reference; empty if none was."""
        found: tuple[ItemKey, ...] = ()
        for entry in self._lines:
            for item in entry["items"]:
                if item["ref"] == ref:
                    found = tuple(read_key(key) for key in item["keys"])
        return found

    def posted(self) -> dict[str, tuple[tuple[ItemKey, ...], date]]:
        """Id of each chat message that stands for one item -> the item's keys and its night."""
        return {
            item["message"]: (
                tuple(read_key(key) for key in item["keys"]),
                date.fromisoformat(entry["night"]),
            )
            for entry, item in self._in_chat()
        }

    def posted_since(self, night: date) -> dict[str, str | None]:
        """Id of each chat message that stands for one item of this night or a later one -> the
        source it was posted to; null where an older version of Hearth wrote it down."""
        return {
            item["message"]: entry.get("source")
            for entry, item in self._in_chat()
            if entry["night"] >= night.isoformat()
        }

    def _in_chat(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each item that a chat message stands for, behind the line that tells of it."""
        for entry in self._lines:
            for item in entry["items"]:
                if "message" in item:
                    yield entry, item

    def record(
        self,
        edition: Edition,
        channel: str,
        sent_at: datetime,
        messages: Mapping[str, str] | None = None,
        source: str = "",
    ) -> None:
        """Note that this channel got this edition; on disk when it returns.

        messages  reference of an item -> id of the chat message that stands for it
        source    where these messages were posted
        """
        items = [item for section in edition.sections for item in section.items]
        told = [_told(item, message=(messages or {}).get(item.ref)) for item in items]
        where = {"community": edition.community, "audience": edition.audience, "channel": channel}
        if messages:
            where["source"] = source
        self._note(edition.night, sent_at, told, **where)

    def _note(
        self, night: date, sent_at: datetime, told: list[dict[str, Any]], **where: str
    ) -> None:
        times = {"night": night.isoformat(), "sent_at": sent_at.isoformat()}
        self._lines.add({**where, **times, "items": told})


def _told(item: Item, **stands_for_it: str | None) -> dict[str, Any]:
    more = {name: value for name, value in stands_for_it.items() if value is not None}
    return {"ref": item.ref, "keys": item.keys, **more}


def read_key(key: list[Any]) -> ItemKey:
    """A key as JSON has it."""
    source, thread_id, kind, text_hash, evidence = key
    return ItemKey(source, thread_id, kind, text_hash, tuple(evidence))


def _first(
    lines: Iterable[Mapping[str, Any]], when: Callable[[Mapping[str, Any]], _When]
) -> dict[ItemId, _When]:
    """Item -> the first time a digest told of it; steps of ladders are no digests."""
    found: dict[ItemId, _When] = {}
    for entry in lines:
        if "/" not in entry["channel"]:
            at = when(entry)
            for item in entry["items"]:
                for key in map(read_key, item["keys"]):
                    found[key.item] = min(at, found.get(key.item, at))
    return found
