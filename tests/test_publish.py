"""Published nights: whole, immutable, private where they must be, never in a writer's way."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import pytest

from pipeline import build, warehouse
from pipeline.contracts import contracts
from pipeline.landing import Landing
from pipeline.load import load
from pipeline.publish import publish
from pipeline.records import Part, Record
from tests.conftest import make_community

AS_OF = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return make_community(tmp_path)


def land_a_topic(home, raw="the secret words"):
    landed = Landing(home.home / "landing")
    made = "2026-03-01T10:00:00.000Z"
    landed.write(
        "forum",
        "run1",
        "posts",
        Part(
            (
                Record(
                    "categories",
                    "5",
                    {"id": 5, "name": "Support", "read_restricted": False},
                    seen_at=1,
                ),
                Record(
                    "users", "7", {"id": 7, "username": "anna_k", "created_at": made}, seen_at=1
                ),
                Record(
                    "topics",
                    "1",
                    {
                        "id": 1,
                        "title": "Private title",
                        "category_id": 5,
                        "user_id": 7,
                        "created_at": made,
                        "archetype": "regular",
                    },
                    seen_at=1,
                ),
                Record(
                    "posts",
                    "11",
                    {
                        "id": 11,
                        "topic_id": 1,
                        "post_number": 1,
                        "post_type": 1,
                        "raw": raw,
                        "user_id": 7,
                        "created_at": made,
                        "version": 1,
                    },
                    seen_at=1,
                ),
            )
        ),
    )


def night(home, run):
    with warehouse.opened(home) as db:
        load(db, Landing(home.home / "landing"))
        build.build(db, home, AS_OF)
        return publish(db, home, run, AS_OF)


def test_a_night_is_two_files_two_links_and_a_manifest(home):
    land_a_topic(home)
    manifest = night(home, "n1")
    folder = home.home / "published"
    assert sorted(f.name for f in folder.iterdir()) == [
        "community-n1.duckdb",
        "current.duckdb",
        "manifest.json",
        "restricted-n1.duckdb",
        "restricted.duckdb",
    ]
    assert (folder / "current.duckdb").readlink().name == "community-n1.duckdb"
    content = (folder / "community-n1.duckdb").read_bytes()
    told = json.loads((folder / "manifest.json").read_text())
    assert told["community"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest.community.rows["marts.threads"] == 1
    published = {c.table for c in contracts().values() if c.publish == "community"}
    assert set(manifest.community.rows) == published


def test_names_and_words_of_people_stay_out_of_the_community_file(home):
    land_a_topic(home)
    night(home, "n1")
    folder = home.home / "published"
    whole = (folder / "community-n1.duckdb").read_bytes()
    for word in (b"anna_k", b"secret words", b"Private title"):
        assert word not in whole
    with duckdb.connect(folder / "restricted.duckdb", read_only=True) as reader:
        assert reader.execute("SELECT username FROM marts.accounts").fetchall() == [("anna_k",)]
        assert reader.execute("SELECT title, body FROM marts.texts").fetchall() == [
            ("Private title", "the secret words")
        ]


def test_no_personal_column_is_published_but_in_the_restricted_file():
    told = [
        f"{contract.table}.{name}"
        for contract in contracts().values()
        if contract.publish == "community"
        for name, column in contract.columns.items()
        if column.pii
    ]
    assert told == []


def test_a_reader_keeps_its_night_and_the_link_leads_to_the_next(home):
    land_a_topic(home)
    night(home, "n1")
    link = home.home / "published" / "current.duckdb"
    with duckdb.connect(link.resolve(), read_only=True) as reader:
        night(home, "n2")
        assert reader.execute("SELECT count(*) FROM marts.threads").fetchone() == (1,)
        assert link.resolve().name == "community-n2.duckdb"


def test_a_reader_in_another_process_is_not_in_the_way_of_the_writer(home):
    land_a_topic(home)
    night(home, "n1")
    link = home.home / "published" / "current.duckdb"
    ask = (
        "import duckdb, sys; db = duckdb.connect(sys.argv[1], read_only=True);"
        "print(db.execute('SELECT count(*) FROM marts.messages').fetchone()[0])"
    )
    with warehouse.opened(home) as db:
        db.begin()
        db.execute("DELETE FROM raw.records")
        command = [sys.executable, "-c", ask, str(link.resolve())]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        db.rollback()
    assert told == "1\n"


READER = """
import sys, duckdb
link, asked = sys.argv[1], "SELECT count(*), max(length(title)) FROM marts.messages, r.marts.texts"
def connect():
    db = duckdb.connect(link, read_only=True)
    db.execute(f"ATTACH '{sys.argv[2]}' AS r (READ_ONLY)")
    return db
db = connect()
print(duckdb.__version__, flush=True)
for line in sys.stdin:
    if line == "connect again\\n":
        db.close()
        db = connect()
    print(db.execute(asked).fetchone(), flush=True)
"""


@pytest.mark.slow
def test_a_driver_of_last_year_keeps_its_night_while_the_next_is_written(home, tmp_path):
    """DuckDB 1.5.6 in an environment of its own, connected before, during and after a night."""
    python = tmp_path / "bi" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "duckdb==1.5.6"]
    if subprocess.run(pip, check=False).returncode:
        pytest.skip("duckdb 1.5.6 could not be installed")
    land_a_topic(home)
    night(home, "n1")
    links = [home.home / "published" / name for name in ("current.duckdb", "restricted.duckdb")]
    with subprocess.Popen(
        [python, "-c", READER, *links], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:

        def says(line):
            print(line, file=reader.stdin, flush=True)
            return reader.stdout.readline().strip()

        assert reader.stdout.readline().strip() == "1.5.6"
        first = says("ask")
        post = {
            "id": 12,
            "topic_id": 1,
            "post_number": 2,
            "post_type": 1,
            "raw": "an answer",
            "user_id": 7,
            "created_at": "2026-03-01T11:00:00.000Z",
            "version": 1,
        }
        landed = Landing(home.home / "landing")
        landed.write("forum", "run2", "posts", Part((Record("posts", "12", post, seen_at=2),)))
        with warehouse.opened(home) as db:
            load(db, landed)
            build.build(db, home, AS_OF)
            during = says("ask")
            publish(db, home, "n2", AS_OF)
            after = says("ask")
        assert [first, during, after] == ["(1, 13)"] * 3
        assert says("connect again") == "(4, 13)"
        reader.stdin.close()


def test_the_same_night_twice_is_equal_row_by_row(home):
    land_a_topic(home)
    night(home, "n1")
    night(home, "n2")
    with duckdb.connect() as both:
        for run in ("n1", "n2"):
            file = home.home / "published" / f"community-{run}.duckdb"
            both.execute(f"ATTACH '{file}' AS {run} (READ_ONLY)")
        for name, contract in contracts().items():
            if contract.publish == "community" and contract.schema_name == "marts":
                first, second = (both.execute(f"FROM {n}.{name}").fetchall() for n in ("n1", "n2"))
                assert first == second, name


def test_messages_lie_in_order_of_time(home):
    """So that a query of some days reads the part of the file that holds them."""
    land_a_topic(home)
    with warehouse.opened(home) as db:
        load(db, Landing(home.home / "landing"))
        build.build(db, home, AS_OF)
        for day, name in ((28, "z"), (2, "y"), (14, "a"), (14, "Z")):
            db.execute(
                "INSERT INTO marts.messages SELECT * REPLACE (? AS message_id, ? AS created_at)"
                " FROM marts.messages LIMIT 1",
                [name, datetime(2026, 2, day)],
            )
        publish(db, home, "n1", AS_OF)
    with duckdb.connect(home.home / "published" / "current.duckdb", read_only=True) as reader:
        rows = reader.execute("SELECT message_id FROM marts.messages ORDER BY rowid").fetchall()
    assert [name for (name,) in rows] == ["y", "Z", "a", "z", "11"]


def test_old_nights_are_forgotten(home):
    land_a_topic(home)
    few = home.model_copy(update={"keep_nights": 2})
    for run in ("n1", "n2", "n3"):
        night(few, run)
    left = sorted(f.name for f in (home.home / "published").glob("*-n*.duckdb"))
    assert left == [
        "community-n2.duckdb",
        "community-n3.duckdb",
        "restricted-n2.duckdb",
        "restricted-n3.duckdb",
    ]


def test_an_old_night_published_again_is_not_forgotten(home):
    land_a_topic(home)
    few = home.model_copy(update={"keep_nights": 2})
    for run in ("n1", "n2", "n3", "n1"):
        night(few, run)
    assert (home.home / "published" / "current.duckdb").resolve().name == "community-n1.duckdb"
    assert (home.home / "published" / "current.duckdb").exists()


def test_every_table_and_column_explains_itself_in_the_file(home):
    land_a_topic(home)
    night(home, "n1")
    with duckdb.connect((home.home / "published/current.duckdb").resolve(), read_only=True) as db:
        silent = db.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL"
            " AND NOT internal"
        ).fetchall()
    assert silent == []


def test_pseudonyms_are_keyed(tmp_path):
    ids = []
    for number, key in enumerate(("one key", "one key", "another key")):
        home = make_community(tmp_path / str(number), HEARTH_EMBER_PSEUDONYM_KEY=key)
        land_a_topic(home)
        night(home, "n1")
        with duckdb.connect((home.home / "published/current.duckdb").resolve()) as db:
            ids += db.execute("SELECT person_id FROM marts.people").fetchone()
    assert ids[0] == ids[1] != ids[2]
    import hmac

    assert ids[0] == hmac.new(b"one key", b"forum/7", "sha256").hexdigest()[:16]
