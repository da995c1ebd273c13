"""Records on their way: one compressed file per run, source, stream and part.

    landing/<source>/<run>/<stream>/000001.jsonl.gz ...   parts, each whole or absent
    landing/<source>/<run>/<stream>/report.json           written last: the read ran to its end

Extraction is parallel and DuckDB has one writer; a landed file survives a crash and can be loaded
again without the network. Lines are records and spans, told apart by `kind`.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import FixSettings
from pipeline.records import Part

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota or a file has no room left
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


class Disk:
    """Where the machines of a community leave files for each other. With one machine that is its
    disk: what is written is where everybody finds it. See `pipeline.storage` for more."""

    journal = "journal.jsonl"  # file in a run's folder to which this process writes

    def put(self, file: Path, content: bytes) -> None:
        """Leave a file, whole or not at all."""
        make_folder(file.parent)
        write_whole(file, content)

    def rewrite(self, file: Path, content: bytes) -> None:
        """Put other content in the place of a file that is here."""
        write_whole(file, content)

    def append(self, file: Path, line: bytes) -> None:
        """Add a line to a file that others may be reading."""
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as out:
            out.write(line)

    def names(self, folder: Path) -> list[str]:
        """Names of the files in a folder, wherever they are; none where it does not exist."""
        return [f.name for f in folder.iterdir()] if folder.is_dir() else []

    def send(self, place: Path) -> None:
        """Let the other machines have a file or folder that is here."""

    def fetch(self, place: Path) -> None:
        """Bring here what the other machines left in a folder or as a file."""

    @contextmanager
    def borrowed(self, folder: Path) -> Iterator[Path]:
        """A folder with the files that were sent as `folder`, to read while the block lasts."""
        yield folder

    def remove(self, place: Path) -> None:
        """Forget a file or folder, here and everywhere."""
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


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


def report_file(read: Path) -> list[Path]:
    """The report's file, if the read ended."""
    return [file for file in (read / "report.json",) if file.exists()]


def size(file: Path) -> int | None:
    """Bytes of JSON in a part or a report; null where it is not as it was written: a part has its
    length and checksum, a report the fields of one."""
    try:
        if file.suffix == ".json":
            return file.stat().st_size if report(file.parent) else None
        with gzip.open(file) as content:
            found = sum(map(len, iter(lambda: content.read(2**20), b"")))
        return found if file.stat().st_size else None
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def write_whole(file: Path, content: bytes) -> None:
    """Write beside, sync, rename: the file is there whole or not at all. Readable by us alone."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as error:
        with suppress(OSError):  # a disk that became read-only
            beside.unlink(missing_ok=True)
        raise FixSettings(
            f"cannot write {file}: {error.strerror}; free space or fix its folder's "
            "permissions, then run again: nothing was lost"
        ) from None
    sync_folder(file.parent)


def write_once(file: Path, text: str) -> str:
    """What the file says; this text where it was not there yet. All who ask at the same time get
    the same."""
    if not file.exists():
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        write_whole(beside, text.encode())
        with suppress(FileExistsError):
            os.link(beside, file)
        beside.unlink()
        sync_folder(file.parent)
    return file.read_text(encoding="utf-8").strip()


def make_folder(folder: Path) -> None:
    """A folder only we can open; so are those made on the way to it."""
    try:
        for place in reversed([folder, *folder.parents]):
            place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise FixSettings(
            f"cannot make the folder {folder}: {error.strerror}; choose another "
            "`home` in hearth.toml or fix its permissions"
        ) from None


@contextmanager
def ours_alone() -> Iterator[None]:
    """What libraries write meanwhile only we can open, whatever the scheduler's umask."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
