"""A work file of an older version opens with its rows, or says what to do."""

import subprocess
import sys

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline import cli, load, migrations, warehouse
from pipeline.contracts import contracts
from pipeline.errors import FixSettings
from pipeline.migrations import UNREAD
from pipeline.records import Part, Record
from pipeline.storage import landing_of
from tests.conftest import TOML, environment, make_community

READ = "('forum', 'posts', 'r1', 'rest', 5, MAP {'posts': 2}, 1, 2, 3, 0, 0.5, 1.5, ['posts'], NULL, [])"


def shape(db, table):
    return [(name, kind) for name, kind, *_ in db.execute(f"DESCRIBE {table}").fetchall()]


def wanted(table):
    return [(name, column.type) for name, column in contracts()[table].columns.items()]


@pytest.fixture
def home(tmp_path):
    """A community whose work file is of today's version, with one finished read."""
    community = make_community(tmp_path)
    with warehouse.opened(community) as db:
        db.execute(f"INSERT INTO raw.reads VALUES {READ}")
    return community


def change(home, *statements):
    with duckdb.connect(home.home / "work" / "warehouse.duckdb") as db:
        for statement in statements:
            db.execute(statement)


def copies(home):
    return sorted((home.home / "backup").glob("work-*.duckdb"))


def test_a_work_file_of_today_is_left_alone(home):
    with warehouse.opened(home) as db:
        assert migrations.pending(db) == []
    assert copies(home) == []


def test_columns_come_go_and_change_their_order_and_type(home):
    change(
        home,
        "ALTER TABLE raw.reads DROP COLUMN unavailable",
        "ALTER TABLE raw.reads ADD COLUMN old VARCHAR DEFAULT 'x'",
        "ALTER TABLE raw.reads DROP COLUMN source",
        "ALTER TABLE raw.reads ADD COLUMN source VARCHAR DEFAULT 'forum'",
        "ALTER TABLE raw.reads ALTER COLUMN parts TYPE INTEGER",
    )
    with warehouse.opened(home) as db:
        assert shape(db, "raw.reads") == wanted("raw.reads")
        assert db.execute("FROM raw.reads").fetchall() == [
            (
                "forum",
                "posts",
                "r1",
                "rest",
                5,
                {"posts": 2},
                1,
                2,
                3,
                0,
                0.5,
                1.5,
                ["posts"],
                None,
                [],
            )
        ]


def test_the_old_file_is_kept_beside_as_it_was(home):
    change(home, "ALTER TABLE raw.reads DROP COLUMN unavailable")
    with warehouse.opened(home):
        pass
    (copy,) = copies(home)
    assert copy.stat().st_mode & 0o777 == 0o600
    with duckdb.connect(copy, read_only=True) as db:
        assert "unavailable" not in dict(shape(db, "raw.reads"))
        assert db.execute("SELECT count(*) FROM raw.reads").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE raw.reads DROP COLUMN via",
        "ALTER TABLE raw.reads ALTER COLUMN parts TYPE VARCHAR USING 'many'",
    ],
)
def test_what_cannot_be_derived_says_what_to_do_and_changes_nothing(home, statement):
    change(home, statement)
    with pytest.raises(FixSettings, match="hearth rebuild --from-landing"), warehouse.opened(home):
        pytest.fail("it opened")
    with duckdb.connect(home.home / "work" / "warehouse.duckdb") as db:
        assert db.execute("SELECT count(*) FROM raw.reads").fetchone() == (1,)
        assert shape(db, "raw.reads") != wanted("raw.reads")


def test_an_empty_table_takes_any_shape(home):
    change(home, "DELETE FROM raw.reads", "ALTER TABLE raw.reads DROP COLUMN via")
    with warehouse.opened(home) as db:
        assert shape(db, "raw.reads") == wanted("raw.reads")


def test_judgements_are_made_again(home):
    change(
        home,
        "INSERT INTO judgement.threads BY NAME SELECT 'forum' AS source",
        "ALTER TABLE judgement.threads DROP COLUMN model",
    )
    with warehouse.opened(home) as db:
        assert shape(db, "judgement.threads") == wanted("judgement.threads")
        assert db.execute("SELECT count(*) FROM judgement.threads").fetchone() == (0,)


FOUND = (
    "INSERT INTO judgement.found BY NAME SELECT 'forum' AS source, '1' AS thread_id,"
    " now()::TIMESTAMP AS last_found_at"
)


def test_what_was_found_in_past_nights_keeps_its_rows(home):
    change(
        home,
        FOUND,
        "ALTER TABLE judgement.found DROP COLUMN level",
        "ALTER TABLE judgement.found ALTER COLUMN severity TYPE BIGINT",
    )
    with warehouse.opened(home) as db:
        assert shape(db, "judgement.found") == wanted("judgement.found")
        assert db.execute("SELECT source, level FROM judgement.found").fetchall() == [
            ("forum", None)
        ]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE judgement.found DROP COLUMN kind",
        "ALTER TABLE judgement.found ALTER COLUMN last_found_at TYPE VARCHAR USING 'some night'",
    ],
)
def test_where_it_cannot_it_is_left_as_it_is(home, statement):
    change(home, FOUND, statement)
    told = pytest.raises(FixSettings, match="judgement.found: .* go back to the version of Hearth")
    with told, warehouse.opened(home):
        pytest.fail("it opened")
    with duckdb.connect(home.home / "work" / "warehouse.duckdb") as db:
        assert db.execute("SELECT count(*) FROM judgement.found").fetchone() == (1,)


def test_what_has_no_contract_any_more_does_not_stay_with_its_texts(home):
    change(
        home,
        "CREATE TABLE marts.old_texts AS SELECT 'what a member wrote' AS body",
        "CREATE VIEW marts.old_view AS SELECT 1 AS one",
        "DROP VIEW IF EXISTS marts.wordings",
        "CREATE TABLE marts.wordings AS SELECT 1 AS one",
        "DROP TABLE marts.tiers",
        "CREATE VIEW marts.tiers AS SELECT 1 AS one",
    )
    with warehouse.opened(home) as db:
        names = {
            name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
        assert not {"old_texts", "old_view", "wordings"} & names
        assert shape(db, "marts.tiers") == wanted("marts.tiers")


def test_what_is_not_read_any_more_goes_and_does_not_come_back(home):
    landed = landing_of(home)
    records = tuple(Record(stream, "1", {"user_id": 7}, 5) for stream in ("posts", *UNREAD))
    landed.write("forum", "run1", "forum", Part(records))
    with warehouse.opened(home) as db:
        load.load(db, landed)
        assert db.execute("SELECT stream FROM raw.records").fetchall() == [("posts",)]
    change(
        home,
        *(
            f"INSERT INTO raw.records SELECT * REPLACE ('{stream}' AS stream) FROM raw.records"
            " WHERE stream = 'posts'"
            for stream in UNREAD
        ),
        "INSERT INTO raw.spans VALUES ('forum', 'badges', '', 1, 2)",
    )
    with warehouse.opened(home) as db:
        assert db.execute("SELECT stream FROM raw.records").fetchall() == [("posts",)]
        assert db.execute("FROM raw.spans").fetchall() == []
        assert migrations.pending(db) == []


def test_only_the_newest_copies_are_kept(home, tmp_path):
    for number in range(4):
        (tmp_path / "backup").mkdir(exist_ok=True)
        (tmp_path / "backup" / f"work-2026030{number + 1}T000000Z.duckdb").write_text("old")
    change(home, "ALTER TABLE raw.reads DROP COLUMN unavailable")
    with warehouse.opened(home):
        pass
    names = [copy.name for copy in copies(home)]
    assert len(names) == migrations.KEPT_COPIES
    assert names[0] == "work-20260304T000000Z.duckdb"


def test_memory_that_is_too_small_is_named(home):
    small = home.model_copy(update={"memory": "20MB"})
    told = pytest.raises(FixSettings, match="more than its memory of 20MB; raise `memory`")
    with told, warehouse.opened(small) as db:
        db.execute("SET temp_directory = ''")
        db.execute("CREATE TABLE big AS SELECT range, repeat('x', 900) AS x FROM range(200000)")


def test_a_full_disk_is_named_and_loses_nothing(home):
    fill = """
import resource, signal, sys
from pipeline import warehouse
from pipeline.errors import FixSettings
from tests.conftest import SECRETS, TOML, make_community
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
home = make_community(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))
try:
    with warehouse.opened(home) as db:
        db.execute("CREATE TABLE raw.big AS SELECT range, uuid() AS x FROM range(3000000)")
except FixSettings as error:
    print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", fill, str(home.home)], capture_output=True, text=True, check=False
    )
    assert "is full; free space, then run again" in told.stdout, told.stderr
    with warehouse.opened(home) as db:
        assert db.execute("SELECT count(*) FROM raw.reads").fetchone() == (1,)


def test_a_dry_run_tells_and_changes_nothing(home, tmp_path, monkeypatch):
    (tmp_path / "hearth.toml").write_text(
        TOML.format(home=tmp_path, forum="http://x", chat="http://x")
    )
    for name, value in environment(tmp_path / "hearth.toml").items():
        monkeypatch.setenv(name, value)
    change(home, "ALTER TABLE raw.reads DROP COLUMN unavailable")
    told = CliRunner().invoke(cli.app, ["migrate", "--dry-run"])
    assert told.output == "raw.reads: new: unavailable\n"
    assert copies(home) == []
    assert CliRunner().invoke(cli.app, ["migrate"]).output == "raw.reads: new: unavailable\n"
    assert len(copies(home)) == 1
    assert CliRunner().invoke(cli.app, ["migrate"]).output == "Nothing to change.\n"
