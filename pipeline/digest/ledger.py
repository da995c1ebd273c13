"""The ledger of what was sent: it makes a rerun silent and keeps items from coming back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipeline.digest.edition import Edition, Item, ItemKey
from pipeline.errors import FixSettings


class Ledger:
    """A JSON-lines file, one line per audience, night and channel. Lines are only ever added.

    A line half written by a crash is not counted: what it stood for was sent, and may be sent once
    more, which is better than never.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def was_sent(self, audience: str, night: date, channel: str) -> bool:
        """Whether this channel already got this night's edition."""
        wanted = (audience, night.isoformat(), channel)
        return any((e["audience"], e["night"], e["channel"]) == wanted for e in self._entries())

    def told(self, audience: str, night: date, channel: str = "files") -> set[ItemKey]:
        """Keys of all items this audience was told of on this channel on nights before this one.

        Channels are kept apart: what a mail server refused for a week is still news by mail."""
        return {
            _key(key)
            for entry in self._entries()
            if (entry["audience"], entry["channel"]) == (audience, channel)
            and entry["night"] < night.isoformat()
            for item in entry["items"]
            for key in item["keys"]
        }

    def keys_of(self, ref: str) -> tuple[ItemKey, ...]:
        """Keys of the item that was last told under this reference; empty if none was."""
        found: tuple[ItemKey, ...] = ()
        for entry in self._entries():
            for item in entry["items"]:
                if item["ref"] == ref:
                    found = tuple(_key(key) for key in item["keys"])
        return found

    def record(self, edition: Edition, channel: str, sent_at: datetime) -> None:
        """Note that this channel got this edition; on disk when it returns."""
        entry = {
            "community": edition.community,
            "audience": edition.audience,
            "night": edition.night.isoformat(),
            "channel": channel,
            "sent_at": sent_at.isoformat(),
            "items": [_told(item) for section in edition.sections for item in section.items],
        }
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            whole = not self.file.exists() or self.file.read_bytes()[-1:] in (b"", b"\n")
            with self.file.open("ab") as out:
                out.write((b"" if whole else b"\n") + line + b"\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise FixSettings(f"{self.file}: the send ledger cannot be written: {error}") from error

    def _entries(self) -> Iterator[dict[str, Any]]:
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def _told(item: Item) -> dict[str, Any]:
    return {"ref": item.ref, "keys": item.keys}


def _key(key: list[Any]) -> ItemKey:
    source, thread_id, kind, text_hash, evidence = key
    return ItemKey(source, thread_id, kind, text_hash, tuple(evidence))
