"""One night at a time, on a disk with room, and nothing kept longer than the settings say."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import runs
from pipeline.errors import FixSettings, NightRuns
from pipeline.files import make_folder
from pipeline.settings import Community
from pipeline.storage import disk_of

LEAST_FREE = 500_000_000  # bytes: landing of a busy night, spill of a build, Data Docs
_ABANDONED = timedelta(hours=1)  # a file that is written beside its place lives for seconds
_BESIDE = re.compile(r"^\.(.+\.\d+|digest-.+|(community|restricted)-.+\.duckdb(\.wal)?)$")
_LEAP_S = 60  # what NTP may take back at once
_held: set[Path] = set()  # locks this process has


@contextmanager
def alone(community: Community, *, shared: bool = False) -> Iterator[None]:
    """Nobody else works on this community meanwhile; entering twice in one process is fine.

    `shared` keeps out only those who want to be alone: the tasks of one scheduled night run side
    by side. The kernel lets go when the process ends, however it ends. Raises NightRuns, and
    FixSettings where there is no writing.
    """
    file = community.home / "work" / "night.lock"
    if file in _held:
        yield
        return
    make_folder(file.parent)
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FixSettings(
            f"cannot write {file}: {error.strerror}; run Hearth as the user who owns it, on a disk "
            "that may be written"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NightRuns(
                f"{community.name}: another night runs already; wait for it (`hearth status` shows "
                "how far it is) or end its process"
            ) from None
        _held.add(file)
        yield
    finally:
        _held.discard(file)
        os.close(descriptor)


def check_room(community: Community) -> None:
    """Raise FixSettings unless the disk has room for a night: twice the work file, which is what
    building and publishing it may need, and some more."""
    work = community.work_file
    needed = LEAST_FREE + 2 * (work.stat().st_size if work.exists() else 0)
    free = shutil.disk_usage(community.home).free
    if free < needed:
        raise FixSettings(
            f"{community.name}: {free / 1e9:.1f} GB are free on the disk of {community.home}, a "
            f"night needs {needed / 1e9:.1f}; free space, or keep less (`keep_nights`, `keep_days`)"
        )


def check_clock(community: Community, last_seen: int | None, now: int) -> None:
    """Raise FixSettings where this machine's clock stands before the last read (both µs since 1970
    UTC). The later seen version of a thing wins, so what is read by such a clock would be lost."""
    behind_s = (last_seen - now) / 1e6 if last_seen is not None else 0.0
    if behind_s > _LEAP_S:
        last = datetime.fromtimestamp((last_seen or 0) / 1e6, UTC)
        raise FixSettings(
            f"{community.name}: this machine's clock is {behind_s / 3600:.1f} h behind the last "
            f"read, of {last:%Y-%m-%d %H:%M} UTC; set it (NTP). Where that read's clock was wrong, "
            "move its runs out of landing/ and run `hearth rebuild --from-landing`"
        )


def tidy(community: Community, now: datetime) -> list[Path]:
    """Remove what is older than the settings keep, and what kills left half-written.

    The caller has the community for itself, the work file closed, and has loaded all that was
    landed: landing files go only once they are in the work file. Bookmarks serve one night; those
    of the newest two stay. Returns what was removed.
    """
    home, days = community.home, timedelta(days=community.keep_days)
    gone = [*_abandoned(home, now), *_bookmarks(home / "work" / "bookmarks")]
    for name in ("runs", "docs"):
        gone += [folder for folder in (home / name).glob("*Z") if _of_run(folder.name, now - days)]
    told = timedelta(days=community.keep_digest_days or community.keep_days)
    gone += [f for f in (home / "digests").glob("????-??-??-*") if _of_day(f.name, now - told)]
    gone += [f for f in (home / "damaged").glob("*/*") if _of_run(f.name, now - days)]
    if community.keep_landing_days is not None:
        limit = now - timedelta(days=community.keep_landing_days)
        gone += [f for f in (home / "landing").glob("*/*") if _of_run(f.name, limit)]
    disk = disk_of(community)
    for path in gone:
        disk.remove(path)
    return gone


def _abandoned(home: Path, now: datetime) -> Iterator[Path]:
    """Files and folders written beside their place by a process that never renamed them."""
    for place in home.rglob(".*"):
        if _BESIDE.match(place.name):
            age = now - datetime.fromtimestamp(place.lstat().st_mtime, UTC)
            if age > _ABANDONED:
                yield place
    yield from (home / "work" / "spill").glob("*")  # DuckDB removes its own when it ends well


def _bookmarks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*Z"))[:-2]


def _of_run(run: str, limit: datetime) -> bool:
    """Whether a run began before the limit; what is not a run is never old."""
    try:
        return runs.began(run) < limit
    except ValueError:
        return False


def _of_day(name: str, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(name[:10]).replace(tzinfo=UTC) < limit
    except ValueError:
        return False
