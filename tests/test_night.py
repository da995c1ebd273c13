"""A whole night over real HTTP, and what may go wrong in it."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from pipeline import status, steps, warehouse
from pipeline.contracts import contracts
from pipeline.errors import BadAnswer, Degraded, FixAccess, FixSettings, SourceDown, WarehouseBusy
from pipeline.journal import Journal
from pipeline.landing import Landing, parts
from pipeline.sandbox import server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import Forum, Limits, Switches, app
from pipeline.sandbox.rocketchat.app import chat_app
from pipeline.sandbox.rocketchat.workspace import Workspace
from pipeline.tonight import home_of
from tests.conftest import TOML, environment

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def ago(hours):
    return NOW - timedelta(hours=hours)


class World:
    """A small forum and a small workspace, served; and a hearth.toml that reads them."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.forum, self.chat = Forum(Switches(limits=Limits.off())), Workspace()
        self.clock = Clock(NOW)
        self.site = app(self.forum, clock=self.clock)
        self.room = chat_app(self.chat, self.clock)
        self.fill()
        for name, value in environment(folder / "hearth.toml").items():
            monkeypatch.setenv(name, value)

    def fill(self):
        anna = self.forum.add_user("anna", "Anna", ago(900))
        ben = self.forum.add_user("ben", "Ben", ago(900))
        place = self.forum.add_category("Support", "support", ago(900))
        self.topics = [
            self.forum.create_topic(
                anna, place, f"How do I mend thing {n}?", f"It broke, {n} times.", ago(200 - n)
            )
            for n in range(12)
        ]
        for topic, _ in self.topics[::2]:
            self.forum.reply(topic, ben, "Have you tried the other end of it?", ago(100))
        room = self.chat.add_room("help", ago(900))
        cleo = self.chat.add_user("cleo", "Cleo", ago(900))
        self.messages = [self.chat.post(room, cleo, f"message {n}", ago(50 - n)) for n in range(9)]
        self.anna, self.ben = anna, ben

    def serve(self):
        return server.running(self.site, self.room)

    def settings(self, addresses, **extra):
        text = TOML.format(home=self.folder, forum=addresses.forum, chat=addresses.chat)
        for section, line in extra.items():
            text = text.replace(
                f"[communities.ember.sources.{section}]\n",
                f"[communities.ember.sources.{section}]\npatience_s = 1\n{line}\n",
            )
        (self.folder / "hearth.toml").write_text(text)

    def night(self, day=0):
        return steps.run_night(as_of=(NOW + timedelta(days=day)).isoformat())

    def published(self, sql, file="current"):
        path = (self.folder / "published" / f"{file}.duckdb").resolve()
        with duckdb.connect(path, read_only=True) as db:
            return db.execute(sql).fetchall()

    def said(self):
        """All that the journals of its nights say."""
        return "".join(file.read_text() for file in (self.folder / "runs").rglob("journal.jsonl"))

    def content(self):
        """What was published of the community; not when which night read it."""
        return {
            name: self.published(f"FROM {name} ORDER BY ALL")
            for name, contract in contracts().items()
            if contract.publish == "community"
            and contract.schema_name == "marts"
            and name != "marts.freshness"
        }


@pytest.fixture
def world(tmp_path, monkeypatch):
    home = tmp_path / "ember's home"  # a name that ends a text in SQL
    home.mkdir()
    return World(home, monkeypatch)


def test_a_night_from_servers_to_digest(world):
    with world.serve() as addresses:
        world.settings(addresses)
        night = world.night()
    assert world.published(
        "SELECT source, count(*) FROM marts.messages WHERE is_countable GROUP BY ALL ORDER BY 1"
    ) == [
        ("chat", 9),
        ("forum", 18),
    ]
    answered = "SELECT has_response, count(*) FROM marts.threads WHERE source = 'forum' AND is_countable GROUP BY 1 ORDER BY 1"
    assert world.published(answered) == [(False, 6), (True, 6)]
    assert list((world.folder / "digests").glob("2026-03-02-moderators/digest.html"))
    assert (world.folder / "docs" / night["run"] / "index.html").exists()
    lines = list(Journal(world.folder / "runs" / night["run"] / "journal.jsonl").lines())
    assert [line.step for line in lines if line.level == "done"][-9:] == [
        "load",
        "build",
        "score",
        "validate",
        "publish",
        "digest/moderators/files",
        "report",
        "report",
        "night",
    ]


def test_the_same_night_twice_changes_nothing_and_says_nothing_new(world, unchecked):
    def page():
        return (world.folder / "digests/2026-03-02-moderators/digest.html").read_bytes()

    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        first, told = world.content(), page()
        world.night()
    assert world.content() == first
    assert page() == told


def test_the_next_night_fetches_what_changed(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        topic, post = world.topics[1]
        world.forum.reply(
            topic, world.ben, "This is the answer you want.", NOW + timedelta(hours=3)
        )
        world.forum.delete_post(
            world.forum.reply(
                topic, world.ben, "Oops, wrong window here.", NOW + timedelta(hours=4)
            ),
            world.ben,
            NOW + timedelta(hours=5),
        )
        world.chat.delete(world.messages[0], None, NOW + timedelta(hours=3))
        world.clock.set(NOW + timedelta(days=1))
        world.night(day=1)
    (row,) = world.published(
        f"SELECT has_response, messages FROM marts.threads WHERE source = 'forum' AND thread_id = '{topic}'"
    )
    assert row == (True, 2)
    assert world.published(
        "SELECT count(*) FROM marts.messages WHERE is_deleted GROUP BY source ORDER BY source"
    ) == [(1,), (1,)]


def test_a_killed_extraction_loses_and_doubles_nothing(world, unchecked):
    killer = (
        "import os, signal, sys\n"
        "from pipeline import landing, steps\n"
        "write, wanted = landing.Landing.write, int(sys.argv[1])\n"
        "def kill_after(self, *args):\n"
        "    global wanted\n"
        "    wanted -= 1\n"
        "    if wanted < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return write(self, *args)\n"
        "landing.Landing.write = kill_after\n"
        "planned = steps.plan(as_of=sys.argv[2])\n"
        "for unit in planned['units']: steps.extract(planned['night'], unit)\n"
    )
    with world.serve() as addresses:
        world.settings(addresses)
        for written in (0, 1, 2):
            command = [sys.executable, "-c", killer, str(written), NOW.isoformat()]
            assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        world.night()
    found = world.published("SELECT source, message_id FROM marts.messages ORDER BY ALL")
    posts = [("forum", str(row["id"])) for row in world.forum.read("SELECT id FROM posts")]
    assert found == sorted([("chat", message) for message in world.messages] + posts)


def test_what_a_read_found_that_it_may_not_see_is_told_with_the_night(world, unchecked):
    world.chat.add_room("below what nobody knew", ago(9), id="adrift", prid="nowhere")
    with world.serve() as addresses:
        world.settings(addresses)
        night = world.night()
    told = "Public rooms below a channel or team that was deleted or cannot be seen: 1 tonight."
    assert f"; not read: {told}" in world.said()
    with warehouse.opened(home_of(night)) as db:
        sql = "SELECT stream FROM raw.reads WHERE list_contains(blind_spots, ?)"
        gap = f"{told} Name them by their id in `private` to read them."
        assert db.execute(sql, [gap]).fetchall() == [("messages",)]
    rows = status.collect(home_of(night), NOW)["streams"]
    assert [row["stream"] for row in rows if gap in row["blind_spots"]] == ["messages"]


def test_a_wrong_key_is_named_and_the_rest_is_published(world, unchecked, monkeypatch):
    monkeypatch.setenv("HEARTH_EMBER_FORUM_KEY", "f" * 64)
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(Degraded, match="forum"):
            world.night()
    assert world.published("SELECT DISTINCT source FROM marts.messages") == [("chat",)]
    assert "403" in world.said()
    assert "f" * 64 not in world.said()


@pytest.mark.parametrize("broken", ["plan", "estimate"])
def test_an_estimate_goes_on_past_a_source_nobody_foresaw(world, monkeypatch, broken):
    def surprised(*_):
        raise KeyError("about")

    monkeypatch.setattr(f"pipeline.sources.rocketchat.RocketChat.{broken}", surprised)
    with world.serve() as addresses:
        world.settings(addresses)
        found = steps.estimate()
        assert next(found)["source"] == "forum"
        with pytest.raises(BadAnswer, match=rf"chat: .*KeyError\); see .* at {addresses.chat}"):
            next(found)


def test_an_estimate_goes_on_past_a_source_that_fails(world, monkeypatch):
    monkeypatch.setenv("HEARTH_EMBER_FORUM_KEY", "0" * 64)
    with world.serve() as addresses:
        world.settings(addresses)
        found = steps.estimate()
        assert next(found)["source"] == "chat"
        with pytest.raises(FixAccess, match="forum"):
            next(found)


@pytest.mark.parametrize("broken", ["plan", "read"])
def test_a_source_nobody_foresaw_costs_the_others_nothing(
    world, unchecked, monkeypatch, caplog, broken
):
    def surprised(*_):
        raise KeyError("topic_list")

    monkeypatch.setattr(f"pipeline.sources.discourse.Discourse.{broken}", surprised)
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(Degraded, match="forum"):
            world.night()
    assert world.published("SELECT DISTINCT source FROM marts.messages") == [("chat",)]
    place = "forum" if broken == "plan" else "forum/forum"
    assert f"{place}: an answer of a form that Hearth does not know (KeyError)" in world.said()
    assert f"see what answers at {addresses.forum}" in world.said()
    assert any(entry.exc_info and entry.exc_info[0] is KeyError for entry in caplog.records)


def test_a_stream_that_is_lost_is_stale_and_not_merely_unavailable(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        world.chat.roles["extractor"].remove("view-c-room")
        world.clock.set(NOW + timedelta(days=1))
        with pytest.raises(Degraded, match="chat/messages"):
            world.night(day=1)
    assert len(world.published("SELECT * FROM marts.messages WHERE source = 'chat'")) == 9
    [(status, why, read_at)] = world.published(
        "SELECT status, unavailable, read_at FROM marts.freshness"
        " WHERE source = 'chat' AND stream = 'messages'"
    )
    assert status == "unavailable"
    assert "view-c-room" in why
    assert read_at == world.published("SELECT min(read_at) FROM marts.freshness")[0][0]


def test_what_a_site_cannot_give_is_named_beside_what_is_fresh(world, unchecked):
    world.forum.switches.explorer = False
    with world.serve() as addresses:
        world.settings(addresses)
        for day in range(2):
            world.clock.set(NOW + timedelta(days=day))
            world.night(day=day)
    found = dict(
        world.published("SELECT stream, unavailable FROM marts.freshness WHERE source = 'forum'")
    )
    assert "coloured HTML comparison" in found["revisions"]
    assert found["posts"] is None
    never_read = "SELECT read_at FROM marts.freshness WHERE stream = 'revisions'"
    assert world.published(never_read) == [(None,)]


def test_no_source_at_all_publishes_nothing(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses, forum="", chat="")
    with pytest.raises(SourceDown):
        world.night()
    assert not (world.folder / "published").exists()


def test_a_page_that_cannot_be_written_hides_no_error_of_the_night(world, unchecked, monkeypatch):
    def broken(*_):
        raise TypeError("a defect of the page")

    monkeypatch.setattr("pipeline.status.write_page", broken)
    with world.serve() as addresses:
        world.settings(addresses, forum="", chat="")
    with pytest.raises(SourceDown):
        world.night()


def test_an_address_with_no_forum_is_no_quiet_night(world, unchecked):
    """What answers there says 404 to everything."""
    with world.serve() as addresses:
        world.settings(addresses._replace(forum=f"{addresses.forum}/nowhere"), chat="")
        text = (world.folder / "hearth.toml").read_text()
        (world.folder / "hearth.toml").write_text(text.split("[communities.ember.sources.chat]")[0])
        said = r"forum: no Discourse answers at \S+/nowhere \(404 for /about.json\); check `url`"
        with pytest.raises(FixSettings, match=said):
            world.night()
    assert not (world.folder / "published").exists()
    assert not (world.folder / "digests").exists()


def test_what_never_gave_anything_is_no_quiet_night(world, unchecked, monkeypatch):
    def down(source, stream, bookmarks):
        raise SourceDown(f"{source.name}/{stream}: it fell over")

    for source in ("discourse.Discourse", "rocketchat.RocketChat"):
        monkeypatch.setattr(f"pipeline.sources.{source}.read", down)
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(BadAnswer, match="no source ever gave anything") as refused:
            world.night()
    assert "forum/forum: forum/forum: it fell over; chat/messages: " in str(refused.value)
    assert not (world.folder / "published").exists()
    assert not (world.folder / "digests").exists()


def test_an_insisted_on_plugin_that_is_off_is_explained(world, unchecked):
    world.forum.switches.explorer = False
    with world.serve() as addresses:
        world.settings(addresses, forum='way_in = "data_explorer"')
        with pytest.raises(Degraded):
            world.night()
    said = "".join(file.read_text() for file in (world.folder / "runs").rglob("journal.jsonl"))
    assert "data_explorer_enabled" in said


def test_a_damaged_landing_file_is_named_set_aside_and_read_again(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
        planned = steps.plan(as_of=NOW.isoformat())
        for unit in planned["units"]:
            steps.extract(planned["night"], unit)
        landed = Landing(world.folder / "landing")
        read = next(r for r in landed.reads() if r.name == "messages")
        file = parts(read)[0]
        file.write_bytes(file.read_bytes()[:50])
        loaded = steps.load(planned["night"])
        assert loaded["damaged"] == [f"chat/{planned['night']['run']}/messages"]
        steps.build(planned["night"])
    assert (world.folder / "damaged" / "chat" / planned["night"]["run"] / "messages").exists()
    with warehouse.opened(home_of(planned["night"])) as db:
        assert db.execute(
            "SELECT count(*) FROM staging.messages WHERE source = 'chat'"
        ).fetchone() == (9,)


def test_a_second_writer_is_refused_in_words(world, unchecked):
    hold = (
        "import sys, time, duckdb\n"
        "db = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(60)\n"
    )
    (world.folder / "work").mkdir(mode=0o700)
    file = world.folder / "work" / "warehouse.duckdb"
    with world.serve() as addresses:
        world.settings(addresses)
        with subprocess.Popen(
            [sys.executable, "-c", hold, str(file)], stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(WarehouseBusy, match="in use by another process"):
                world.night()
            holder.kill()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
    world.folder.chmod(0o500)
    try:
        with pytest.raises(FixSettings, match="permissions"):
            world.night()
    finally:
        world.folder.chmod(0o700)


def test_a_home_that_is_a_file_is_named(world, unchecked):
    (world.folder / "work").write_text("in the way")
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(FixSettings, match="cannot make the folder"):
            world.night()


def test_importing_the_steps_is_quick():
    heavy = "great_expectations", "sklearn", "pandas", "duckdb", "airflow", "matplotlib", "requests"
    ask = "import sys, pipeline.steps; print([m for m in sys.argv[1:] if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", ask, *heavy], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"


def test_the_command_line_starts_for_a_user_without_a_name():
    """As in a container that runs under any number."""
    ask = "import getpass; del getpass.getuser; import pipeline.cli"
    subprocess.run([sys.executable, "-c", ask], check=True)
