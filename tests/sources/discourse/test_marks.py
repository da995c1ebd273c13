"""What marks are made of: stored ones are read as they were written, by whatever way and version."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Bookmark, Bookmarks
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse import marks, rest_chat, rest_moderation, rest_people
from pipeline.sources.discourse.marks import (
    ChannelMark,
    ChatMark,
    PostMark,
    ReportMark,
    SolutionMark,
    TopicMark,
    UserMark,
    parse,
    sql,
    text,
    written,
)
from pipeline.sources.discourse.rest_records import (
    is_deleted,
    is_listed,
    post_record,
    shown_in,
    topic_record,
)
from pipeline.sources.discourse.rest_suspects import _left_behind
from pipeline.sources.discourse.streams import all_tables
from tests.sources.discourse.test_chat import Talk
from tests.sources.discourse.world import World

Serve = Callable[..., AbstractContextManager[World]]
WAYS = ("data_explorer", "rest")
AT = "2026-03-01T00:00:00.000Z"

KINDS: dict[str, type[NamedTuple]] = {
    "posts": PostMark,
    "topics": TopicMark,
    "solutions": SolutionMark,
    "users": UserMark,
    "reports": ReportMark,
    "chat_channels": ChannelMark,
    "chat_messages": ChatMark,
}
SHARED = {  # what is the same by both ways in -> its name by Data Explorer
    "posts": {"topic": "topic_id", "number": "post_number", "likes": "like_count"},
    "solutions": {"topic": "topic_id"},
    "chat_messages": {"channel": "chat_channel_id"},
}

POST = {
    "id": 30,
    "topic_id": 7,
    "post_number": 3,
    "post_type": 1,
    "created_at": AT,
    "updated_at": AT,
    "user_id": 5,
    "username": "ann",
    "version": 2,
    "hidden": False,
    "user_deleted": False,
    "reply_to_post_number": 1,
    "raw": "hi",
    "accepted_answer": True,
    "actions_summary": [{"id": 2, "count": 2}],
}
TOPIC = {
    "id": 7,
    "title": "A | B",
    "category_id": 1,
    "bumped_at": AT,
    "created_at": AT,
    "posts_count": 3,
    "like_count": 2,
    "highest_post_number": 4,
    "has_accepted_answer": True,
    "closed": False,
    "archived": False,
    "visible": True,
    "pinned_globally": False,
    "views": 9,
    "tags": ["how-to"],
    "posters": [{"user_id": 5}],
}
SAID = {
    "id": 8,
    "chat_channel_id": 2,
    "message": "hi",
    "created_at": AT,
    "edited": True,
    "user": {"id": 5, "username": "ann"},
    "reactions": [],
    "thread": {"reply_count": 2, "preview": {"last_reply_id": 11}},
}
REPORT = {"id": 4, "status": 0, "version": 1, "score": 2.5, "created_at": AT}
ANN = {"id": 5, "username": "ann", "active": True}
HI, NONE = "49f68a5c8493ec2c0bf489821c21fc3b", "d751713988987e9331980363e24189ce"
TITLE, TAGS = "2b4fd6fb47484c94ff6ce1aff1c5466d", "0e8614322d052865745febeb84080d1f"


class Lively(Talk):
    """A forum and its chat after something of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.edit(1, 30)
        self.like(2, 1)
        self.accept(3)
        self.delete(5)
        self.flag(1, 2)
        self.forum.hide_post(self.posts[2], self.later())


def stored(world: World) -> dict[str, dict[str, str]]:
    """Stream -> key -> mark, of all that is held."""
    found: dict[str, dict[str, str]] = {}
    for stream, key, _, mark, *_ in world.everything():
        if mark is not None:
            found.setdefault(stream, {})[key] = mark
    return found


def holding(folder: Path, *rows: tuple[str, str, bool]) -> Bookmark:
    """What the warehouse holds of a stream: (key, mark, gone)."""
    file = folder / f"{len(list(folder.iterdir()))}.parquet"
    with duckdb.connect() as db:
        db.execute("CREATE TABLE held (container VARCHAR, key VARCHAR, mark VARCHAR, gone BOOLEAN)")
        db.executemany("INSERT INTO held VALUES ('', ?, ?, ?)", [list(row) for row in rows])
        db.execute(f"COPY held TO '{file}' (FORMAT parquet)")
    return Bookmark(file)


@pytest.mark.parametrize(
    ("made", "mark"),
    [
        (post_record(POST, 1), f"7|3|2|1|{AT}||5|ann|2|False|False|1|1|{HI}"),
        (
            post_record({**POST, "deleted_at": AT, "accepted_answer": False}, 1),
            f"-7|3|2|0|{AT}|{AT}|5|ann|2|False|False|1|1|{HI}",
        ),
        (
            topic_record(TOPIC, 1),
            f"|{AT}|3|2|4|True|1|{TITLE}|False|False|True|False|9|{TAGS}|5",
        ),
        (
            topic_record({**TOPIC, "deleted_at": AT}, 1),
            f"deleted|{AT}|3|2|4|True|1|{TITLE}|False|False|True|False|9|{TAGS}|5",
        ),
        (rest_chat._record(SAID, 1), f"2|5||True|{HI}|{NONE}||2|11"),
        (rest_chat._record(SAID, 1, 6), f"2|5||True|{HI}|{NONE}|6|2|11"),
        (
            rest_chat._channel_record({"id": 2, "title": "lounge", "threading_enabled": True}, 1),
            "True|e2e80d9c2b627aeff0e0623e043adacb",
        ),
        (
            rest_chat._channel_record({"id": 2, "title": "lounge"}, 1),
            "|7db3a9064c627582620ef59d2289637f",
        ),
        (rest_people._user_record(ANN, 1), "|d72493806a5fbd7c862f0d0f01e67851"),
        (
            rest_people._user_record({**ANN, "active": False}, 1),
            "inactive|2d460da918ea161db99c5dbcf3103d3b",
        ),
        (rest_moderation._report(REPORT, True, 1), "0|1|2.5"),
    ],
)
def test_marks_are_written_as_they_are_held(made: Any, mark: str) -> None:
    assert made.mark == mark


def test_every_mark_of_a_forum_read_by_either_way_is_read_back_as_it_is(world_of: Serve) -> None:
    forum, seen = Lively().forum, set()
    for way in WAYS:
        with world_of(forum, way_in=way) as world, duckdb.connect() as db:
            world.night()
            found = stored(world)
            for stream in KINDS.keys() & found:
                kind = KINDS[stream]
                columns = ", ".join(sql(kind, name) for name in kind._fields[:-1])
                for mark in found[stream].values():
                    seen.add((way, stream))
                    told = parse(kind, mark)
                    assert text(told) == mark
                    by_sql = db.execute(f"SELECT {columns} FROM (SELECT ? AS mark)", [mark])
                    assert by_sql.fetchone() == tuple(part or "" for part in told[:-1])
    assert seen == {(way, s) for way in WAYS for s in KINDS} - {("rest", "solutions")}


def test_both_ways_share_the_parts_that_are_said_to_be_shared(world_of: Serve) -> None:
    made = {table.stream: table.mark.split() for table in all_tables(_settings(), {})}
    for stream, shared in SHARED.items():
        places = [KINDS[stream]._fields.index(name) for name in shared]
        assert [made[stream][place] for place in places] == list(shared.values())
    forum, held = Lively().forum, {}
    for way in WAYS:
        with world_of(forum, way_in=way) as world:
            world.night()
            held[way] = stored(world)
    for stream in ("posts", "chat_messages"):
        explored, asked = held["data_explorer"][stream], held["rest"][stream]
        assert len(explored.keys() & asked.keys()) > 3
        for key in explored.keys() & asked.keys():
            one, other = (parse(KINDS[stream], mark) for mark in (explored[key], asked[key]))
            for name in SHARED[stream]:
                assert getattr(one, name) == getattr(other, name).removeprefix("-")


def _settings() -> DiscourseSettings:
    return DiscourseSettings(platform="discourse", url="http://forum", key="k" * 16)


def test_what_data_explorer_marked_is_not_taken_for_what_rest_shows(world_of: Serve) -> None:
    with world_of(Lively().forum, way_in="data_explorer") as world:
        world.night()
        found = stored(world)
    assert found["posts"].keys() and found["topics"].keys()
    assert not any(map(shown_in, found["posts"].values()))
    assert not any(is_listed(mark) or is_deleted(mark) for mark in found["topics"].values())
    assert not any(marks.is_out_of_sight(mark) for mark in found["users"].values())
    with duckdb.connect() as db:
        for mark in found["posts"].values():
            told = db.execute(f"SELECT {marks.SQL_BY_REST} FROM (SELECT ? AS mark)", [mark])
            assert told.fetchone() == (False,)


def test_a_topic_of_the_first_version_knows_no_author() -> None:
    mark = f"|{AT}|3|2|4|True|1|{TITLE}|False|False|True|False|9|{TAGS}"
    told = parse(TopicMark, mark)
    assert len(mark.split("|")) == 14
    assert (told.tags, told.author) == (TAGS, None)
    assert text(told) == mark and not marks.is_whole(told)
    assert is_listed(mark) and not is_deleted(mark)


def test_a_message_of_the_first_version_knows_no_thread(tmp_path: Path) -> None:
    mark = f"2|5||True|{HI}|{NONE}|2|11"
    assert len(mark.split("|")) == 8
    assert not marks.is_whole(parse(ChatMark, mark))
    held = holding(tmp_path, ("8", mark, False), ("9", f"2|5||True|{HI}|{NONE}||2|11", False))
    assert held.ask(f"SELECT key WHERE {marks.sql_is_whole(ChatMark)}") == [("9",)]


def test_a_channel_of_the_first_version_does_not_say_whether_it_has_threads() -> None:
    assert rest_chat._threading("e2e80d9c2b627aeff0e0623e043adacb") not in {"True", "False", ""}


def test_a_deleted_post_of_the_first_version_has_no_topic(tmp_path: Path) -> None:
    mark = f"|3|2|0|{AT}|{AT}|5|ann|2|False|False|1|1|{HI}"
    assert shown_in(mark) is None
    standing = f"7|4|0|0|{AT}||5|ann|2|False|False|1|1|{HI}"
    bookmarks = Bookmarks(
        {
            "posts": holding(tmp_path, ("30", mark, False), ("31", standing, False)),
            "users": holding(tmp_path, ("5", "", True)),
        }
    )
    assert _left_behind(bookmarks) == {7}


@pytest.mark.parametrize("mark", [None, "", "7", "7|3|2|1"])
def test_what_is_not_said_is_null(mark: str | None) -> None:
    told = parse(PostMark, mark)
    assert told.raw is None
    assert text(told) == (mark or "")
    assert not marks.is_whole(told)
    assert shown_in(mark) is None


@given(st.text(alphabet="7|-T ", max_size=30), st.sampled_from(list(KINDS.values())))
def test_any_text_is_read_back_as_it_is(mark: str, kind: type[NamedTuple]) -> None:
    assert text(parse(kind, mark)) == mark


def test_a_beginning_is_that_of_whole_parts() -> None:
    begins = marks.beginning(PostMark, topic=7, number=3)
    assert f"7|3|2|1|{AT}".startswith(begins)
    assert not any(mark.startswith(begins) for mark in ("7|30|2|1", "-7|3|2|1", "77|3|2|1"))
    with pytest.raises(TypeError, match="PostMark begins with topic, number"):
        marks.beginning(PostMark, number=3)


def test_numbers_are_told_from_what_a_mark_has_in_their_place(tmp_path: Path) -> None:
    held = holding(
        tmp_path,
        ("1", "7|3|2|1|", False),
        ("2", "-7|3|2|1|", False),
        ("3", "|3|2|1|", False),
        ("4", "7|3||1|", False),
        ("5", "", False),
    )

    def those(condition: str) -> list[str]:
        return [key for (key,) in held.ask(f"SELECT key WHERE {condition} ORDER BY key")]

    assert those(marks.sql_begins_with_numbers(PostMark, "likes")) == ["1"]
    assert those(marks.sql_is_number(PostMark, "likes")) == ["1", "2", "3"]
    assert those(f"{marks.sql_number(PostMark, 'topic')} IS NULL") == ["3", "5"]


def test_a_mark_is_given_all_its_parts_and_no_other() -> None:
    with pytest.raises(TypeError, match="ReportMark has the parts status, version, score"):
        written(ReportMark, status=0, version=1)
    with pytest.raises(TypeError, match="ReportMark has the parts"):
        written(ReportMark, status=0, version=1, score=2, rest="")
