"""The work file: one private DuckDB database a community, one writer at a time."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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


def insert(db: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a table, by column name; values are what JSON can say. By way of a file: DuckDB
    takes rows one by one a hundred times slower."""
    described = db.execute(f"DESCRIBE {table}").fetchall()
    columns = {name: kind for name, kind, *_ in described}
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="replace") as out:
        out.writelines(f"{json.dumps(dict(row), ensure_ascii=False)}\n" for row in rows)
        out.flush()
        db.execute(
            f"INSERT INTO {table} BY NAME FROM read_json(?, columns = {columns},"
            " format = 'newline_delimited')",
            [out.name],
        )


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
