"""What a night says while it works: lines in a file, for whoever follows it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from pipeline.errors import FixSettings, HearthError
from pipeline.files import FULL, Disk
from pipeline.redact import clean

log = logging.getLogger("hearth")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: progress of a step, its end, or trouble that was met; `at` is s since 1970 UTC."""

    at: float
    level: Literal["progress", "done", "trouble"]
    step: str
    text: str


def printable(text: str) -> str:
    """Text of a server or a forum for a terminal: no control or direction marks."""
    kept = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(kept)


class Journal:
    """The journal of one run. Several processes may write to it at the same time; with many
    machines each has a file of its own beside the others."""

    def __init__(self, file: Path, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self.file = file.with_name(self._disk.journal)

    def progress(self, step: str, text: str, count: int = 1) -> None:
        """Noted at the 1st, 2nd, 4th, 8th ... of many; a terminal that follows sees every one."""
        log.getChild("progress").info("%s: %s", step, printable(text))
        if count & (count - 1) == 0 or count % 64 == 0:
            self._write("progress", step, text)

    def done(self, step: str, text: str) -> None:
        """A step ended well."""
        log.info("%s: %s", step, printable(text))
        self._write("done", step, text)

    def trouble(self, step: str, text: str) -> None:
        """Something an operator should know."""
        log.warning("%s: %s", step, printable(text))
        self._write("trouble", step, text)

    @contextmanager
    def telling(self, step: str) -> Iterator[None]:
        """Whatever ends this step badly is told before it goes on its way."""
        try:
            yield
        except HearthError as error:
            self.trouble(step, str(error))
            raise
        except OSError as error:
            if error.errno not in FULL:
                raise
            place = error.filename or f"on the disk of {self.file.parent}"  # a write names no file
            full = FixSettings(
                f"{step}: no room to write {place}; free space, then run again: nothing was lost"
            )
            self.trouble(step, str(full))
            raise full from None
        except Exception as error:
            self.trouble(step, f"{type(error).__name__}: a defect; its log tells where")
            raise

    def lines(self) -> Iterator[Line]:
        """What was said so far, in order of time; a line that a crash or a full disk cut short is
        left out."""
        files = sorted(self.file.parent.glob("journal*.jsonl"))
        yield from sorted(chain.from_iterable(map(_lines, files)), key=lambda line: line.at)

    def _write(self, level: str, step: str, text: str) -> None:
        line = json.dumps(
            {"at": round(time.time(), 3), "level": level, "step": step, "text": clean(text)},
            ensure_ascii=False,
        )
        try:
            self._disk.append(self.file, f"{line}\n".encode("utf-8", "replace"))
        except OSError as error:  # a full disk ends the night where it matters, not here
            log.error("%s cannot be written: %s", self.file, error.strerror)
        except HearthError as error:  # so does a storage that fails
            log.error("%s", error)


def _lines(file: Path) -> Iterator[Line]:
    for text in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            entry = json.loads(text)
        except json.JSONDecodeError:
            continue
        yield Line(entry["at"], entry["level"], entry["step"], entry["text"])
