"""Files and folders of ours: whole or absent, readable by us alone, and where machines that share
nothing but a store find them.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import FixSettings

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota or a file has no room left


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
