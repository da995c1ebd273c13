"""Landed parts in, raw records out: newest wins, lists bury, twice is once."""

import gzip
import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import warehouse
from pipeline.landing import Landing, Report, parts, report
from pipeline.load import Loaded, load, write_bookmarks
from pipeline.records import Bookmarks, Part, Record, Span


@pytest.fixture
def db():
    with duckdb.connect() as db:
        warehouse.prepare(db)
        yield db


@pytest.fixture
def landed(tmp_path):
    return Landing(tmp_path / "landing")


def post(key, seen_at, **payload):
    return Record("posts", str(key), {"id": key, **payload}, seen_at=seen_at, at=seen_at)


def held(db):
    return db.execute(
        "SELECT key, payload ->> 'raw', gone_at, seen_at FROM raw.records ORDER BY key"
    ).fetchall()


def test_the_version_seen_last_wins_whatever_the_order_of_loading(db, landed):
    landed.write("forum", "run1", "posts", Part((post(1, 20, raw="new"), post(2, 20, raw="b"))))
    load(db, landed)
    landed.write("forum", "run0", "posts", Part((post(1, 10, raw="old"), post(3, 10, raw="c"))))
    load(db, landed)
    assert held(db) == [("1", "new", None, 20), ("2", "b", None, 20), ("3", "c", None, 10)]


def test_loading_twice_changes_nothing(db, landed):
    landed.write(
        "forum", "run1", "posts", Part((post(1, 10, raw="a"),), (Span("posts", 10, 1, 5),))
    )
    landed.finish(Report("forum", "posts", "run1", "rest", started_at=9, streams=("posts",)))
    tables = ("records", "spans", "files", "reads")
    load(db, landed)
    before = [db.execute(f"FROM raw.{t}").fetchall() for t in tables]
    assert load(db, landed) == Loaded(files=0, changed=0, damaged=())
    assert [db.execute(f"FROM raw.{t}").fetchall() for t in tables] == before


def test_a_tombstone_that_tells_its_time_is_believed(db, landed):
    gone = Record("posts", "1", {}, seen_at=30, at=25, gone=True)
    landed.write("forum", "run1", "posts", Part((post(1, 10, raw="a"),)))
    landed.write("forum", "run2", "posts", Part((gone,)))
    load(db, landed)
    assert held(db) == [("1", "a", 25, 30)]


def test_a_tombstone_keeps_the_last_payload_and_its_first_time(db, landed):
    gone = Record("posts", "1", {}, seen_at=30, gone=True)
    later = Record("posts", "1", {}, seen_at=40, gone=True)
    for run, part in enumerate([Part((post(1, 10, raw="a"),)), Part((gone,)), Part((later,))]):
        landed.write("forum", f"run{run}", "posts", part)
    load(db, landed)
    assert held(db) == [("1", "a", 30, 40)]
    landed.write("forum", "run9", "posts", Part((post(1, 50, raw="back"),)))
    load(db, landed)
    assert held(db) == [("1", "back", None, 50)]


def test_seen_and_gone_in_one_answer_ends_gone(db, landed):
    gone = Record("posts", "1", {}, seen_at=10, gone=True)
    landed.write("forum", "run1", "posts", Part((gone, post(1, 10, raw="a"))))
    load(db, landed)
    assert held(db) == [("1", "a", 10, 10)]


def test_a_complete_list_buries_what_it_does_not_name(db, landed):
    known = Part(tuple(post(key, 10) for key in (1, 2, 3, 9)))
    landed.write("forum", "run1", "posts", known)
    landed.write("forum", "run2", "posts", Part((), (Span("posts", 20, 1, 5, keys=("2",)),)))
    late = Part((post(4, 30),), (Span("posts", 25, 1, 5, keys=("2",), covers=False),))
    landed.write("forum", "run3", "posts", late)
    load(db, landed)
    assert [(key, gone_at) for key, _, gone_at, _ in held(db)] == [
        ("1", 20),
        ("2", None),
        ("3", 20),
        ("4", None),
        ("9", None),
    ]


def test_a_list_speaks_of_its_own_container_and_source_only(db, landed):
    here = Record("messages", "a", {}, seen_at=10, container="room")
    there = Record("messages", "b", {}, seen_at=10, container="hall")
    landed.write("chat", "run1", "messages", Part((here, there)))
    landed.write("talk", "run1", "messages", Part((here,)))
    landed.write(
        "chat", "run2", "messages", Part((), (Span("messages", 20, container="room", keys=()),))
    )
    load(db, landed)
    assert db.execute("SELECT source, key, gone_at FROM raw.records ORDER BY ALL").fetchall() == [
        ("chat", "a", 20),
        ("chat", "b", None),
        ("talk", "a", None),
    ]


def test_only_changed_content_is_marked_for_typing(db, landed):
    landed.write("forum", "run1", "posts", Part((post(1, 10, raw="a"), post(2, 10, raw="b"))))
    load(db, landed)
    landed.write("forum", "run2", "posts", Part((post(1, 20, raw="a"), post(2, 20, raw="B"))))
    assert load(db, landed).changed == 1
    loads = db.execute("SELECT key, load, seen_at FROM raw.records ORDER BY key").fetchall()
    assert loads == [("1", 1, 20), ("2", 2, 20)]


def test_a_damaged_part_sets_its_whole_read_aside_and_no_other(db, landed):
    for key in (1, 2, 3):
        landed.write("forum", "run1", "posts", Part((post(key, 10),)))
    landed.write("forum", "run1", "users", Part((Record("users", "7", {}, seen_at=10),)))
    file = parts(landed.folder_of("forum", "run1", "posts"))[1]
    file.write_bytes(file.read_bytes()[:-9])
    loaded = load(db, landed)
    assert loaded == Loaded(files=1, changed=1, damaged=("forum/run1/posts",))
    assert db.execute("SELECT stream FROM raw.records").fetchall() == [("users",)]
    assert (landed.folder.parent / "damaged/forum/run1/posts/000002.jsonl.gz").exists()
    assert not landed.folder_of("forum", "run1", "posts").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"{not json", mtime=0)],
    ids=["empty", "not gzip", "not JSON"],
)
def test_whatever_is_not_a_part_is_damage(db, landed, content):
    landed.write("forum", "run1", "posts", Part((post(1, 10),))).write_bytes(content)
    assert load(db, landed).damaged == ("forum/run1/posts",)


def test_what_was_loaded_of_a_damaged_read_is_loaded_again_with_the_rest(db, landed):
    def read():
        for key in (1, 2):
            landed.write("forum", "run1", "posts", Part((post(key, 10 + key),)))
        return parts(landed.folder_of("forum", "run1", "posts"))

    read()[1].write_bytes(gzip.compress(b"{not json", mtime=0))
    assert load(db, landed, batch=1).damaged == ("forum/run1/posts",)
    assert db.execute("SELECT file FROM raw.files").fetchall() == []
    read()
    assert load(db, landed, batch=1).files == 2
    assert [key for key, *_ in held(db)] == ["1", "2"]


def test_an_error_of_our_own_is_not_taken_for_damage(db, landed):
    landed.write("forum", "run1", "posts", Part((post(1, 10),)))
    db.execute("ALTER TABLE raw.records ALTER payload TYPE INTEGER")
    with pytest.raises(duckdb.ConversionException):
        load(db, landed)
    assert landed.folder_of("forum", "run1", "posts").exists()


def test_a_damaged_report_sets_its_read_aside_too(db, landed):
    landed.write("forum", "run1", "posts", Part((post(1, 10),)))
    (landed.folder_of("forum", "run1", "posts") / "report.json").write_text("")
    assert load(db, landed) == Loaded(files=0, changed=0, damaged=("forum/run1/posts",))
    assert load(db, landed) == Loaded(files=0, changed=0, damaged=())


def report_of(landed, **changed):
    """A finished read whose report another version wrote."""
    landed.write("forum", "run1", "posts", Part((post(1, 10),)))
    landed.finish(Report("forum", "posts", "run1", "rest", started_at=11, streams=("posts",)))
    file = landed.folder_of("forum", "run1", "posts") / "report.json"
    fields = {**json.loads(file.read_text()), **changed}
    file.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))
    return file.parent


def test_a_report_of_another_version_is_read_as_far_as_it_is_known(db, landed):
    read = report_of(landed, pages=7, blind_spots=...)
    assert report(read) == Report("forum", "posts", "run1", "rest", 11, streams=("posts",))
    assert load(db, landed).damaged == ()
    assert db.execute("SELECT stream, started_at FROM raw.reads").fetchall() == [("posts", 11)]


@pytest.mark.parametrize("changed", [{"started_at": ...}, {"requests": "many"}, {"streams": 1}])
def test_what_is_no_report_is_damage(db, landed, changed):
    read = report_of(landed, **changed)
    assert report(read) is None
    assert load(db, landed) == Loaded(files=0, changed=0, damaged=("forum/run1/posts",))


def test_text_no_database_likes_arrives(db, landed):
    hostile = "a\0b \ud800 \u202e </script> '; DROP TABLE x -- 你好 😀"
    landed.write("forum", "run1", "posts", Part((post(1, 10, raw=hostile),)))
    load(db, landed)
    assert held(db)[0][1] == hostile.replace("\ud800", "?")


def test_a_bookmark_says_what_is_held(db, landed, tmp_path):
    landed.write(
        "forum", "run1", "posts", Part((post(7, 10), post(9, 12)), (Span("posts", 10, 7, 9),))
    )
    landed.finish(Report("forum", "posts", "run1", "rest", started_at=11, streams=("posts",)))
    landed.write("forum", "run2", "posts", Part((post(12, 30),), (Span("posts", 30, 10, 12),)))
    load(db, landed)
    write_bookmarks(db, "forum", tmp_path / "marks")
    posts = Bookmarks.read(tmp_path / "marks")["posts"]
    assert (posts.top(), posts.covered(), posts.reached()) == (12, [(7, 12)], 30)
    assert posts.at() == 10, "a read that did not end must not move the watermark"
    assert posts.keys() == {"7", "9", "12"} == set(posts.marks())
    assert set(posts.marks(8, 9)) == {"9"}
    assert Bookmarks.read(tmp_path / "marks")["users"].top() is None


def test_a_watermark_needs_a_read_that_ended(db, landed, tmp_path):
    landed.write("forum", "run1", "posts", Part((post(7, 10),)))
    load(db, landed)
    write_bookmarks(db, "forum", tmp_path / "marks")
    posts = Bookmarks.read(tmp_path / "marks")["posts"]
    assert (posts.at(), posts.reached()) == (None, 10)


events = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.booleans(), st.integers(0, 2)),
    max_size=12,
    unique_by=lambda event: event[:2],  # one thing is never seen twice in one microsecond
)


@settings(max_examples=12)
@given(events, st.randoms(use_true_random=False))
def test_any_order_of_files_ends_the_same(tmp_path_factory, history, random):
    def play(order):
        landed = Landing(tmp_path_factory.mktemp("landing"))
        for run, (key, seen_at, gone, text) in order:
            payload = {} if gone else {"raw": str(text)}
            record = Record("posts", str(key), payload, seen_at=seen_at * 10, gone=gone)
            landed.write("forum", f"run{run}", "posts", Part((record,)))
        with duckdb.connect() as db:
            warehouse.prepare(db)
            load(db, landed, batch=300)
            # what a tombstone keeps of before, and since when it stands, depends on the order
            return [(key, gone is None and raw, seen) for key, raw, gone, seen in held(db)]

    numbered = list(enumerate(history))
    shuffled = [
        (new, event) for new, (_, event) in enumerate(random.sample(numbered, len(numbered)))
    ]
    assert play(shuffled) == play(numbered)
