"""The work file: one private DuckDB database a community, one writer at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.contracts import contracts
from pipeline.errors import FixSettings, WarehouseBusy
from pipeline.landing import make_folder
from pipeline.settings import Community

if TYPE_CHECKING:
    import duckdb

SCHEMAS = ("raw", "staging", "judgement", "marts")


@contextmanager
def opened(community: Community) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work file, open for writing, with every table that Python fills in place.

    Raises WarehouseBusy while another process holds it, FixSettings where it cannot be opened.
    """
    import duckdb

    work = community.home / "work"
    make_folder(work / "spill")
    file = work / "warehouse.duckdb"
    try:
        db = duckdb.connect(file, config={"memory_limit": community.memory})
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise WarehouseBusy(
                f"{file} is in use by another process (a night that still runs, or a prompt left "
                "open on the work file); wait for it or end it"
            ) from None
        raise _damaged(file, error) from None
    except duckdb.Error as error:
        raise _damaged(file, error) from None
    with db:
        file.chmod(0o600)
        db.execute("SET temp_directory = ?", [str(work / "spill")])
        prepare(db)
        _set_pseudonym_key(db, community)
        yield db


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Schemas and the tables of every contract, as they are where they exist already."""
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET autoinstall_known_extensions = false")
    for schema in SCHEMAS:
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for contract in contracts().values():
        if contract.build != "view":
            db.execute(contract.ddl())


def _set_pseudonym_key(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Give `person_id()` its key, as the two pads of HMAC (RFC 2104), for this session alone."""
    secret = community.pseudonym_key.get_secret_value().encode()
    key = (hashlib.sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
    for name, pad in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
        db.execute(f"SET VARIABLE {name} = ?::BLOB", [bytes(byte ^ pad for byte in key)])


def _damaged(file: object, error: Exception) -> FixSettings:
    return FixSettings(
        f"{file} cannot be opened ({type(error).__name__}); move it away and run "
        "`hearth rebuild --from-landing`: all that was fetched is still in landing/"
    )
