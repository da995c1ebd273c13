"""Random histories of a workspace: whatever happens, the store ends up as the server is."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sandbox.rocketchat import READER_ID, Workspace
from pipeline.sources.rocketchat import messages
from tests.sources.rocketchat.conftest import START, opened

DAY = timedelta(days=1)
EMOJI = (":+1:", ":x:", ":eyes:")


class History:
    """Things that people do to a workspace, drawn from a seed. `silent` are deletions that no feed
    shows; `closed` are messages of rooms that shut us out, kept as they last were."""

    def __init__(self, chat, seed):
        self.chat, self.draw, self.names = chat, random.Random(seed), 0
        self.people, self.rooms, self.silent = ["p0", "p1", "p2"], ["r0", "r1", "grp"], set()
        for person in self.people:
            chat.add_user(person, person.title(), START - DAY, id=person)
        for rid in self.rooms:
            kind = "p" if rid == "grp" else "c"
            chat.add_room(rid, START - DAY, id=rid, t=kind, members=self.people)

    def day(self, start, much):
        """About `much` things, some sharing a millisecond."""
        at = start
        for _ in range(much):
            at += timedelta(milliseconds=self.draw.choice((0, 0, 1, 60_000, 600_000)))
            getattr(self, self.draw.choice(self.DEEDS))(at)

    def _message(self):
        alive = [
            m for m in self.chat.messages.values() if not m.get("_hidden") and m.get("t") != "rm"
        ]
        return self.draw.choice(alive)["_id"] if alive else None

    def post(self, at):
        rid = self.draw.choice([r for r in self.rooms if r in self.chat.rooms])
        person = self.draw.choice(self.people)
        roots = [mid for mid, m in self.chat.by_room[rid].items() if not m.get("_hidden")]
        tmid = self.draw.choice(roots) if roots and self.draw.random() < 0.3 else None
        self.chat.post(rid, person, f"text {self.draw.random()} @p1", at, tmid=tmid)

    def edit(self, at):
        if mid := self._message():
            self.chat.edit(mid, f"edited {self.draw.random()}", at, by="p0")

    def react(self, at):
        if mid := self._message():
            self.chat.react(mid, self.draw.choice(self.people), self.draw.choice(EMOJI), at)

    def unreact(self, at):
        if mid := self._message():
            self.chat.unreact(mid, self.draw.choice(self.people), self.draw.choice(EMOJI), at)

    def delete(self, at):
        if mid := self._message():
            self.chat.delete(mid, "p0", at)
            if self.chat.messages.get(mid, {}).get("_hidden"):
                self.silent.add(mid)

    def hide(self, at):
        if mid := self._message():
            self.chat.hide(mid, at)
            self.silent.add(mid)

    def expire(self, at):
        if mid := self._message():
            self.chat.expire(mid)
            self.silent.add(mid)

    def prune(self, at):
        rid = self.draw.choice([r for r in self.rooms if r in self.chat.rooms])
        self.chat.prune(rid, at - timedelta(days=self.draw.choice((1, 3))), at)

    def rename(self, at):
        self.names += 1
        self.chat.rename_user(self.draw.choice(self.people), f"name{self.names}", at)

    def move_in_or_out(self, at):
        if ("grp", READER_ID) in self.chat.subscriptions:
            self.chat.leave("grp", READER_ID, at)
        elif READER_ID in self.chat.users:
            self.chat.join("grp", READER_ID, at)

    def open_a_room(self, at):
        rid = f"r{len(self.rooms)}"
        self.rooms.append(rid)
        self.chat.add_room(rid, at, id=rid, members=self.people)

    def close_a_room(self, at):
        if self.draw.random() < 0.2 and "r1" in self.chat.rooms:
            self.chat.delete_room("r1", at)

    DEEDS = (
        *["post"] * 12,
        *["edit"] * 4,
        *["react"] * 5,
        *["unreact"] * 3,
        *["delete"] * 4,
        "hide",
        "expire",
        "prune",
        "rename",
        "move_in_or_out",
        "open_a_room",
        "close_a_room",
    )


def check(world, history):
    """All that exists is held as it is; what is held beyond was deleted without a trace since."""
    readable = {rid for rid, room in world.workspace.rooms.items() if room["t"] == "c"}
    if ("grp", READER_ID) in world.workspace.subscriptions:
        readable.add("grp")
    truth = world.truth(*readable)
    held = {
        key: row["payload"]
        for (stream, key), row in world.store.rows.items()
        if stream == "messages" and not row["gone"] and row["container"] in readable
    }
    assert {key: held.get(key) for key in truth} == truth
    assert held.keys() - truth.keys() <= history.silent
    return held.keys() - truth.keys()


def play(folder, seed, nights, pauses, much):
    chat = Workspace()
    history = History(chat, seed)
    with opened(folder, chat) as world:
        world.private = ("grp",)
        at = START
        for night, pause in zip(range(nights), pauses, strict=False):
            switches = chat.switches
            switches.keep_history, switches.show_deleted = (
                history.draw.random() < 0.3 for _ in "ab"
            )
            history.day(at, much)
            at += timedelta(days=pause)
            world.night(at, units=("messages",))
            left = check(world, history)
            assert night or not left
        world.night(at + 8 * DAY, units=("messages",))
        assert check(world, history) == set()


@pytest.mark.parametrize("large", [False, True])
@settings(
    max_examples=5,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10**9),
    pauses=st.lists(st.sampled_from([1, 1, 1, 2, 45]), min_size=4, max_size=4),
)
def test_the_store_follows_the_server(large, seed, pauses, tmp_path, monkeypatch):
    if large:
        for name, value in {"WHOLE_ROOM": 3, "PAGE": 4, "LIST_PAGE": 5}.items():
            monkeypatch.setattr(messages, name, value)
    play(tmp_path, seed, nights=4, pauses=pauses, much=25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_month_of_busy_nights(seed, tmp_path):
    play(tmp_path, seed, nights=30, pauses=[1] * 20 + [45] + [1] * 9, much=60)
