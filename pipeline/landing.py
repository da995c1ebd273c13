"""Records on their way: one compressed file per run, source, stream and part.

    landing/<source>/<run>/<stream>/000001.jsonl.gz ...   parts, each whole or absent
    landing/<source>/<run>/<stream>/report.json           written last: the read ran to its end

Extraction is parallel and DuckDB has one writer; a landed file survives a crash and can be loaded
again without the network. Lines are records and spans, told apart by `kind`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.files import Disk, make_folder
from pipeline.records import Part

_PART = re.compile(r"^\d{6}\.jsonl\.gz$")


@dataclass(frozen=True, slots=True)
class Report:
    """What one finished read brought, and at what cost; or why a stream could not be read.

    started_at   µs since 1970 UTC at its begin
    streams      the streams whose records it was to bring; their watermark may move
    brought      how many records of each stream were landed
    seconds      wall time, waiting included
    waited_s     of these, spent waiting for the server's limits
    unavailable  why the source could not give the stream; null where it was read
    """

    source: str
    stream: str
    run: str
    via: str
    started_at: int
    brought: Mapping[str, int] = field(default_factory=dict)
    parts: int = 0
    requests: int = 0
    bytes: int = 0
    retries: int = 0
    waited_s: float = 0.0
    seconds: float = 0.0
    streams: tuple[str, ...] = ()
    unavailable: str | None = None
    blind_spots: tuple[str, ...] = ()


class Landing:
    """The landing folder of one community. What is read here was fetched from the `disk` before."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self.disk = disk or Disk()

    def folder_of(self, source: str, run: str, stream: str) -> Path:
        """Folder of one read."""
        return self.folder / source / run / stream

    def write(self, source: str, run: str, stream: str, part: Part) -> Path:
        """One part as one compressed file, whole or absent. Files get 0600."""
        folder = self.folder_of(source, run, stream)
        known = (int(name[:6]) for name in self.disk.names(folder) if _PART.match(name))
        file = folder / f"{1 + max(known, default=0):06}.jsonl.gz"
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in _lines(part))
        self.disk.put(file, gzip.compress(text.encode("utf-8", "replace"), 5, mtime=0))
        return file

    def finish(self, report: Report) -> None:
        """Mark a read as ended. Without this its watermark is not believed."""
        folder = self.folder_of(report.source, report.run, report.stream)
        self.disk.put(folder / "report.json", json.dumps(asdict(report)).encode())

    def reads(self) -> Iterator[Path]:
        """Folders of all reads in order of their runs, oldest first."""
        yield from sorted(
            (f for f in self.folder.glob("*/*/*") if f.is_dir()),
            key=lambda f: (f.parent.name, f.parent.parent.name, f.name),
        )

    def set_aside(self, read: Path) -> Path:
        """Move one read out of the way, so that it is fetched again; returns where it is now."""
        place = self.folder.parent / "damaged" / read.relative_to(self.folder)
        make_folder(place.parent)
        free = next(p for p in _numbered(place) if not p.exists())
        read.rename(free)
        self.disk.remove(read)
        return free


def parts(read: Path) -> list[Path]:
    """Whole part files of one read, in the order they were written."""
    return sorted(f for f in read.iterdir() if _PART.match(f.name)) if read.is_dir() else []


def report(read: Path) -> Report | None:
    """The report of one read; null while it has not ended, and where what lies there is none. What
    another version of Hearth noted besides is left out."""
    try:
        return _reports().validate_json((read / "report.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


@cache
def _reports() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def report_is_damaged(read: Path) -> bool:
    """Whether there lies a report that cannot be read."""
    return (read / "report.json").exists() and report(read) is None


def size(part: Path) -> int | None:
    """Bytes of JSON in a part; null where its length or checksum is not what was written."""
    try:
        with gzip.open(part) as content:
            found = sum(map(len, iter(lambda: content.read(2**20), b"")))
        return found if part.stat().st_size else None
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def _numbered(place: Path) -> Iterator[Path]:
    yield place
    number = 2
    while True:
        yield place.with_name(f"{place.name}.{number}")
        number += 1


def _lines(part: Part) -> Iterator[dict[str, Any]]:
    for record in part.records:
        yield {
            "kind": "record",
            "stream": record.stream,
            "key": record.key,
            "container": record.container,
            "at": record.at,
            "mark": record.mark,
            "seen_at": record.seen_at,
            "gone": record.gone,
            "payload": record.payload,
        }
    for span in part.spans:
        yield {"kind": "span", **asdict(span)}
