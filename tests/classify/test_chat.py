"""Answers in a flat channel, where nothing links them to the question."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.classify import Message, chat

START = datetime(2026, 3, 1, tzinfo=UTC)


def channel(*lines):
    return [
        Message(
            "chat",
            str(n),
            str(n),
            who,
            START + timedelta(minutes=n),
            text,
            "markdown",
            username=who,
            is_human=who != "bot",
        )
        for n, (who, text) in enumerate(lines)
    ]


ASK = ("ann", "how do I mount a usb drive on ubuntu?")
BUSY = [
    ("cem", "the new kernel is out"),
    ("dan", "cem: saw it, works here"),
    ("eve", "anyone tried the beta?"),
    ("cem", "dan: nice"),
]


ANN = ("ann_b|away", ASK[1])
ANSWERED = {
    "named at the end": [ASK, *BUSY, ("bob", "use the disks tool, ann")],
    "by a short form of the name": [ANN, *BUSY, ("bob", "ann_b: use the disks tool")],
    "named": [ASK, ("bob", "ann: plug it in, it mounts by itself"), ("ann", "thanks, that worked")],
    "named in between others": [ASK, *BUSY, ("bob", "@ann use the disks tool"), ("ann", "bob: ty")],
}
UNANSWERED = {
    "silence": [ASK],
    "talk about other things": [ASK, *BUSY],
    "a bot names the asker": [ASK, ("bot", "ann: welcome to the channel"), *BUSY],
    "the asker asks again": [ASK, *BUSY, ("ann", "really nobody who mounts usb drives?")],
    "another's question is answered": [ASK, ("cem", "which kernel is new?"), ("dan", "cem: 6.12")],
}


def test_what_was_said_just_before_is_known_until_a_silence():
    said = channel(("bot", "hello"), BUSY[0], ("bot", "hello"), ASK)
    talk = chat.Talk(said)
    assert [talk.before(m.message_id) for m in (said[1], said[3])] == [None, said[1]]
    late = [*said[:3], replace(said[3], created_at=START + timedelta(minutes=32))]
    assert chat.Talk(late).before("3") is None


def test_a_german_channel_is_read_by_german_words():
    said = [
        ("ann", "moin, wie krieg ich die platte eingehängt"),
        ("bob", "ja, einfach einstecken und das ist alles"),
        ("ann", "danke"),
        ("cem", "die neue größe gefällt mir nicht"),
    ]
    english = [(who, "and the disk is not with you") for who in "defg"]
    flags = ("asks", "opens", "thanks", "is_short", "greets")
    german, mixed = chat.Talk(channel(*said)), chat.Talk(channel(*said, *english))
    assert [[name for name in flags if getattr(german, name)[n]] for n in range(4)] == [
        ["asks", "opens", "greets"],
        ["is_short"],
        ["thanks"],
        [],
    ]
    assert german.words[3] == {"neue", "größe", "gefällt"}
    assert not any(getattr(mixed, name)[:4].any() for name in flags)


# (minute, who, text), in a channel that was quiet for a day
TAKEN_UP = [(0, *ASK), (40, "bob", "plug it in, it mounts by itself"), (45, "ann", "great")]
NOT_TAKEN_UP = {
    "two others talk": [(0, *ASK), (3, "cem", "the beta is out"), (4, "dan", "saw it, nice")],
    "to somebody else": [(0, "dan", "hi"), (700, *ASK), (705, "cem", "dan: the beta is out")],
    "somebody was speaking": [(0, "cem", "the beta is out"), (5, *ASK), (6, "cem", "it is nice")],
    "a day later": [(0, *ASK), (1440, "cem", "the beta is out")],
    "a bot": [(0, *ASK), (1, "bot", "the build is green")],
    "one who helped before talks with another": [
        (0, "ann", "where is the disk?"),
        (3, "bob", "@ann in the list"),
        (6, "ann", "thanks"),
        (600, *ASK),
        *((612 + n, ("bob", "eve")[n % 2], f"the party {n} was great") for n in range(6)),
    ],
}


def timed(lines):
    said = channel(*(line[1:] for line in lines))
    return [
        replace(m, created_at=START + timedelta(minutes=at))
        for m, (at, *_) in zip(said, lines, strict=True)
    ]


@pytest.mark.parametrize("said", ["foo_: yes", "foo: yes", "ask there, Foo|away", "@foo123 yes"])
def test_a_name_is_known_with_what_people_add_to_it(said):
    talk = chat.Talk(channel(("foo", "hello all"), ("bar", said)))
    assert 0 in {talk.to[1], *talk.mentions[1]}


def test_a_common_word_and_one_s_own_name_name_nobody():
    talk = chat.Talk(
        channel(
            ("ubuntu", "hello all"),
            ("bar", "ubuntu: bar says hello"),
            ("linux4", "linux is nice"),
            ("bar", "I run linux"),
        )
    )
    assert talk.to[1] == -1
    assert talk.mentions[1] == talk.mentions[3] == frozenset()


def test_a_rare_word_ties_messages_more_than_a_common_one():
    often = [("cem", "the kernel is out")] * 8
    talk = chat.Talk(channel(("ann", "gparted fails"), *often, ("bob", "kernel and gparted")))
    rare = talk.evidence(9)[1]["rare_words"]
    assert rare[8] > rare[0] > 0
    assert set(rare[:8]) == {rare[0]}


def test_who_alone_speaks_next_in_a_quiet_channel_answers():
    talk = chat.Talk(timed(TAKEN_UP))
    assert talk.answered("0") >= chat.weights().answered
    assert talk.answered("0", START + timedelta(minutes=39)) == 0.0


@pytest.mark.parametrize("lines", NOT_TAKEN_UP.values(), ids=NOT_TAKEN_UP)
def test_other_talk_in_a_quiet_channel_answers_nothing(lines):
    said = timed(lines)
    asked = next(m.message_id for m in said if m.body == ASK[1])
    assert chat.Talk(said).answered(asked) < chat.weights().answered


def test_who_answered_spoke_at_a_time_and_silence_has_none():
    said = channel(ASK, ("cem", "bob: lunch?"), ("bob", "ann: read the release notes first"))
    talk = chat.Talk(said)
    assert talk.response("0") == (talk.answered("0"), said[2].created_at)
    assert chat.Talk(said[:1]).response("0") == (0.0, None)


ASKED_BACK = {
    "by name": [ASK, ("bob", "ann: which release do you run?")],
    "the asker goes on": [ASK, ("ann", "or is there a tool for it?")],
}


@pytest.mark.parametrize("lines", ASKED_BACK.values(), ids=ASKED_BACK)
def test_a_question_inside_a_conversation_begins_none(lines):
    talk = chat.Talk(channel(*lines))
    assert (talk.begins("0"), talk.begins("1")) == (True, False)
    assert talk.heard("0") == (True, *talk.response("0"), None, None)


def likely(*lines):
    return chat.Talk(channel(*lines)).answered("0")


@pytest.mark.parametrize("lines", ANSWERED.values(), ids=ANSWERED)
def test_answered(lines):
    assert likely(*lines) >= chat.weights().answered


@pytest.mark.parametrize("lines", UNANSWERED.values(), ids=UNANSWERED)
def test_unanswered(lines):
    assert likely(*lines) < chat.weights().answered


def test_an_answer_without_a_name_counts_for_more_than_silence():
    spoken = [ASK, ("bob", "mount the drive with the disks tool"), ("ann", "great, thanks")]
    assert likely(*spoken) > 2 * likely(ASK, *BUSY)


def test_what_the_platform_links_is_certain():
    said = channel(ASK, *BUSY, ("bob", "gparted"))
    quoting = [*said[:-1], replace(said[-1], reply_to="0")]
    assert chat.Talk(quoting).answered("0") == 1.0


def test_what_was_said_later_is_not_known_before():
    said = channel(*ANSWERED["named in between others"])
    talk = chat.Talk(said)
    for end in range(1, len(said)):
        then = talk.answered("0", said[end].created_at)
        assert then == pytest.approx(chat.Talk(said[: end + 1]).answered("0"))


def test_every_message_goes_on_from_something():
    talk = chat.Talk(channel(ASK, *BUSY * 20))
    for at in range(len(talk.writer)):
        chances = talk.goes_on(at)
        assert len(chances) == 1 + min(at, chat.WINDOW)
        assert chances.sum() == pytest.approx(1.0)


def test_who_spoke_is_weighed_by_how_people_name_each_other_there():
    for lines, naming in ((BUSY[:1], False), ([(who, f"ann: {said}") for who, said in BUSY], True)):
        talk = chat.Talk(channel(ASK, *lines * 30))
        people = talk.people(0, talk.conversation(0))
        assert len(people) == len({who for who, _ in lines})
        for named, nameless in people.values():
            assert any(named.values()) == naming
            assert any(nameless.values()) != naming


def test_evidence_has_a_weight_each_and_each_weight_its_evidence():
    talk, by = chat.Talk(channel(ASK, *BUSY)), chat.weights()
    new, back = talk.evidence(3)
    naming, nameless = talk.people(0, talk.conversation(0))[1]
    told = (new, back, naming, nameless)
    assert [[*each] for each in told] == [[*by.new], [*by.back], [*by.naming], [*by.nameless]]
    assert chat.columns(new).shape == (len(new),)
    assert chat.columns(back).shape == (3, len(back))


QUESTION = {
    "en": "how do I mount a usb drive on ubuntu?",
    "de": "wie binde ich eine externe platte unter debian ein?",
    "zh": "怎样在 ubuntu 上挂载移动硬盘？",
}
EARLIER = {
    "en": "the importer ran tonight and it is fine",
    "de": "der import ist heute nacht gelaufen und das ist gut so, ich bin froh",
    "zh": "昨晚的导入跑完了",
}
OPENERS = [
    ("en", ["hey"]),
    ("en", ["hi all", "quick question"]),
    ("de", ["moin zusammen"]),
    ("de", ["hallo", "kurze frage"]),
    ("zh", ["有人在吗"]),
]


@pytest.mark.parametrize(("language", "before"), OPENERS)
def test_a_question_after_its_own_greeting_begins_what_the_greeting_began(language, before):
    said = [*(("ann", each) for each in before), ("ann", QUESTION[language])]
    talk = chat.Talk(timed([(0, "cem", EARLIER[language]), *((700, *line) for line in said)]))
    asked = str(len(said))
    assert talk.begins(asked)
    assert talk.beginning(len(said)) > talk.goes_on(len(said))[0]


def test_a_question_after_another_s_greeting_or_one_s_own_words_does_not():
    for before in (("bob", "hey"), ("ann", "the usb drive of ubuntu is a mess")):
        talk = chat.Talk(channel(before, ASK))
        assert talk.beginning(1) == pytest.approx(talk.goes_on(1)[0])
    late = chat.Talk(timed([(0, "ann", "hey"), (11, *ASK)]))
    assert late.beginning(1) == pytest.approx(late.goes_on(1)[0])


FOUND = ["nvm, found it", "found it, the disks tool does that", "habs gefunden, lag am kabel"]


@pytest.mark.parametrize("words", [*FOUND, "搞定了"])
def test_what_the_asker_finds_soon_after_solves_it(words):
    asked = QUESTION["de" if "kabel" in words else "en"]
    talk = chat.Talk(timed([(0, "ann", asked), (4, "ann", words)]))
    found = talk.solved("0")
    assert found is not None
    assert found in words


NOT_FOUND = {
    "hours later": [(0, *ASK), (300, "ann", "found it")],
    "by another": [(0, *ASK), (4, "bob", "found it")],
    "to somebody": [(0, "bob", "where is it?"), (1, *ASK), (4, "ann", "bob: found it")],
    "not yet": [(0, *ASK), (4, "ann", "found it, but it is empty")],
    "with another question": [(0, *ASK), (4, "ann", "found it. where does it keep its list?")],
}


@pytest.mark.parametrize("lines", NOT_FOUND.values(), ids=NOT_FOUND)
def test_other_words_after_a_question_do_not_solve_it(lines):
    said = timed(lines)
    asked = next(m.message_id for m in said if m.body == ASK[1])
    assert chat.Talk(said).solved(asked) is None


def test_what_the_asker_finds_is_not_known_before():
    talk = chat.Talk(timed([(0, *ASK), (4, "ann", "nvm, found it")]))
    assert talk.solved("0", START + timedelta(minutes=3)) is None
    assert talk.heard("0", START + timedelta(minutes=4)).solved == "nvm, found it"
