"""What a night finds, from two real servers to judgement.threads."""

from datetime import timedelta

import pytest

from pipeline import warehouse
from pipeline.classify.judge import Judge
from pipeline.classify.lab import Setup, compare
from pipeline.settings import load
from tests.test_night import NOW, World, ago

RUDE = "You are a complete idiot, shut up."


class Quarrels(World):
    """Questions in a busy channel, and a topic in which somebody is attacked."""

    def fill(self):
        self.anna, self.ben, self.cleo = (
            self.forum.add_user(name, name.title(), ago(900)) for name in ("anna", "ben", "cleo")
        )
        place = self.forum.add_category("Support", "support", ago(900))
        self.topic, _ = self.forum.create_topic(
            self.anna, place, "How do I mend the gate?", "It broke twice this week.", ago(90)
        )
        self.calm = self.forum.reply(
            self.topic, self.ben, "Have you read the manual page?", ago(80)
        )
        self.rude = self.forum.reply(self.topic, self.cleo, RUDE, ago(70))
        self.forum.flag(self.rude, self.anna, "inappropriate", ago(60))
        self.forum.flag(self.rude, self.ben, "inappropriate", ago(60))
        for n in range(3):
            topic, _ = self.forum.create_topic(
                self.anna, place, f"How do I paint the gate {n}?", "It peels off.", ago(300 + n)
            )
            answer = self.forum.reply(topic, self.ben, "Use the other primer first.", ago(290))
            self.forum.accept(answer, self.anna, ago(280))
        self.waiting, _ = self.forum.create_topic(
            self.cleo, place, "How do I hang the gate?", "The hinges do not fit.", ago(40)
        )
        self.channel = self.chat.add_room("help", ago(900))
        self.ada, self.bob, self.eve = (
            self.chat.add_user(name, name.title(), ago(900)) for name in ("ada", "bob", "eve")
        )
        self.answered = self.say(self.ada, "How do I mount the drive?", 30)
        self.say(self.bob, "@ada plug it in, it mounts by itself", 29.95)
        self.say(self.ada, "thanks, that worked", 29.9)
        self.say(self.eve, "the importer ran tonight", 20.2)
        self.open = self.say(self.ada, "Where does the log of the importer go?", 20)
        for n in range(6):
            self.say(
                (self.bob, self.eve)[n % 2], f"the release party {n} was great", 19.8 - n / 100
            )

    def say(self, who, text, hours):
        return self.chat.post(self.channel, who, text, ago(hours))

    def work(self, sql):
        with warehouse.opened(load().community()) as db:
            return db.execute(sql).fetchall()


@pytest.fixture
def world(tmp_path, monkeypatch, unchecked):
    world = Quarrels(tmp_path, monkeypatch)
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        yield world


def test_a_channel_answers_a_question_though_nothing_links_the_two(world):
    found = world.work(
        "SELECT message_id, level, state, rule FROM judgement.threads"
        " WHERE source = 'chat' AND kind = 'question' ORDER BY message_id"
    )
    told = {message: rest for message, *rest in found}
    assert told[world.answered][0] != "L0"
    assert told[world.open] == ["L0", "waiting", "channel_went_on"]


def test_a_question_in_a_channel_comes_with_what_was_said_before_it_but_no_attack(world):
    world.say(world.bob, "the hinge is loose", 15.1)
    rude = world.say(world.eve, RUDE, 15)
    after = world.say(world.ada, "How do I tighten the hinge of the old gate?", 14.9)
    world.night()
    found = dict(
        world.work("SELECT message_id, context FROM judgement.threads WHERE kind = 'question'")
    )
    assert rude not in found
    assert (found[world.open], found[after]) == ("the importer ran tonight", None)


def test_an_attack_comes_with_its_rule_and_what_was_said_before(world):
    found = world.work(
        "SELECT message_id, rule, evidence, severity, sentence, context, context_id"
        " FROM judgement.threads WHERE kind = 'toxic'"
    )
    assert found == [
        (
            str(world.rude),
            "insults_you",
            ["rule", "reports"],
            2,
            RUDE,
            "Have you read the manual page?",
            str(world.calm),
        ),
    ]


def test_members_reports_are_evidence_until_a_moderator_decides(world):
    sour = "SELECT message_id, list_contains(evidence, 'reports') FROM judgement.threads WHERE kind = 'sour'"
    assert world.work(sour) == [(str(world.rude), True)]
    for case in world.forum.read("SELECT id FROM reviewables"):
        world.forum.review(case["id"], "rejected", world.ben, NOW + timedelta(hours=2))
    world.clock.set(NOW + timedelta(days=1))
    world.night(day=1)
    assert [row for row in world.work(sour) if row[1]] == []


def test_a_question_that_waits_names_who_might_know(world):
    sql = (
        "SELECT thread_id, who_might_know ->> '$[*].person', who_might_know ->> '$[0].answers'"
        " FROM marts.digest_items WHERE who_might_know IS NOT NULL"
    )
    assert world.work(sql) == [(str(world.waiting), ["Ben"], "3")]
    settings = world.folder / "hearth.toml"
    settings.write_text(settings.read_text().replace('unnamed = ["shy"]', 'unnamed = ["BEN"]'))
    world.night()
    assert world.work(sql) == []


def test_a_question_solved_by_what_is_no_reply_waits_for_nobody(world):
    """A moderator's note stands outside the conversation, so the question is still found open."""
    note = world.forum.reply(world.waiting, world.ben, "Sent new hinges.", ago(30))
    world.forum.change("posts", note, post_type=2)
    world.forum.accept(note, world.cleo, ago(29))
    world.night()
    here = f"WHERE source = 'forum' AND thread_id = '{world.waiting}'"
    assert world.work(f"SELECT level FROM judgement.threads {here}") == [("L0",)]
    assert world.work(f"SELECT is_solved FROM marts.threads {here}") == [(True,)]
    assert world.work(f"SELECT person_id FROM judgement.helpers {here}") == []
    assert world.work(f"SELECT kind FROM marts.digest_items {here}") == []
    with warehouse.read_only(load().community()) as db:
        plain = Setup(Judge(("en",)))
        found = compare(db, load().community(), plain, plain, 30)
    assert ("forum", str(world.waiting)) not in {(f.source, f.thread_id) for f in found.current}


def test_only_a_changed_text_is_judged_again_once_it_has_settled(world):
    def judged():
        return dict(
            world.work(
                "SELECT message_id, body_hash FROM judgement.scores"
                " WHERE source = 'forum' AND label = 'uncivil'"
            )
        )

    first = judged()
    world.forum.edit(world.rude, "I take that back, sorry.", NOW + timedelta(hours=23, minutes=50))
    world.clock.set(NOW + timedelta(days=1))
    world.night(day=1)
    unsettled = judged()
    world.clock.set(NOW + timedelta(days=2))
    world.night(day=2)
    settled = judged()
    assert set(first) - set(unsettled) == {str(world.rude)}
    assert {key for key in first if first[key] != settled[key]} == {str(world.rude)}
    assert world.work("SELECT count(*) FROM judgement.threads WHERE kind = 'toxic'") == [(0,)]


def found(world):
    return world.work("FROM judgement.threads ORDER BY ALL") + world.work(
        "FROM judgement.helpers ORDER BY ALL"
    )


def next_night(world, day):
    world.clock.set(NOW + timedelta(days=day))
    world.night(day=day)


def mark_all(world):
    """Whatever is judged again loses its mark."""
    world.work("UPDATE judgement.threads SET context = 'judged before'")


def renewed(world):
    return {
        thread
        for (thread,) in world.work(
            "SELECT DISTINCT thread_id FROM judgement.threads WHERE context IS DISTINCT FROM 'judged before'"
        )
    }


def test_only_conversations_in_which_something_changed_are_judged_again(world):
    mark_all(world)
    next_night(world, 1)
    assert renewed(world) == set()
    world.forum.like(
        world.forum.reply(world.waiting, world.ben, "Use longer screws.", NOW + timedelta(days=1)),
        world.cleo,
        NOW + timedelta(days=1),
    )
    world.chat.post(world.channel, world.bob, "@ada in /var/log", NOW + timedelta(days=1))
    next_night(world, 2)
    assert renewed(world) == {str(world.waiting), world.answered, world.open}
    mark_all(world)
    for case in world.forum.read("SELECT id FROM reviewables"):
        world.forum.review(case["id"], "rejected", world.ben, NOW + timedelta(days=2))
    next_night(world, 3)
    assert renewed(world) == {str(world.topic)}


def test_the_clock_alone_renews_a_question_to_which_nobody_returned(world):
    def rule():
        return world.work(f"SELECT rule FROM judgement.threads WHERE thread_id = '{world.waiting}'")

    world.forum.reply(
        world.waiting, world.ben, "Which hinges do you have?", NOW + timedelta(hours=2)
    )
    next_night(world, 1)
    assert rule() == [("no_sign_of_help",)]
    next_night(world, 7)
    assert rule() == [("no_sign_of_help",)]
    next_night(world, 8)
    assert rule() == [("asked_back",)]


@pytest.mark.slow
def test_what_is_judged_bit_by_bit_is_what_is_judged_at_once(world):
    world.forum.reply(
        world.waiting, world.ben, "Which hinges do you have?", NOW + timedelta(hours=2)
    )
    world.say(world.eve, "@ada look under /var", -3)
    next_night(world, 1)
    world.forum.edit(
        world.calm, "You never read the manual, do you not?", NOW + timedelta(days=1, hours=2)
    )
    world.say(world.ada, "@eve thanks, that helped", -30)
    next_night(world, 2)
    bit_by_bit = found(world)
    world.work("DELETE FROM judgement.conversations")
    world.work("DELETE FROM judgement.threads")
    world.night(day=2)
    assert found(world) == bit_by_bit != []


def test_a_night_killed_amid_judging_goes_on(world, monkeypatch):
    world.say(world.eve, "@ada look under /var", -3)
    world.clock.set(NOW + timedelta(days=1))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline.classify.judging._helpers", interrupted)
        world.night(day=1)
    world.night(day=1)
    gone_on = found(world)
    world.work("DELETE FROM judgement.conversations")
    world.night(day=1)
    assert found(world) == gone_on


def interrupted(*_):
    raise KeyboardInterrupt


def test_what_was_found_is_kept_night_by_night(world):
    """The attack is edited away after the first night, and the second night runs twice."""
    world.forum.edit(world.rude, "I take that back, sorry.", NOW + timedelta(hours=23))
    world.clock.set(NOW + timedelta(days=1))
    world.night(day=1)
    world.night(day=1)
    found = world.published(
        "SELECT kind, night_day::VARCHAR, sum(findings)::INT, sum(new_findings)::INT, sum(told)::INT"
        " FROM marts.finding_nights WHERE source = 'forum' AND kind IN ('toxic', 'question')"
        " GROUP BY ALL ORDER BY ALL"
    )
    assert found == [
        ("question", "2026-03-02", 5, 5, 1),
        ("question", "2026-03-03", 5, 0, 0),
        ("toxic", "2026-03-02", 1, 1, 1),
    ]


def test_who_turns_out_to_be_a_bot_has_asked_nothing(world):
    world.chat.users[world.ada]["type"] = "bot"
    world.say(world.bob, "the release party is over", 0.5)
    world.night()
    assert world.work("FROM judgement.threads WHERE source = 'chat' AND kind = 'question'") == []
    assert world.work("SELECT DISTINCT source FROM judgement.scores ORDER BY source DESC") == [
        ("forum",),
        ("chat",),
    ]
