"""Object storage between machines that work on one community, through fsspec.

    landing/<source>/<run>/<stream>/…   what was fetched; stays, as the disk's copy does
    work/bookmarks/<run>/<source>/…     what an extraction is to go on from
    runs/<run>/…                        what was planned, and what each process says of it

These are names below the address, and below the community's home. Extraction needs nothing else; it
may run on any machine. One machine has the warehouse: it fetches what landed, loads it from its own
disk, and is the only one to change or remove what is there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pipeline.errors import FixAccess, FixSettings, TryLater
from pipeline.files import Disk, make_folder, write_whole
from pipeline.landing import Landing
from pipeline.settings import Community

T = TypeVar("T")
_SHARED = ("landing", "runs", "work/bookmarks")


def disk_of(community: Community) -> Disk:
    """Where the machines of this community leave files for each other."""
    if community.cluster is None:
        return Disk()
    return ObjectStorage(community.home, community.cluster.landing)


def landing_of(community: Community) -> Landing:
    """Where what is fetched for this community lands."""
    return Landing(community.home / "landing", disk_of(community))


class ObjectStorage(Disk):
    """A place below an address that fsspec understands. A put is atomic there; other machines see
    it at once.

    Raises FixAccess where the storage refuses us, FixSettings where the place or the library for it
    is missing, TryLater for whatever else it answers.
    """

    def __init__(self, home: Path, address: str) -> None:
        self.home, self.address = home, address
        self.journal = f"journal.{socket.gethostname()}-{os.getpid()}.jsonl"
        self._files, self._root = _opened(address)
        self._is_folder = address.startswith("file:")

    def put(self, file: Path, content: bytes) -> None:
        if self._is_folder:
            there = Path(self._name(file))
            make_folder(there.parent)
            write_whole(there, content)
        else:
            self._do(partial(self._files.pipe_file, self._name(file), content))

    def rewrite(self, file: Path, content: bytes) -> None:
        self.put(file, content)  # first: what is here and older is fetched anew
        write_whole(file, content)

    def append(self, file: Path, line: bytes) -> None:
        if not file.exists():
            self.fetch(file)  # a process of the same name in a container that was started anew
        super().append(file, line)
        self.put(file, file.read_bytes())

    def names(self, folder: Path) -> list[str]:
        return [Path(name).name for name in self._found(folder)]

    def send(self, place: Path) -> None:
        for file in [place] if place.is_file() else sorted(place.glob("*")):
            self.put(file, file.read_bytes())

    def fetch(self, place: Path) -> None:
        """What is here with the same size is not fetched again. A report comes after its parts."""
        for name, size in sorted(self._found(place).items()):
            file = self.home / name.removeprefix(f"{self._root}/")
            if not file.exists() or file.stat().st_size != size:
                make_folder(file.parent)
                write_whole(file, self._do(partial(self._files.cat_file, name)))

    @contextmanager
    def borrowed(self, folder: Path) -> Iterator[Path]:
        with TemporaryDirectory(prefix="hearth-") as place:
            for name in self._found(folder):
                file = str(Path(place) / Path(name).name)
                self._do(partial(self._files.get_file, name, file))
            yield Path(place)

    def remove(self, place: Path) -> None:
        name = place.relative_to(self.home).as_posix()
        if name.startswith(_SHARED) and self._found(place):
            self._do(partial(self._files.rm, self._name(place), recursive=True))
        super().remove(place)

    def _name(self, place: Path) -> str:
        return f"{self._root}/{place.relative_to(self.home).as_posix()}"

    def _found(self, place: Path) -> dict[str, int]:
        """Name -> size of a file there, or of all files below a folder."""
        listed = self._do(partial(self._files.find, self._name(place), detail=True))
        return {name: entry["size"] for name, entry in listed.items() if entry["type"] == "file"}

    def _do(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except PermissionError:
            raise FixAccess(
                f"{self.address}: the storage refused us; check the credentials in the "
                "environment and what they allow there"
            ) from None
        except FileNotFoundError:
            raise FixSettings(f"{self.address}: there is no such place; make it") from None
        except OSError as error:
            raise TryLater(
                f"{self.address}: the storage failed ({type(error).__name__}); it may work later"
            ) from None


def _opened(address: str) -> tuple[Any, str]:
    import fsspec

    try:
        files, root = fsspec.url_to_fs(address, use_listings_cache=False)
    except ImportError:
        raise FixSettings(
            f"{address}: the library for this storage is missing; requirements/cluster.in names it"
        ) from None
    return files, root.rstrip("/")
