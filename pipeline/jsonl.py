"""A file of JSON lines that only grows, and survives a crash in the middle of a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import FixSettings
from pipeline.files import make_folder


class JsonLines:
    """Entries of a JSON-lines file in the order they were added. An absent file has none."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add one entry; it is on disk when this returns. Raises FixSettings if it cannot be."""
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        make_folder(self.file.parent)
        try:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "rb+") as out:
                end = out.seek(0, os.SEEK_END)
                if end:
                    out.seek(end - 1)
                    line = line if out.read(1) == b"\n" else b"\n" + line
                out.write(line)
                out.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise FixSettings(
                f"cannot write {self.file}: {error.strerror}; free space or fix its folder's "
                "permissions, then run again"
            ) from error

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All whole entries; one that a crash cut short is skipped."""
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue
