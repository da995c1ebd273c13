"""Findings in a forum's review queue: reported once, and decided there."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.digest.heard import Heard
from pipeline.digest.ledger import Ledger
from pipeline.digest.tell import Teller
from pipeline.settings import load
from pipeline.sources import open_source
from tests.digest.night import Writers, community, row
from tests.digest.test_forum import world  # noqa: F401 - a fixture
from tests.test_night import NOW, World, ago

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)


def teller(folder, world, **source):  # noqa: F811
    home = community()
    forum = home.sources["forum"].model_copy(update={"review_queue": True, **source})
    home = home.model_copy(update={"sources": {**home.sources, "forum": forum}})
    return Teller(
        home,
        Ledger(folder / "sent.jsonl"),
        folder,
        Writers(lambda _: world.client),
        as_of=NIGHT,
        sent_at=NIGHT,
    )


def flags(world):  # noqa: F811
    return world.forum.read("SELECT post_id, post_action_type_id AS kind FROM post_actions")


@pytest.fixture
def post(world):  # noqa: F811
    ada = world.forum.add_user("ada", "Ada", NIGHT - timedelta(days=9))
    place = world.forum.add_category("Support", "support", NIGHT - timedelta(days=9))
    _, post = world.forum.create_topic(ada, place, "A long enough title", "You fool.", NIGHT)
    return str(post)


def test_a_message_is_reported_once_and_never_so_that_it_could_be_hidden(tmp_path, world, post):  # noqa: F811
    rows = [row("1", "toxic", message_id=post), row("2"), row("3", "sour", message_id=post)]
    telling = teller(tmp_path, world)
    told = [list(telling.report(rows, ())) for _ in range(2)]
    assert [(t.channel, t.items, t.trouble) for [t] in told] == [
        ("review", 1, None),
        ("review", 0, None),
    ]
    (tmp_path / "sent.jsonl").unlink()  # killed between reporting and noting it
    list(telling.report(rows, ()))
    assert flags(world) == [{"post_id": int(post), "kind": 7}]
    assert list(telling._ledger.reported()) == [("forum", post)]


def test_it_is_off_unless_it_is_on(tmp_path, world, post):  # noqa: F811
    rows = [row("1", "toxic", message_id=post)]
    off = teller(tmp_path, world, review_queue=False)
    assert list(off.report(rows, ())) == []
    assert flags(world) == []


def test_a_refusal_says_what_is_missing_and_is_tried_again(tmp_path, world, post, monkeypatch):  # noqa: F811
    rows = [row("1", "toxic", message_id=post)]
    telling = teller(tmp_path, world)
    world.forum.flag(int(post), -1, "notify_moderators", NIGHT)
    monkeypatch.setattr("pipeline.digest.review._is_reported", lambda *_: False)
    [told] = telling.report(rows, ())
    assert "a key with the scope" in told.trouble or "its key to write" in told.trouble
    assert telling._ledger.reported() == {}


@pytest.mark.slow
def test_what_moderators_decide_in_the_queue_is_a_verdict_the_next_night(
    tmp_path, unchecked, monkeypatch
):
    small = World(tmp_path, monkeypatch)
    forum = small.forum
    forum.add_user("hearth", "Hearth", ago(900), admin=True)
    judge = forum.add_user("judge", "Judge", ago(900), moderator=True)
    topic, _ = small.topics[0]
    attack = "You are a stupid fucking idiot, shut up and get lost, you worthless moron."
    insult = forum.reply(topic, small.ben, attack, ago(20))
    with small.serve() as addresses:
        small.settings(addresses, forum='username = "hearth"\nreview_queue = true')
        found = [f.text for f in open_source(load().community(), "forum").probe()]
        assert "hearth may use the review queue" in found
        small.night()
        [reviewable] = forum.read("SELECT id, target_id FROM reviewables")
        assert reviewable["target_id"] == insult
        assert not forum.get("posts", insult)["hidden"]
        forum.review(reviewable["id"], "approved", judge, NOW + timedelta(hours=5))
        small.clock.set(NOW + timedelta(days=1))
        small.night(1)
    [verdict] = Heard(tmp_path / "digests" / "heard.jsonl").read()
    assert (verdict.item[:3], verdict.who, verdict.choice, verdict.via) == (
        ("forum", str(topic), "toxic"),
        str(judge),
        "agree",
        "forum",
    )
    assert forum.read("SELECT count(*) AS n FROM reviewable_scores")[0]["n"] == 1
