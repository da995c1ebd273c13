"""What nights found is remembered: each night's findings can be told again from the stretches kept."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import warehouse
from pipeline.classify.memory import remember

FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def db():
    with duckdb.connect() as db:
        warehouse.prepare(db)
        db.execute("CREATE TEMP TABLE recent (source VARCHAR, thread_id VARCHAR)")
        yield db


def night(db, number, found):
    """A night that finds these (thread, level); thread "old" is not judged any more."""
    at = FIRST + timedelta(days=number)
    db.execute(
        "INSERT INTO raw.builds VALUES (now()::TIMESTAMP, ?, 1, '')", [at.replace(tzinfo=None)]
    )
    db.execute("DELETE FROM judgement.threads WHERE thread_id <> 'old'")
    db.execute("DELETE FROM recent")
    for thread, level in found:
        db.execute("INSERT INTO recent VALUES ('forum', ?)", [thread])
        put(db, thread, level)
    remember(db, at)


def put(db, thread, level):
    kind = "question" if level else "sour"
    db.execute(
        "INSERT INTO judgement.threads BY NAME SELECT 'forum' AS source, ? AS thread_id,"
        " ? AS kind, ? AS level, '1' AS message_id, 1 AS severity, 'h' AS text_hash, 'm' AS model,"
        " 'v' AS model_version",
        [thread, kind, level],
    )


def forget(db):
    for table in ("judgement.found", "judgement.threads", "raw.builds", "recent"):
        db.execute(f"DELETE FROM {table}")


finding = st.tuples(st.sampled_from("abc"), st.sampled_from(["L0", "L1", None]))
nights = st.lists(
    st.tuples(st.booleans(), st.lists(finding, max_size=3, unique_by=lambda f: f[0])), max_size=6
)


@given(nights)
def test_what_stood_on_any_night_can_be_told_again(db, told):
    """True in front of a night: the last one once more, as it is now."""
    forget(db)
    put(db, "old", "L0")
    stood = []
    for again, found in told:
        if again and stood:
            stood.pop()
        stood.append(set(found))
        night(db, len(stood) - 1, found)
    for number, found in enumerate(stood):
        at = (FIRST + timedelta(days=number)).replace(tzinfo=None)
        kept = db.execute(
            "SELECT thread_id, level FROM judgement.found"
            " WHERE $at BETWEEN first_found_at AND last_found_at",
            {"at": at},
        ).fetchall()
        assert sorted(kept, key=repr) == sorted(found, key=repr)
    stretches = db.execute("SELECT count(*) FROM judgement.found").fetchone()[0]
    began = sum(len(now - before) for before, now in zip([set(), *stood], stood, strict=False))
    assert stretches == began


def test_a_night_of_the_past_changes_nothing(db):
    forget(db)
    night(db, 1, [("a", "L0")])
    before = db.execute("FROM judgement.found").fetchall()
    night(db, 0, [("b", "L0")])
    assert db.execute("FROM judgement.found").fetchall() == before
