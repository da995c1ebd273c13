"""All or nothing, also where the disk fills at the very commit."""

import subprocess
import sys

import duckdb
import pytest

from pipeline.transaction import transaction

FULL = """
import resource, signal, sys, duckdb
from pipeline.transaction import transaction
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with duckdb.connect(sys.argv[1]) as db:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        with transaction(db):
            db.execute("INSERT INTO held SELECT range FROM range(2, 90_000)")
    except duckdb.Error as error:
        print(error)
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "held.duckdb"
    with duckdb.connect(file) as db:
        db.execute("CREATE TABLE held AS SELECT 1 AS n")
    return file


def count(file):
    with duckdb.connect(file) as db:
        return db.execute("SELECT count(*) FROM held").fetchone()[0]


def test_what_ends_well_stays_and_what_does_not_was_never_there(file):
    with duckdb.connect(file) as db:
        with transaction(db):
            db.execute("INSERT INTO held VALUES (2)")
        with pytest.raises(KeyboardInterrupt), transaction(db):
            db.execute("INSERT INTO held VALUES (3)")
            raise KeyboardInterrupt
    assert count(file) == 2


def test_a_commit_that_finds_the_disk_full_says_so(file):
    told = subprocess.run(
        [sys.executable, "-c", FULL, file], capture_output=True, text=True, check=True
    )
    assert "File too large" in told.stdout, told
    assert count(file) == 1
