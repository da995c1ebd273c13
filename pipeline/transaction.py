"""All of a change to the work file, or none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@contextmanager
def transaction(db: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what is done within; undo it where it ends in an error, which goes on its way."""
    import duckdb

    db.begin()
    try:
        yield
        db.commit()
    except BaseException:
        with suppress(duckdb.TransactionException):  # a commit that failed has undone itself
            db.rollback()
        raise
