"""Texts go when their thread has been quiet for long enough; numbers stay."""

from datetime import timedelta

import pytest

from pipeline import settings, steps, warehouse
from pipeline.errors import FixSettings
from tests.conftest import SECRETS, TOML
from tests.ops.chaos import rounded
from tests.test_night import NOW, ago

OLD = 24 * 200  # hours
KEPT = "keep_text_days = 150\nkeep_landing_days = 100\n"


@pytest.fixture
def old(world, unchecked):
    """A forum and a chat with something said, liked and reported 200 days ago, and yesterday."""
    forum, chat = world.forum, world.chat
    place = forum.read("SELECT id FROM categories WHERE slug = 'support'")[0]["id"]
    world.old, post = forum.create_topic(
        world.anna, place, "Why does it hum?", "My xylograph hums all night, why is that?", ago(OLD)
    )
    world.reply = forum.reply(world.old, world.ben, "A glorpnax does that.", ago(OLD - 1))
    forum.edit(post, "My xylograph hums all the night, why is that so?", ago(OLD - 2))
    room = chat.add_room("old", ago(OLD))
    dora = chat.add_user("dora", "Dora", ago(OLD))
    said = chat.post(room, dora, "Snorvle it, you fool", ago(OLD))
    chat.react(said, dora, ":heart:", ago(OLD))
    chat.report(said, dora, "he said snorvle", ago(OLD - 1))
    with world.serve() as addresses:
        world.settings(addresses)
        file = world.folder / "hearth.toml"
        file.write_text(
            file.read_text().replace("[communities.ember]\n", f"[communities.ember]\n{KEPT}", 1)
        )
        yield world


def texts(world):
    """Every text that the work file and the restricted file hold, as one."""
    with warehouse.read_only(settings.load().community()) as db:
        held = db.execute("SELECT payload FROM raw.records").fetchall()
        held += db.execute("SELECT body FROM staging.messages").fetchall()
        held += db.execute("SELECT sentence FROM judgement.scores").fetchall()
        held += db.execute("SELECT sentence || context FROM judgement.threads").fetchall()
    held += world.published("SELECT body FROM marts.texts", "restricted")
    return "".join(str(text) for (text,) in held)


def numbers(world):
    """What was published, but what was told of each finding: the same night again knows more."""
    return rounded({k: v for k, v in world.content().items() if k != "marts.finding_nights"})


def found(world):
    """What was found in the old topic."""
    with warehouse.read_only(settings.load().community()) as db:
        return db.execute(
            "SELECT kind, level, state, sentence FROM judgement.threads"
            " WHERE source = 'forum' AND thread_id = ?",
            [str(world.old)],
        ).fetchall()


def test_texts_of_quiet_threads_go_and_no_number_changes(old):
    old.night()
    before = numbers(old)
    assert "xylograph" in texts(old)
    old.night()
    words = ["xylograph", "glorpnax", "norvle", "It broke, 3 times.", "message 3"]
    assert [word for word in words if word in texts(old)] == words[3:]
    assert numbers(old) == before
    assert (
        old.published("SELECT title FROM marts.texts WHERE title LIKE '%hum%'", "restricted") == []
    )
    lengths = "SELECT characters FROM marts.messages WHERE created_day < '2026-01-01' ORDER BY ALL"
    assert old.published(lengths) == [(20,), (21,), (48,)]


@pytest.mark.slow
def test_what_is_derived_anew_stays_the_same(old):
    night = old.night()
    old.night()
    before = numbers(old)
    steps.rebuild(night)
    steps.publish(night)
    assert numbers(old) == before


def test_a_thread_that_is_taken_up_again_keeps_what_was_found_in_it(old):
    old.clock.set(NOW - timedelta(days=199))
    old.night(day=-199)  # while its thread was recent
    old.clock.set(NOW)
    old.night()
    old.night()
    assert "xylograph" not in texts(old)
    before = found(old)
    assert before == [("question", "L1", "open", None)]
    old.forum.reply(old.old, old.ben, "Me too, since today.", NOW + timedelta(hours=3))
    old.clock.set(NOW + timedelta(days=1))
    old.night(day=1)
    assert found(old) == before
    assert "Me too, since today." in texts(old)


@pytest.mark.slow
def test_what_the_source_sends_again_goes_again(old):
    old.night()
    old.night()
    old.forum.edit(old.reply, "A glorpnax does that, and often.", NOW + timedelta(hours=3))
    old.clock.set(NOW + timedelta(days=1))
    old.night(day=1)
    old.night(day=1)
    with warehouse.read_only(settings.load().community()) as db:
        (held,) = db.execute(
            "SELECT payload FROM raw.records WHERE stream = 'posts' AND key = ?", [str(old.reply)]
        ).fetchall()
    assert "glorpnax" not in held[0]
    length = f"SELECT characters FROM marts.messages WHERE message_id = '{old.reply}' AND source = 'forum'"
    assert old.published(length) == [(32,)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("keep_text_days = 150", "keep_text_days: what was fetched holds the texts too"),
        ("keep_text_days = 150\nkeep_landing_days = 151", "set keep_landing_days, to at most 150"),
        ("keep_text_days = 119", "greater than or equal to 120"),
    ],
)
def test_a_promise_that_could_not_be_held_is_refused(given, said):
    text = TOML.format(home="home", forum="http://x", chat="http://x")
    with pytest.raises(FixSettings, match=said):
        settings.parse(
            text.replace("[communities.ember]\n", f"[communities.ember]\n{given}\n"), SECRETS
        )
