"""Through the real landing folder and warehouse: killed, loaded twice, and still the server's truth."""

import json
from datetime import timedelta

import duckdb
import pytest

from pipeline import warehouse
from pipeline.landing import Landing, Report
from pipeline.load import load, write_bookmarks
from pipeline.records import Bookmarks
from pipeline.sandbox.rocketchat import READER_ID
from pipeline.sources.rocketchat import messages
from tests.sources.rocketchat.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class House:
    """A warehouse that the world's source fills night by night."""

    def __init__(self, world, folder):
        self.world, self.folder, self.runs = world, folder, 0
        self.landed = Landing(folder / "landing")
        self.db = duckdb.connect()
        warehouse.prepare(self.db)

    def night(self, at, parts=None):
        """One night; with `parts` it is killed after so many of them."""
        self.world.clock.set(at)
        self.runs += 1
        run, place = f"run{self.runs:02}", self.folder / f"bookmarks{self.runs}"
        write_bookmarks(self.db, "chat", place)
        source, bookmarks = self.world.source(), Bookmarks.read(place)
        for plan in source.plan():
            for number, part in enumerate(source.read(plan.stream, bookmarks)):
                if number == parts:
                    return load(self.db, self.landed)
                self.landed.write("chat", run, plan.stream, part)
            report = Report("chat", plan.stream, run, plan.via, 1, streams=plan.yields)
            self.landed.finish(report)
        return load(self.db, self.landed)

    def held(self):
        rows = self.db.execute(
            "SELECT key, payload FROM raw.records WHERE stream = 'messages' AND gone_at IS NULL"
        ).fetchall()
        return {key: json.loads(payload) for key, payload in rows}


@pytest.fixture
def house(world, tmp_path):
    for n in range(20):
        world.workspace.post("general", "ann", f"line {n}", START + n * MINUTE, id=f"m{n}")
    return House(world, tmp_path)


def test_nights_of_changes(house):
    chat = house.world.workspace
    house.night(START + DAY)
    assert house.held() == house.world.truth()
    chat.delete("m3", "ann", START + DAY + MINUTE)
    chat.edit("m4", "mended", START + DAY + MINUTE)
    chat.prune("general", START + 2 * MINUTE, START + DAY + 2 * MINUTE)
    house.night(START + 2 * DAY)
    assert house.held() == house.world.truth()
    chat.expire("m9")
    house.night(START + 10 * DAY)
    assert house.held() == house.world.truth()
    last = house.db.execute(
        "SELECT payload ->> 'msg' FROM raw.records WHERE key IN ('m3', 'm9') ORDER BY key"
    ).fetchall()
    assert last == [("line 3",), ("line 9",)]


def test_a_night_again_changes_nothing(house):
    house.night(START + DAY)
    before = house.held()
    changed = house.night(START + DAY + MINUTE).changed
    again = house.db.execute(
        "SELECT DISTINCT stream FROM raw.records WHERE load = (SELECT max(load) FROM raw.records)"
    ).fetchall()
    assert house.held() == before
    assert (changed, again) == (2, [("room_reads",)])  # when each room was asked


@pytest.mark.parametrize("parts", range(7))
def test_killed_at_any_part_and_resumed(house, parts, monkeypatch):
    for name, value in {"WHOLE_ROOM": 5, "PAGE": 6}.items():
        monkeypatch.setattr(messages, name, value)
    house.night(START + DAY, parts=parts)
    house.world.workspace.delete("m1", "ann", START + DAY + MINUTE)
    house.world.workspace.delete("m19", "ann", START + DAY + MINUTE)
    house.night(START + DAY + 2 * MINUTE)
    assert house.held() == house.world.truth()


def test_what_was_read_behind_doors_leaves_no_text(house):
    chat = house.world.workspace
    chat.join("help", READER_ID, START)
    house.night(START + DAY)
    listed = house.world.clock.now()
    chat.rooms["help"]["t"] = "p"
    chat.post("help", "ben", "quillon", listed + MINUTE, id="secret")
    chat.rooms["help"]["t"] = "c"  # the lists of that night name it as public
    house.night(listed + timedelta(seconds=1))
    assert house.held()["secret"]["msg"] == "quillon"
    chat.rooms["help"]["t"] = "p"
    house.night(START + 2 * DAY)
    assert house.held()["secret"] == {"_id": "secret", "rid": "help", "_hidden": True}


def test_a_mark_of_an_older_version_is_of_a_room_that_was_read():
    memory = messages.Memory.parse('[1772416800000, 1772416800000, "3/4", 5]')
    assert (memory.is_read, memory.listed_ms) == (True, 0)
    assert not messages.Memory().is_read
