"""What was so, and when: kept while loading, the same in any order, and gone with who is erased."""

import json
from datetime import timedelta
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import steps, warehouse
from pipeline.landing import Landing
from pipeline.load import load
from pipeline.records import Part, Record
from pipeline.tonight import home_of
from tests.ops.searching import holders
from tests.test_night import NOW, World, ago

DAY = timedelta(days=1)


def user(seen_at, key=7, **payload):
    return Record("users", str(key), {"id": key, "username": f"u{key}", **payload}, seen_at)


def loaded(folder, *runs):
    """(when, moderator) of each kept state of account 7, over runs of records in this order."""
    landed = Landing(folder)
    with duckdb.connect() as db:
        warehouse.prepare(db)
        for name, records in runs:
            landed.write("forum", name, "users", Part(tuple(records)))
            load(db, landed)
        rows = db.execute("SELECT seen_at, state FROM raw.versions WHERE key = '7' ORDER BY 1")
        return [(at, json.loads(state)["moderator"]) for at, state in rows.fetchall()]


def test_a_state_is_kept_where_it_differs_from_the_one_before(tmp_path):
    same = user(20, moderator=False)
    gone = Record("users", "7", {}, 40, gone=True)
    other = user(15, 8, moderator=True)
    runs = (
        ("a", [user(10, moderator=False), other]),
        ("b", [same]),
        ("c", [user(30, moderator=True), gone]),
    )
    assert loaded(tmp_path, *runs) == [(10, False), (30, True)]


def test_what_comes_late_takes_its_place_and_what_follows_stands(tmp_path):
    runs = (
        ("b", [user(10, moderator=False)]),
        ("c", [user(30, moderator=False)]),
        ("a", [user(20, moderator=True)]),
    )
    assert loaded(tmp_path, *runs) == [(10, False), (20, True), (30, False)]


@settings(max_examples=25)
@given(st.dictionaries(st.integers(1, 9), st.booleans(), min_size=1), st.lists(st.integers(1, 9)))
def test_runs_in_order_and_a_new_work_file_hold_the_same(tmp_path_factory, seen, cuts):
    records = [user(at, moderator=seen[at]) for at in sorted(seen)]
    each_alone = [(f"{r.seen_at:03}", [r]) for r in records]
    changes = [
        (r.seen_at, r.payload["moderator"])
        for before, r in zip([None, *records], records, strict=False)
        if before is None or before.payload["moderator"] != r.payload["moderator"]
    ]
    assert loaded(tmp_path_factory.mktemp("landing"), *each_alone) == changes
    assert loaded(tmp_path_factory.mktemp("landing"), ("all", records)) == changes


@pytest.fixture
def world(tmp_path, unchecked, monkeypatch):
    world = World(tmp_path, monkeypatch)
    clock = SimpleNamespace(time_ns=lambda: int(world.clock.now().timestamp() * 1e9))
    for module in ("discourse", "rocketchat.client"):  # what is seen is seen at the sandbox's time
        monkeypatch.setattr(f"pipeline.sources.{module}.time", clock)
    return world


ROLES = (
    "SELECT h.source, username, role, valid_from, valid_to, is_first_seen FROM marts.account_history AS h"
    " JOIN restricted.marts.accounts AS p ON p.person_id = h.account_key"
    " WHERE username IN ('ben', 'cleo', 'anna') ORDER BY h.source, username, valid_from NULLS FIRST"
)


def roles(world):
    with duckdb.connect() as db:
        for name in ("current", "restricted"):
            file = (world.folder / "published" / f"{name}.duckdb").resolve()
            db.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        db.execute("USE current")
        return db.execute(ROLES).fetchall()


@pytest.mark.parametrize("way_in", ["data_explorer", "rest"])
def test_who_left_the_staff_wrote_as_staff_until_then(world, way_in):
    forum, chat = world.forum, world.chat
    cleo = next(u for u in chat.users.values() if u["username"] == "cleo")
    granted, revoked = ago(150), NOW + timedelta(hours=5)
    forum.change("users", world.ben, moderator=True)
    forum.log("grant_moderation", -1, granted, target_user_id=world.ben)
    topic = world.topics[1][0]
    forum.reply(topic, world.ben, "What I wrote as a member.", ago(160))
    with world.serve() as addresses:
        world.settings(addresses, forum=f'way_in = "{way_in}"')
        world.night()
        forum.reply(topic, world.ben, "What I wrote as a moderator.", revoked - timedelta(hours=1))
        forum.change("users", world.ben, moderator=False, updated_at=revoked.replace(tzinfo=None))
        forum.log("revoke_moderation", -1, revoked, target_user_id=world.ben)
        forum.reply(topic, world.ben, "What I wrote when I had left.", revoked + timedelta(hours=1))
        cleo["roles"] = ["user", "moderator"]
        world.clock.set(NOW + DAY)
        night = world.night(day=1)
    made, naive = (
        ago(900).replace(tzinfo=None),
        [t.replace(tzinfo=None) for t in (granted, revoked)],
    )
    found = roles(world)
    seen = found[0][4]  # when the second night asked for cleo's account
    assert found == [
        ("chat", "cleo", "member", None, seen, True),
        ("chat", "cleo", "moderator", seen, None, False),
        ("forum", "anna", "member", made, None, True),
        ("forum", "ben", "member", made, naive[0], False),
        ("forum", "ben", "moderator", naive[0], naive[1], False),
        ("forum", "ben", "member", naive[1], None, False),
    ]
    wrote = dict(
        world.published("SELECT message_id, is_staff FROM marts.messages WHERE source = 'forum'")
    )
    said = {r["raw"]: wrote[str(r["id"])] for r in forum.read("SELECT id, raw FROM posts")}
    assert not said["What I wrote as a member."]
    assert said["What I wrote as a moderator."]
    assert not said["What I wrote when I had left."]

    steps.rebuild(night, from_landing=True)
    steps.publish(night)
    assert roles(world) == found


def test_an_erased_account_has_no_history(world):
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
    cleo = next(u["_id"] for u in world.chat.users.values() if u["username"] == "cleo")
    steps.erase("chat", "cleo")
    assert holders(world.folder, cleo) == []
    home = home_of({"community": "ember", "run": "", "as_of": ""})
    with warehouse.opened(home) as db:
        assert db.execute("SELECT count(*) FROM raw.versions WHERE key = ?", [cleo]).fetchone() == (
            0,
        )
