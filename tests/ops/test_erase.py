"""A person is cleared from every byte, and what others wrote stands."""

import json
from datetime import timedelta

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline import cli, erase, steps
from pipeline.errors import FixSettings
from pipeline.jsonl import JsonLines
from pipeline.person import Person, Standing, clear
from tests.conftest import make_community
from tests.ops.searching import every_byte, holders
from tests.test_night import NOW, ago

ZELDA = Person("forum", "77", frozenset({"zelda_quux"}), frozenset({"Zelda Quuxington"}))
CHAT = Person("chat", "zQ7m2Kx9Lw4Tn8Rb5", frozenset({"zelda.q"}), frozenset({"Zelda Quuxington"}))
STANDING = Standing(places=frozenset({"rooms"}), written=frozenset({"posts", "topics", "messages"}))


@pytest.mark.parametrize(
    ("stream", "payload", "cleared"),
    [
        (
            "posts",
            {
                "id": 5,
                "user_id": 77,
                "raw": "I am Zelda",
                "created_at": "2026-01-01T00:00:00Z",
                "like_count": 2,
            },
            {
                "id": 5,
                "user_id": None,
                "raw": "",
                "created_at": "2026-01-01T00:00:00Z",
                "like_count": 2,
            },
        ),
        (
            "posts",
            {"id": 77, "user_id": 8, "username": "ben", "raw": "@zelda_quux look, zelda_quux"},
            {"id": 77, "user_id": 8, "username": "ben", "raw": "@erased look, zelda_quux"},
        ),
        (
            "posts",
            {
                "user_id": 8,
                "raw": 'So: [quote="zelda_quux, post:1, topic:2"]\nmy words\n[/quote] no',
            },
            {"user_id": 8, "raw": "So: [...] no"},
        ),
        (
            "posts",
            {
                "user_id": 8,
                "cooked": '<aside class="quote" data-username="Zelda_Quux"><p>my</p></aside>no',
            },
            {"user_id": 8, "cooked": "[...]no"},
        ),
        (
            "topics",
            {
                "user_id": 8,
                "title": "Help",
                "last_poster_username": "zelda_quux",
                "posters": [{"user_id": 77}],
            },
            {
                "user_id": 8,
                "title": "Help",
                "last_poster_username": None,
                "posters": [{"user_id": None}],
            },
        ),
        ("likes", {"post_id": 77, "user_id": 77}, None),
        ("likes", {"post_id": 77, "user_id": 8}, {"post_id": 77, "user_id": 8}),
        (
            "staff_actions",
            {"acting_user_id": 1, "target_user_id": 77, "details": "for zelda"},
            None,
        ),
        ("users", {"username": "zelda_quux"}, {"username": None}),
    ],
)
def test_a_forum_payload_without_the_person(stream, payload, cleared):
    standing = STANDING if stream != "users" else Standing(frozenset({"users"}), frozenset())
    assert clear(stream, "1", payload, ZELDA, standing) == cleared


@pytest.mark.parametrize(
    ("stream", "payload", "cleared"),
    [
        (
            "messages",
            {
                "_id": "m1",
                "rid": "r1",
                "msg": "hi",
                "u": {"_id": CHAT.account_id, "username": "zelda.q"},
            },
            {"_id": "m1", "rid": "r1", "msg": "", "u": {}},
        ),
        (
            "messages",
            {
                "_id": "m2",
                "msg": "@zelda.q see",
                "mentions": [{"_id": CHAT.account_id, "username": "zelda.q"}],
                "reactions": {":x:": {"usernames": ["ben", "zelda.q"]}},
                "u": {"_id": "b", "username": "ben"},
            },
            {
                "_id": "m2",
                "msg": "@erased see",
                "mentions": [],
                "reactions": {":x:": {"usernames": ["ben"]}},
                "u": {"_id": "b", "username": "ben"},
            },
        ),
        (
            "messages",
            {
                "_id": "m3",
                "msg": "no",
                "attachments": [{"author_name": "zelda.q", "text": "my words"}],
            },
            {"_id": "m3", "msg": "no", "attachments": [{"author_name": None, "text": ""}]},
        ),
        (
            "rooms",
            {
                "_id": "r1",
                "name": "help",
                "u": {"_id": CHAT.account_id, "username": "zelda.q"},
                "lastMessage": {
                    "msg": "mine",
                    "u": {"_id": CHAT.account_id, "username": "zelda.q"},
                },
            },
            {"_id": "r1", "name": "help", "u": {}, "lastMessage": {"msg": "", "u": {}}},
        ),
    ],
)
def test_a_chat_payload_without_the_person(stream, payload, cleared):
    assert clear(stream, "1", payload, CHAT, STANDING) == cleared


def test_the_account_itself_goes_whole():
    assert clear("users", "77", {"username": "zelda_quux"}, ZELDA, STANDING) is None
    assert clear("users", "8", {"id": 8, "bio": "mod"}, ZELDA, STANDING) == {"id": 8, "bio": "mod"}


@pytest.mark.parametrize(
    ("name", "text", "is_told"),
    [
        ("zed", "organized, amazed and zedlike, zed-2 and zed_3", False),
        ("zed", "ask zed.", True),
        ("zed", "/u/Zed/summary", True),
        ("zed", "请问zed吧", True),
        ("小明", "昨天小明说了", True),
        ("Zoë", '{"name": "Zo\\u00eb"}', True),
        ("A & B", "<b>A &amp; B</b>", True),
    ],
)
def test_a_file_tells_of_them_by_a_whole_word(name, text, is_told):
    assert Person("forum", "77", frozenset({name})).is_told_in(text) is is_told


@pytest.fixture
def night(world, unchecked):
    """A night in which Zelda wrote, was quoted, liked, was mentioned, and judged an item."""
    forum, chat = world.forum, world.chat
    world.zelda = forum.add_user("zelda_quux", "Zelda Quuxington", ago(800))
    place = forum.read("SELECT id FROM categories WHERE slug = 'support'")[0]["id"]
    topic, post = forum.create_topic(
        world.zelda,
        place,
        "Why does my xylograph hum?",
        "My xylograph hums all night, why?",
        ago(40),
    )
    forum.reply(
        topic,
        world.ben,
        '[quote="zelda_quux, post:1, topic:1"]\nMy xylograph hums\n[/quote]\nTurn it off.',
        ago(30),
    )
    naming = forum.reply(world.topics[1][0], world.ben, "Ask @zelda_quux about that.", ago(20))
    mine = forum.reply(world.topics[1][0], world.zelda, "Glorpnax is the answer here.", ago(10))
    world.own_topic, world.own_post, world.naming = topic, mine, naming
    forum.like(mine, world.anna, ago(9))
    forum.flag(naming, world.zelda, "spam", ago(7))
    forum.flag(mine, world.anna, "off_topic", ago(6))
    forum.like(world.topics[0][1], world.zelda, ago(8))
    room = chat.add_room("xroom", ago(800))
    world.chat_zelda = chat.add_user("zelda.chat", "Zelda Quuxington", ago(800))
    chat.post(room, world.chat_zelda, "Snorvle from the chat", ago(5))
    other = chat.post(
        room, world.chat.add_user("dora", "Dora", ago(800)), "hello @zelda.chat", ago(4)
    )
    chat.react(other, world.chat_zelda, ":heart:", ago(3))
    chat.report(other, world.chat_zelda, "she is rude", ago(2))
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        (world.folder / "digests" / "verdicts.jsonl").write_text(
            json.dumps(
                {
                    "keys": [["forum", "1", "sour", "h", ["e"]]],
                    "who": "zelda_quux",
                    "choice": "agree",
                    "at": NOW.isoformat(),
                    "until": None,
                    "model": "",
                }
            )
            + "\n"
        )
        (world.folder / "digests" / "heard.jsonl").write_text(
            json.dumps(
                {
                    "keys": [["forum", "1", "sour", "h", ["e"]]],
                    "who": "zelda.chat",
                    "choice": "agree",
                    "at": ago(200).isoformat(),
                    "until": None,
                    "model": "",
                    "via": "chat",
                }
            )
            + "\n"
        )
        for place in ("reports/2026-W09/report.html", "made_by_a_later_version/2026-03.csv"):
            (world.folder / place).parent.mkdir(parents=True, exist_ok=True)
            (world.folder / place).write_text("thanks to zelda_quux")
        (world.folder / "backup").mkdir()
        (world.folder / "backup" / "work-1.duckdb").write_bytes(
            (world.folder / "work" / "warehouse.duckdb").read_bytes()
        )
        (world.folder / "work" / "warehouse.before-rebuild.duckdb").write_bytes(
            (world.folder / "work" / "warehouse.duckdb").read_bytes()
        )
        yield world


@pytest.mark.parametrize(
    ("who", "via", "is_theirs"),
    [
        ("Zelda", "forum", True),
        ("7", "forum", True),
        ("Zelda", "chat", False),
        ("7", "chat", False),
        ("7", "", False),
        ("zelda", "", True),
    ],
)
def test_a_verdict_is_theirs_by_an_account_of_theirs(tmp_path, who, via, is_theirs):
    community = make_community(tmp_path)
    book = JsonLines(tmp_path / "digests" / "heard.jsonl")
    book.add({"who": who, "via": via})
    person = Person("forum", "7", frozenset({"zelda"}))
    assert erase._clear_verdicts(community, person) == is_theirs
    assert list(book) == [{"who": "erased" if is_theirs else who, "via": via}]


def found_in(night, thread_id):
    """How many findings of a thread are remembered."""
    with duckdb.connect(night.folder / "work" / "warehouse.duckdb", read_only=True) as db:
        [(found,)] = db.execute(
            "SELECT count(*) FROM judgement.found WHERE source = 'forum' AND thread_id = ?",
            [str(thread_id)],
        ).fetchall()
    return found


def test_every_byte_is_free_of_them_and_others_stay(night):
    assert found_in(night, night.own_topic) == 1
    words = ["zelda_quux", "xylograph", "glorpnax"]
    assert all(holders(night.folder, word) for word in words)
    before = night.published("SELECT count(*) FROM marts.messages WHERE source = 'forum'")
    told = steps.erase("forum", "zelda_quux")
    assert {word: holders(night.folder, word) for word in words} == dict.fromkeys(words, [])
    assert found_in(night, night.own_topic) == 0
    assert holders(night.folder, "snorvle")  # another account, at another source
    assert night.published("SELECT count(*) FROM marts.messages WHERE source = 'forum'") == before
    assert night.published(
        "SELECT count(*) FROM marts.texts WHERE body LIKE '%Turn it off.%'", "restricted"
    ) == [(1,)]
    assert told["verdicts"] == 1
    assert told["was_held"]
    assert told["still_at_the_source"]
    assert len(list((night.folder / "published").glob("*-*.duckdb"))) == 2
    (certificate,) = (night.folder / "erasures").glob("*.json")
    assert json.loads(certificate.read_text()) == told


def test_a_short_name_costs_no_file_that_merely_has_its_letters(world, unchecked):
    zed = world.forum.add_user("zed", "Zed", ago(800))
    world.forum.reply(world.topics[1][0], zed, "Glorpnax is the answer here.", ago(10))
    kept = {
        "models/en-1.skops": b"\xff\x00zed\x00" * 99,
        "models/history.jsonl": b'{"language": "en"}',
        "reports/2026-W08.en.html": b"we organized it",
        "docs/picture.png": b"\xff zed \x00",
    }
    gone = {
        "reports/2026-W09.en.html": b"<p>thanks to Zed</p>",
        "reports/2026-W09.en.pdf": b"%PDF \xff\x00",
        "made_by_a_later_version/2026-03.csv": b"who\nzed\n",
    }
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        for place, content in {**kept, **gone}.items():
            (world.folder / place).parent.mkdir(parents=True, exist_ok=True)
            (world.folder / place).write_bytes(content)
        told = steps.erase("forum", "zed")
    assert {place: (world.folder / place).read_bytes() for place in kept} == kept
    assert [place for place in gone if (world.folder / place).exists()] == []
    assert set(gone) <= set(told["removed"])
    assert holders(world.folder, "glorpnax") == []


def test_a_chat_account_is_cleared_by_its_id(night):
    words = ["zelda.chat", "snorvle", "she is rude", night.chat_zelda]
    night.night()  # brings what was heard into the work file
    assert all(holders(night.folder / "work", word) for word in words)
    assert steps.erase("chat", night.chat_zelda)["verdicts"] == 1
    assert {word: holders(night.folder, word) for word in words} == dict.fromkeys(words, [])
    assert holders(night.folder, "hello @erased")


def test_the_next_night_does_not_bring_them_back_once_the_source_forgot(night):
    later = NOW + timedelta(hours=1)
    night.forum.destroy_topic(night.own_topic)
    for post in (night.own_post, night.naming):
        night.forum.destroy_post(post)
    night.forum.delete_user(night.zelda, later)
    steps.erase("forum", "zelda_quux")
    night.clock.set(NOW + timedelta(days=1))
    night.night(day=1)
    words = ["zelda_quux", "xylograph", "glorpnax"]
    assert {word: holders(night.folder, word) for word in words} == dict.fromkeys(words, [])


def test_what_was_cut_short_may_be_run_again(night, monkeypatch):
    def cut(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.erase._publish_anew", cut)
        with pytest.raises(KeyboardInterrupt):
            steps.erase("forum", "zelda_quux")
    assert holders(night.folder / "published", "zelda_quux")
    told = steps.erase("forum", "zelda_quux")
    assert not told["was_held"]
    assert holders(night.folder, "zelda_quux") == []


def test_an_unknown_source_is_named_and_nothing_happens(night):
    before = every_byte(night.folder)
    with pytest.raises(FixSettings, match="no source 'forun'; there are forum, chat"):
        steps.erase("forun", "zelda_quux")
    after = every_byte(night.folder)
    changed = {str(f.relative_to(night.folder)) for f in after if after[f] != before.get(f)}
    assert changed <= {"work/night.lock"}


def test_a_name_of_which_nothing_is_held_costs_nothing(night):
    before = every_byte(night.folder)
    told = CliRunner().invoke(cli.app, ["erase", "forum", "zelda_qux", "--yes"])
    assert str(told.exception) == (
        "ember: nothing of 'zelda_qux' of forum is held, and nothing was changed; is it written "
        "right?"
    )
    after = every_byte(night.folder)
    changed = {str(f.relative_to(night.folder)) for f in after if after[f] != before.get(f)}
    assert changed <= {"work/night.lock", "work/warehouse.duckdb"}
    assert before.keys() <= after.keys()
    steps.erase("forum", "zelda_quux")
    assert [file.suffix for file in (night.folder / "erasures").iterdir()] == [".json"]


def test_the_command_asks_first_and_prints_the_certificate(night):
    asked = CliRunner().invoke(cli.app, ["erase", "forum", "zelda_quux"], input="n\n")
    assert asked.exit_code == 1
    assert "Is it written right?" not in asked.output
    assert holders(night.folder / "published", "zelda_quux")
    mistyped = CliRunner().invoke(cli.app, ["erase", "forum", "zelda_qux"], input="n\n")
    assert "no account 'zelda_qux' of forum is held" in mistyped.output
    assert mistyped.exit_code == 1
    told = CliRunner().invoke(cli.app, ["erase", "forum", "zelda_quux", "--yes"])
    assert told.exit_code == 0
    assert "The source still has this account" in told.output
    with duckdb.connect(
        (night.folder / "published" / "restricted.duckdb").resolve(), read_only=True
    ) as db:
        assert db.execute(
            "SELECT count(*) FROM marts.accounts WHERE username = 'zelda_quux'"
        ).fetchone() == (0,)
