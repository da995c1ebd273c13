"""Building: order from the SQL, only what changed is typed, and the same result either way."""

import shutil
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import build, warehouse
from pipeline.classify import judging
from pipeline.contracts import contracts
from pipeline.landing import Landing
from pipeline.load import load
from pipeline.records import Part, Record
from pipeline.statements import SQL
from tests.conftest import make_community

AS_OF = datetime(2026, 3, 2, 2, tzinfo=UTC)
MADE = "2026-03-01T10:00:00.000Z"
STAGED = [n for n, c in contracts().items() if c.build == "merge"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_community(tmp_path_factory.mktemp("home"))


def message(key, text, reactions, gone, seen_at):
    payload = {
        "_id": key,
        "rid": "r",
        "msg": text,
        "ts": MADE,
        "u": {"_id": "u1", "username": "a"},
        "reactions": {f":{name}:": {"usernames": ["a", "b"]} for name in reactions},
    }
    return Record(
        "messages", key, {} if gone else payload, seen_at=seen_at, container="r", gone=gone
    )


@st.composite
def nights(draw):
    """A few nights of changes to a few chat messages."""
    change = st.tuples(
        st.sampled_from("abc"),
        st.text("xy", max_size=2),
        st.lists(st.sampled_from(["x", "y"]), unique=True),
        st.booleans(),
    )
    return draw(st.lists(st.lists(change, min_size=1, max_size=3), min_size=1, max_size=4))


@settings(max_examples=10)
@given(nights())
def test_typing_what_changed_equals_typing_everything(tmp_path_factory, home, history):
    landed = Landing(tmp_path_factory.mktemp("landing"))
    with duckdb.connect() as small, duckdb.connect() as whole:
        for db in (small, whole):
            warehouse.prepare(db)
            warehouse._set_pseudonym_key(db, home)
        room = Record("rooms", "r", {"_id": "r", "name": "help", "t": "c"}, seen_at=1)
        landed.write("chat", "run", "rooms", Part((room,)))
        for number, changes in enumerate(history, start=1):
            records = tuple(
                message(*change, seen_at=number * 100 + order)
                for order, change in enumerate(changes)
            )
            landed.write("chat", f"run{number}", "messages", Part(records))
            load(small, landed)
            build.build(small, home, AS_OF)
        load(whole, landed)
        build.build(whole, home, AS_OF)
        for table in [*STAGED, "marts.messages", "marts.threads", "marts.daily_activity"]:
            found = [
                sorted(db.execute(f"FROM {table}").fetchall(), key=repr) for db in (small, whole)
            ]
            assert found[0] == found[1], table


def test_a_table_is_built_after_what_it_reads():
    order = [c.table for c in build._in_order(contracts().values())]
    for table in order:
        for source in build.sources_of(table) & set(order):
            assert order.index(source) < order.index(table), f"{table} before {source}"


def test_whom_a_mention_means_is_not_sought_by_comparing_all_with_all(home):
    """DuckDB does so where it expects few rows, and takes minutes and gigabytes for a million."""
    with duckdb.connect() as db:
        warehouse.prepare(db)
        build.set_scene(db, home, AS_OF)
        (file,) = build.files_of(contracts()["marts.links"])
        [(_, plan)] = db.execute(f"EXPLAIN {file.read_text()}").fetchall()
    assert "asof join" in plan.lower().replace("_", " ")


def test_a_build_that_was_cut_short_is_done_again(home, monkeypatch):
    with duckdb.connect() as db:
        warehouse.prepare(db)
        warehouse._set_pseudonym_key(db, home)
        build.build(db, home, AS_OF)
        before = db.execute("FROM raw.builds").fetchall()
        db.execute(
            "INSERT INTO raw.records (source, stream, key, container, payload, load, run,"
            " seen_at, first_seen_at) VALUES ('chat', 'rooms', 'x', '',"
            """ '{"_id": "x", "t": "c", "name": "general"}', 1, 'r', 0, 0)"""
        )
        real = build._replace

        def breaks_late(connection, contract):
            if contract.table == "marts.threads":
                raise duckdb.Error("power loss")
            real(connection, contract)

        monkeypatch.setattr(build, "_replace", breaks_late)
        with pytest.raises(duckdb.Error, match="power loss"):
            build.build(db, home, AS_OF)
        assert db.execute("FROM raw.builds").fetchall() == before
        monkeypatch.setattr(build, "_replace", real)
        build.build(db, home, AS_OF)
        assert db.execute("SELECT channel_id FROM marts.channels").fetchall() == [("x",)]
        loads = db.execute("SELECT load FROM raw.builds ORDER BY built_at").fetchall()
        assert loads == [(0,), (1,)]


def test_changed_definitions_type_everything_anew(home, monkeypatch):
    with duckdb.connect() as db:
        warehouse.prepare(db)
        warehouse._set_pseudonym_key(db, home)
        build.build(db, home, AS_OF)
        db.execute(
            "INSERT INTO staging.channels (source, record, channel_id, kind, is_private)"
            " VALUES ('chat', 'rooms/x', 'x', 'room', false)"
        )
        build.build(db, home, AS_OF)
        assert db.execute("SELECT count(*) FROM staging.channels").fetchone() == (1,)
        monkeypatch.setattr(build, "fingerprint", lambda: "another")
        build.build(db, home, AS_OF)
        assert db.execute("SELECT count(*) FROM staging.channels").fetchone() == (0,)


def test_what_is_found_gone_after_the_moment_was_set_does_not_stand_one_more_night(home, tmp_path):
    """A night's moment is set before it reads; a build of the past knows what was not yet gone."""
    seen = int(AS_OF.timestamp() * 1e6)
    landed = Landing(tmp_path / "landing")
    room = Record("rooms", "r", {"_id": "r", "name": "help", "t": "c"}, seen_at=seen)
    landed.write("chat", "run1", "rooms", Part((room, message("a", "hi", [], False, seen))))
    gone = Record("messages", "a", {}, seen_at=seen + 60_000_000, container="r", gone=True)
    landed.write("chat", "run2", "messages", Part((gone,)))
    later = AS_OF.replace(day=AS_OF.day + 1)
    with duckdb.connect() as db:
        warehouse.prepare(db)
        warehouse._set_pseudonym_key(db, home)
        load(db, landed)
        told = []
        for moment in (AS_OF, later, AS_OF):
            build.build(db, home, moment)
            told += db.execute("SELECT is_deleted FROM marts.messages").fetchone()
    assert told == [True, True, False]


def test_what_reads_judgements_can_wait_until_they_are_made(home):
    later = AS_OF.replace(day=AS_OF.day + 1)
    channel = "INSERT INTO staging.channels (source, record, channel_id, kind, is_private) VALUES (?, 'r', 'r', 'room', false)"
    spoken_of = "SELECT (SELECT count(*) FROM marts.channels), (SELECT as_of FROM marts.health)"
    with duckdb.connect() as db:
        warehouse.prepare(db)
        warehouse._set_pseudonym_key(db, home)
        build.build(db, home, AS_OF)
        db.execute(channel, ["chat"])
        build.build(db, home, later, judged=False)
        assert db.execute(spoken_of).fetchone() == (1, AS_OF.replace(tzinfo=None))
        build.build_judged(db)
        assert db.execute(spoken_of).fetchone() == (1, later.replace(tzinfo=None))


def test_no_python_variable_stands_for_a_missing_table(home):
    rows = duckdb.sql("SELECT 1 AS n")
    with warehouse.read_only(home) as db, pytest.raises(duckdb.CatalogException, match="rows"):
        db.execute("FROM rows")
    with warehouse.opened(home) as db, pytest.raises(duckdb.CatalogException, match="rows"):
        db.execute("FROM rows")
    assert rows.fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("file", "builds", "judges"),
    [
        ("load/merge", False, False),
        ("reports/waiting", False, False),
        ("cases/timeline", False, False),
        ("judgement/changed", False, True),
        ("marts/turns", True, True),
        ("staging/account_states", True, True),
        ("macros", True, True),
    ],
)
def test_only_sql_that_builds_is_typed_anew_and_what_judges_judges_anew(
    tmp_path, monkeypatch, file, builds, judges
):
    copy = shutil.copytree(SQL, tmp_path / "sql")
    monkeypatch.setattr(build, "SQL", copy)
    monkeypatch.setattr(judging, "SQL", copy)

    def told():
        build.fingerprint.cache_clear()
        judging._code.cache_clear()
        return build.fingerprint(), judging._code()

    try:
        before = told()
        changed = copy / f"{file}.sql"
        changed.write_text(f"{changed.read_text()}\n-- changed\n")
        assert [a != b for a, b in zip(before, told(), strict=True)] == [builds, judges]
    finally:
        monkeypatch.undo()
        told()
