"""A night becomes files that never change, and a pointer that flips.

    published/community-<run>.duckdb    no names, no text: for the data team
    published/restricted-<run>.duckdb   names, texts, flags: for those who judge
    published/current.duckdb            link to the newest community file
    published/restricted.duckdb         link to the newest restricted file
    published/manifest.json             which run, which files, their checksums and row counts

Readers open the links read-only, whenever they like: nobody writes to a published file, so no lock
is ever in anybody's way. A reader that stays connected keeps its night and sees the next one when
it connects again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.contracts import Contract, contracts
from pipeline.files import make_folder, sync_folder, write_whole
from pipeline.settings import Community
from pipeline.statements import literal, value

if TYPE_CHECKING:
    import duckdb

STORAGE = "v1.0.0"  # the oldest format DuckDB 2 writes: every 1.x driver reads it
FILES = {"community": "current.duckdb", "restricted": "restricted.duckdb"}


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One published file. `rows` counts each table; `sha256` is of the file's bytes."""

    name: str
    sha256: str
    bytes: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says of the newest night."""

    run: str
    as_of: str
    community: PublishedFile
    restricted: PublishedFile

    def write(self, folder: Path) -> None:
        """Put it in place of the folder's `manifest.json`, whole."""
        write_whole(folder / "manifest.json", json.dumps(asdict(self), indent=2).encode())


def publish(
    db: duckdb.DuckDBPyConnection, community: Community, run: str, as_of: datetime
) -> Manifest:
    """Write tonight's files, open each once read-only, then flip the links.

    The links and the manifest change only when both files are whole and readable. Older nights
    beyond `keep_nights` are removed.
    """
    folder = community.home / "published"
    make_folder(folder)
    written = {audience: _write(db, folder, audience, run) for audience in FILES}
    manifest = Manifest(run, as_of.isoformat(), written["community"], written["restricted"])
    for audience, link in FILES.items():
        flip(folder / link, written[audience].name)
    manifest.write(folder)
    _forget_old_nights(folder, community.keep_nights)
    return manifest


def manifest_of(folder: Path, run: str) -> Manifest:
    """What the manifest of a night said, read out of its files again."""
    import duckdb

    files = {}
    for audience in FILES:
        file = folder / f"{audience}-{run}.duckdb"
        with duckdb.connect(file, read_only=True) as db:
            tables = db.execute(
                "SELECT schema_name || '.' || table_name FROM duckdb_tables() ORDER BY ALL"
            ).fetchall()
            rows = {name: _count(db, name) for (name,) in tables}
            if audience == "community":
                as_of = value(db, "SELECT max_by(as_of, built_at) FROM raw.builds")
        files[audience] = PublishedFile(file.name, checksum(file), file.stat().st_size, rows)
    moment = as_of.replace(tzinfo=UTC).isoformat()
    return Manifest(run, moment, files["community"], files["restricted"])


def _write(db: duckdb.DuckDBPyConnection, folder: Path, audience: str, run: str) -> PublishedFile:
    tables = [c for c in contracts().values() if c.publish == audience]
    name = f"{audience}-{run}.duckdb"
    beside = folder / f".{name}"
    beside.unlink(missing_ok=True)
    db.execute(f"ATTACH {literal(beside)} AS night (STORAGE_VERSION '{STORAGE}')")
    try:
        _copy(db, tables)
    finally:
        db.execute("DETACH night")
    beside.chmod(0o600)
    rows = _query_once(beside, tables)
    digest = checksum(beside)
    beside.replace(folder / name)
    sync_folder(folder)
    return PublishedFile(name, digest, (folder / name).stat().st_size, rows)


def _copy(db: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
    """Tables in order, with their comments. A fresh file holds no dead rows."""
    for contract in tables:
        db.execute(f"CREATE SCHEMA IF NOT EXISTS night.{contract.schema_name}")
        order = ", ".join(_order(contract))
        db.execute(f"CREATE TABLE night.{contract.table} AS FROM {contract.table} ORDER BY {order}")
        for comment in contract.comments():
            db.execute(comment.replace(contract.table, f"night.{contract.table}", 1))


def _order(contract: Contract) -> list[str]:
    """Each source's rows by time where they tell one, then by key: who asks for some days reads
    these alone, and rows nearly in order already cost little to sort."""
    first = (name for name in ("source", "created_at") if name in contract.columns)
    return list(dict.fromkeys([*first, *contract.key]))


def _query_once(file: Path, tables: list[Contract]) -> dict[str, int]:
    import duckdb

    with duckdb.connect(file, read_only=True) as reader:
        return {contract.table: _count(reader, contract.table) for contract in tables}


def _count(db: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(value(db, f"SELECT count(*) FROM {table}"))


def checksum(file: Path) -> str:
    """SHA-256 of a file's bytes, which are on the disk by then."""
    with file.open("rb") as content:
        os.fsync(content.fileno())
        return hashlib.file_digest(content, "sha256").hexdigest()


def flip(link: Path, target: str) -> None:
    """Let a link name another file, at once."""
    beside = link.with_name(f".{link.name}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
    sync_folder(link.parent)


def _forget_old_nights(folder: Path, keep: int) -> None:
    for audience, link in FILES.items():
        current = (folder / link).resolve()
        for old in sorted(folder.glob(f"{audience}-*.duckdb"))[:-keep]:
            if old.resolve() != current:  # an old night that was published again
                old.unlink()
