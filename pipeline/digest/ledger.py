"""The ledger of what was sent: it makes a rerun silent and keeps items from coming back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.digest.edition import Edition, Item, ItemId, ItemKey
from pipeline.jsonl import JsonLines
from pipeline.settings import Community

if TYPE_CHECKING:
    from pipeline.digest.ladder import Step

Kind = Literal["digest", "step", "review"]


@dataclass(frozen=True, slots=True)
class ToldItem:
    """One item of an entry.

    message  id of the chat message that stands for it; null elsewhere
    post     id of the post that was put into a review queue; null elsewhere
    """

    ref: str
    keys: tuple[ItemKey, ...]
    message: str | None = None
    post: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What was sent to one place for one night.

    kind      "digest"; "step": of a ladder; "review": put into a source's review queue
    audience  who got it; empty for a review queue
    channel   "mail", "files" and the like; of a step "ladder/rung"
    source    where the chat messages of a digest were posted; null elsewhere, and where an older
              version of Hearth did not note it
    """

    kind: Kind
    audience: str
    channel: str
    night: date
    sent_at: datetime
    items: tuple[ToldItem, ...]
    source: str | None = None

    @property
    def size(self) -> int:
        """How many of its items need a person; what was answered is told beside them."""
        return sum(item.keys[0].kind != "answered" for item in self.items)

    @property
    def ids(self) -> set[ItemId]:
        """Its items, whatever their evidence."""
        return {key.item for item in self.items for key in item.keys}


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

    def __iter__(self) -> Iterator[Entry]:
        """All entries in the order they were written, as the file has them now."""
        return map(_entry, self._lines)

    def was_sent(self, audience: str, night: date, channel: str) -> bool:
        """Whether this channel already got this night's edition."""
        wanted = (audience, night, channel)
        return any((e.audience, e.night, e.channel) == wanted for e in self)

    def told(self, audience: str, night: date, channel: str = "files") -> dict[ItemKey, date]:
        """Keys of all items this audience was told of on this channel on nights before this one,
        with the last such night.

        Channels are kept apart: what a mail server refused for a week is still news by mail."""
        return {
            key: entry.night
            for entry in sorted(self, key=lambda entry: entry.night)
            if (entry.audience, entry.channel) == (audience, channel) and entry.night < night
            for item in entry.items
            for key in item.keys
        }

    def first_told(self, audience: str) -> dict[ItemId, datetime]:
        """Item -> when a digest first told this audience of it, on whatever channel."""
        digests = (e for e in self if e.kind != "step" and e.audience == audience)
        newest_first = sorted(digests, key=lambda entry: entry.sent_at, reverse=True)
        return {id_: entry.sent_at for entry in newest_first for id_ in entry.ids}

    def first_nights(self) -> dict[ItemId, date]:
        """Item -> the night whose digest or report first told anybody of it."""
        told = (entry for entry in self if entry.kind != "step")
        newest_first = sorted(told, key=lambda entry: entry.night, reverse=True)
        return {id_: entry.night for entry in newest_first for id_ in entry.ids}

    def steps_taken(self, audience: str) -> dict[str, set[ItemId]]:
        """Channel of each step of a ladder -> items that took it."""
        found: defaultdict[str, set[ItemId]] = defaultdict(set)
        for entry in self:
            if entry.kind == "step" and entry.audience == audience:
                found[entry.channel] |= entry.ids
        return dict(found)

    def reported(self) -> dict[tuple[str, str], tuple[ItemKey, ...]]:
        """(source, message) that was put into a review queue -> the item's keys."""
        return {
            (item.keys[0].source, item.post): item.keys
            for entry in self
            for item in entry.items
            if item.post
        }

    def keys_of(self, ref: str) -> tuple[ItemKey, ...]:
        """Keys of the item that was last told under this reference; empty if none was."""
        told = {item.ref: item.keys for entry in self for item in entry.items}
        return told.get(ref, ())

    def posted(self) -> dict[str, tuple[tuple[ItemKey, ...], date]]:
        """Id of each chat message that stands for one item -> the item's keys and its night."""
        return {
            item.message: (item.keys, entry.night)
            for entry in self
            for item in entry.items
            if item.message
        }

    def posted_since(self, night: date) -> dict[str, str | None]:
        """Id of each chat message that stands for one item of this night or a later one -> the
        source it was posted to; null where it was not noted."""
        return {
            item.message: entry.source
            for entry in self
            if entry.night >= night
            for item in entry.items
            if item.message
        }

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
        items = (item for section in edition.sections for item in section.items)
        told = [_told(item, message=(messages or {}).get(item.ref)) for item in items]
        where = {"community": edition.community, "audience": edition.audience, "channel": channel}
        if messages:
            where["source"] = source
        self._note("digest", edition.night, sent_at, told, **where)

    def record_step(
        self, community: str, audience: str, night: date, step: Step, sent_at: datetime
    ) -> None:
        """Note that these items took this step of a ladder; on disk when it returns."""
        told = [_told(item) for item in step.items]
        where = {"community": community, "audience": audience, "channel": step.channel}
        self._note("step", night, sent_at, told, **where)

    def record_report(self, community: str, night: date, item: Item, sent_at: datetime) -> None:
        """Note that this item's message was put into its source's review queue."""
        told = [_told(item, post=item.message_id)]
        where = {"community": community, "audience": "", "channel": "review"}
        self._note("review", night, sent_at, told, **where)

    def _note(
        self, kind: Kind, night: date, sent_at: datetime, told: list[dict[str, Any]], **where: str
    ) -> None:
        times = {"night": night.isoformat(), "sent_at": sent_at.isoformat()}
        self._lines.add({"kind": kind, **where, **times, "items": told})


def _told(item: Item, **stands_for_it: str | None) -> dict[str, Any]:
    more = {name: value for name, value in stands_for_it.items() if value is not None}
    return {"ref": item.ref, "keys": item.keys, **more}


def _entry(line: Mapping[str, Any]) -> Entry:
    """An entry as JSON has it. Older versions of Hearth noted no kind."""
    channel: str = line["channel"]
    older: Kind = "step" if "/" in channel else "review" if channel == "review" else "digest"
    return Entry(
        kind=line.get("kind", older),
        audience=line["audience"],
        channel=channel,
        night=date.fromisoformat(line["night"]),
        sent_at=datetime.fromisoformat(line["sent_at"]),
        items=tuple(
            ToldItem(
                item["ref"],
                tuple(map(read_key, item["keys"])),
                item.get("message"),
                item.get("post"),
            )
            for item in line["items"]
        ),
        source=line.get("source"),
    )


def read_key(key: list[Any]) -> ItemKey:
    """A key as JSON has it."""
    source, thread_id, kind, text_hash, evidence = key
    return ItemKey(source, thread_id, kind, text_hash, tuple(evidence))
