"""After a night: going back, comparing, exporting, deriving again, and where a column comes from."""

import csv
import hashlib
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import duckdb
import pytest

from pipeline import build, nights, settings, steps, tonight, warehouse
from pipeline.contracts import contracts
from pipeline.errors import FixSettings
from pipeline.landing import Landing
from pipeline.lineage import lineage, views
from pipeline.load import load
from pipeline.publish import publish
from pipeline.records import Part, Record
from tests.conftest import TOML, environment, make_community

FIRST = datetime(2026, 3, 2, 2, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)


@pytest.fixture
def home(tmp_path):
    return make_community(tmp_path / "ember's home")  # a name that ends a text in SQL


def post(key, at, seen, **more):
    payload = {
        "id": key,
        "topic_id": 1,
        "post_number": key,
        "post_type": 1,
        "user_id": 7,
        "raw": "words",
        "created_at": at.isoformat(),
        "version": 1,
        **more,
    }
    return Record("posts", str(key), payload, seen_at=seen)


def night(home, run, as_of, *records):
    place = (
        Record(
            "categories", "5", {"id": 5, "name": "=Support", "read_restricted": False}, seen_at=1
        ),
        Record("users", "7", {"id": 7, "username": "anna"}, seen_at=1),
        Record(
            "topics",
            "1",
            {
                "id": 1,
                "title": "T",
                "category_id": 5,
                "user_id": 7,
                "archetype": "regular",
                "created_at": "2026-03-01T10:00:00Z",
            },
            seen_at=1,
        ),
    )
    Landing(home.home / "landing").write("forum", run, "posts", Part((*place, *records)))
    with warehouse.opened(home) as db:
        load(db, Landing(home.home / "landing"))
        build.build(db, home, as_of)
        return publish(db, home, run, as_of)


def two_nights(home):
    before, after = FIRST - timedelta(hours=5), FIRST + timedelta(hours=5)
    first = night(home, "n1", FIRST, post(1, before, 10), post(2, before, 10), post(3, before, 10))
    second = night(
        home,
        "n2",
        SECOND,
        post(2, before, 20, deleted_at=after.isoformat()),
        post(3, before, 20, version=2, updated_at=after.isoformat()),
        post(4, after, 20),
        post(5, before, 20),
    )
    return first, second


def test_readers_go_back_a_night_and_come_forward_with_the_next(home):
    first, _ = two_nights(home)
    folder = home.home / "published"
    assert nights.go_back(home) == "n1"
    assert (folder / "current.duckdb").readlink().name == "community-n1.duckdb"
    assert (folder / "restricted.duckdb").readlink().name == "restricted-n1.duckdb"
    told = json.loads((folder / "manifest.json").read_text())
    assert (told["run"], told["as_of"]) == (first.run, first.as_of)
    assert told["community"] == asdict(first.community)
    with pytest.raises(FixSettings, match="no night before n1"):
        nights.go_back(home)
    with pytest.raises(FixSettings, match="kept are: n1, n2"):
        nights.go_back(home, "n7")
    assert nights.go_back(home, "n2") == "n2"
    night(home, "n3", SECOND)
    assert (folder / "current.duckdb").readlink().name == "community-n3.duckdb"


def test_a_difference_says_why(home):
    two_nights(home)
    found = {d.table: d for d in nights.differences(home, "n1", "n2")}
    assert found["marts.messages"] == nights.Difference(
        "marts.messages",
        added=2,
        removed=0,
        changed=2,
        why={"new": 1, "late": 1, "deleted": 1, "edited": 1},
    )
    assert "marts.channels" not in found
    assert not nights.definitions_changed(home, "n1", "n2")
    with warehouse.opened(home) as db:
        db.execute("UPDATE raw.builds SET definitions = 'other'")
        publish(db, home, "n3", SECOND)
    assert nights.definitions_changed(home, "n1", "n3")
    assert list(nights.differences(home, "n2", "n2")) == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_an_export_is_whole_and_checked(home, tmp_path, form):
    _, second = two_nights(home)
    folder = tmp_path / "out" / "export"
    written = nights.export(home, folder, form)
    by_table = Counter()
    for name, rows in written.items():
        by_table[name.split("/")[0].removesuffix(f".{form}")] += rows
    assert by_table == second.community.rows
    told = json.loads((folder / "manifest.json").read_text())
    found = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    assert found == {"manifest.json", *told["files"]}
    assert {name: facts["rows"] for name, facts in told["files"].items()} == written
    for name, facts in told["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"]
    with pytest.raises(FixSettings, match="exists already"):
        nights.export(home, folder, form)


def test_months_of_an_export_are_one_table_again(home, tmp_path):
    two_nights(home)
    nights.export(home, tmp_path / "parquet")
    files = tmp_path / "parquet" / "marts.messages" / "*" / "*.parquet"
    with duckdb.connect() as db:
        db.execute(
            "ATTACH ? AS night (READ_ONLY)", [str(home.home / "published" / "current.duckdb")]
        )
        rows = f"SELECT * EXCLUDE in_month FROM read_parquet('{files}')"
        assert (
            db.execute(f"{rows} ORDER BY source, message_id").fetchall()
            == db.execute("FROM night.marts.messages ORDER BY source, message_id").fetchall()
        )
        months = (
            "SELECT count(*) FROM read_parquet(?) WHERE in_month <> strftime(created_at, '%Y-%m')"
        )
        assert db.execute(months, [str(files)]).fetchone() == (0,)


def test_a_spreadsheet_computes_nothing(home, tmp_path):
    two_nights(home)
    nights.export(home, tmp_path / "csv", "csv")
    with (tmp_path / "csv" / "marts.channels.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["'=Support"]
    nights.export(home, tmp_path / "parquet")
    with duckdb.connect() as db:
        kept = db.execute(
            f"SELECT name FROM '{tmp_path / 'parquet' / 'marts.channels.parquet'}'"
        ).fetchall()
    assert kept == [("=Support",)]


def built(home):
    with warehouse.opened(home) as db:
        return {
            c.table: db.execute(f"FROM {c.table} ORDER BY ALL").fetchall()
            for c in contracts().values()
            if c.schema_name in ("staging", "marts") and c.build != "view"
        }


FOUND = (
    "INSERT INTO judgement.found BY NAME SELECT 'forum' AS source, '1' AS thread_id, 'sour' AS kind,"
    " 'x' AS text_hash, '1' AS message_id, 1 AS severity, 'en' AS model, '1' AS model_version,"
    " ?::TIMESTAMP AS first_found_at, ?::TIMESTAMP AS last_found_at"
)


@pytest.fixture
def after_two(home, tmp_path, monkeypatch):
    """The second of two nights; in the first, something was found."""
    two_nights(home)
    with warehouse.opened(home) as db:
        db.execute(FOUND, [FIRST.replace(tzinfo=None)] * 2)
    (tmp_path / "hearth.toml").write_text(
        TOML.format(home=home.home, forum="http://x", chat="http://x")
    )
    for name, value in environment(tmp_path / "hearth.toml").items():
        monkeypatch.setenv(name, value)
    night = tonight.Night(
        community=next(iter(settings.schedules())), run="n2", as_of=SECOND.isoformat()
    )
    steps.rebuild(night)
    return night


@pytest.mark.parametrize("from_landing", [False, True])
def test_everything_is_derived_again_and_is_the_same(home, after_two, from_landing):
    before = built(home)
    assert len(before["marts.finding_nights"]) == 1
    with warehouse.opened(home) as db:
        db.execute("DELETE FROM staging.messages")
        db.execute("DELETE FROM marts.messages")
        db.execute("ALTER TABLE judgement.found ADD COLUMN of_an_older_version INTEGER")
    assert steps.rebuild(after_two, from_landing=from_landing) == {"forum": 5}
    assert built(home) == before
    assert (home.home / "work" / "warehouse.before-rebuild.duckdb").exists() == from_landing


def test_a_rebuild_that_was_killed_leaves_nothing_out_of_the_next_night(
    home, after_two, monkeypatch
):
    before = built(home)
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("pipeline.load.load", Mock(side_effect=KeyboardInterrupt))
        steps.rebuild(after_two, from_landing=True)
    with warehouse.opened(home) as db:
        load(db, Landing(home.home / "landing"))
    steps.build(after_two)
    steps.score(after_two)
    assert built(home) == before


def test_a_damaged_work_file_is_made_anew(home, after_two):
    before = built(home)
    (home.home / "work" / "warehouse.duckdb").write_bytes(b"x" * 20_000)
    with pytest.raises(FixSettings, match="run `hearth rebuild --from-landing`"):
        steps.rebuild(after_two)
    steps.rebuild(after_two, from_landing=True)
    assert built(home) == {**before, "marts.finding_nights": []}


def test_the_past_is_built_as_it_stood(home):
    two_nights(home)
    counted = "SELECT count(*) FILTER (is_countable), count(*) FROM marts.messages"
    with warehouse.opened(home) as db:
        build.build(db, home, FIRST)
        assert db.execute(counted).fetchall() == [(4, 4)]
        build.build(db, home, SECOND)
        assert db.execute(counted).fetchall() == [(4, 5)]


def test_a_column_comes_from_records():
    found = list(lineage("marts.threads.first_response_at"))
    assert [(s.depth, s.column, s.file) for s in found[:2]] == [
        (0, "marts.threads.first_response_at", None),
        (1, "marts.links.created_at", "marts/threads.sql"),
    ]
    assert {s.column for s in found} >= {"marts.messages.created_at", "raw.changed.payload"}
    with pytest.raises(FixSettings, match="is no column"):
        list(lineage("marts.threads.nothing"))


@pytest.mark.slow
@pytest.mark.parametrize("table", [t for t, c in contracts().items() if c.schema_name == "marts"])
def test_every_column_of_a_mart_has_a_way_to_its_records(table):
    """A count or a constant is made of no column; what is made of one leads on to known ones."""
    for name in contracts()[table].columns:
        for step in list(lineage(f"{table}.{name}"))[1:]:
            of, _, column = step.column.rpartition(".")
            schema, _, view = of.partition(".")
            known = views().get(view) if schema == "raw" else None
            assert column in (known or contracts()[of].columns), step


def test_a_night_writes_the_report_of_a_week_and_a_month_that_have_ended(emberfield):
    names = {file.name for file in (emberfield.home / "reports").iterdir()}
    assert names == {"2026-W09.en.html", "2026-02.en.html"}
    ((messages,),) = emberfield.published(
        "SELECT sum(messages) FROM marts.daily_activity"
        " WHERE day BETWEEN DATE '2026-02-23' AND DATE '2026-03-01'"
    )
    assert messages > 100
    text = (emberfield.home / "reports" / "2026-W09.en.html").read_text()
    assert f"with {messages:,} messages in all" in text
