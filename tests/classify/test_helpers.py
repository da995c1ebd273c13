"""Who might know: people who helped with questions like it, spread over the questions."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.classify.answers import words
from pipeline.classify.helpers import LOAD, MOST, Question, Suggestion, who_might_know

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
ACTIVE = {("forum", who): NOW - timedelta(days=1) for who in ("ben", "cleo", "dan", "ann")}


def question(thread, words="", channel="Support", asker="ann", helper=None):
    return Question("forum", thread, channel, asker, frozenset(words.split()), helper)


def names(waiting, helped, active=ACTIVE):
    return [(s.thread_id, s.person_id) for s in who_might_know(waiting, helped, active, NOW)]


HELPED = [
    question("1", "antenna chimney roof", helper="ben"),
    question("2", "antenna cable", helper="ben"),
    question("3", "firmware update", helper="ben"),
    question("4", "firmware radio", helper="cleo", channel="Firmware"),
    question("5", "solar panel", helper="cleo", channel="Power"),
    *(question(f"x{n}", f"word{n}", channel="Other", helper="dan") for n in range(40)),
]


def test_a_suggestion_says_what_speaks_for_the_person():
    (found, *_) = who_might_know([question("9", "antenna roof tall")], HELPED, ACTIVE, NOW)
    at = ACTIVE["forum", "ben"]
    assert found == Suggestion("forum", "9", "ben", 1, 3, ("roof", "antenna"), at)


def test_rare_words_find_somebody_in_another_channel():
    assert ("9", "cleo") in names([question("9", "solar radio panel", channel="Off topic")], HELPED)


def test_one_chance_answer_in_a_channel_makes_nobody_an_expert():
    assert names([question("9", "else", channel="Power")], HELPED) == []


def test_nobody_is_named_who_asks_is_silent_or_not_to_be_named():
    ask = [question("9", "antenna roof")]
    assert names(ask, HELPED) == [("9", "ben")]
    assert names([question("9", "antenna roof", asker="ben")], HELPED) == []
    assert names(ask, HELPED, {("forum", "ben"): NOW - timedelta(days=31)}) == []
    assert names(ask, HELPED, {("chat", "ben"): NOW}) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("bcd"), st.sampled_from("xyz"), st.sampled_from("12")),
        max_size=40,
    ),
    st.lists(
        st.tuples(st.sampled_from("bcde"), st.sampled_from("xyz"), st.sampled_from("12")),
        max_size=20,
    ),
)
def test_nobody_is_worn_out(helped, waiting):
    found = list(
        who_might_know(
            [
                question(str(n), word, channel, who)
                for n, (who, word, channel) in enumerate(waiting)
            ],
            [
                question(f"h{n}", word, channel, "a", who)
                for n, (who, word, channel) in enumerate(helped)
            ],
            {("forum", who): NOW for who in "bcd"},
            NOW,
        )
    )
    people = [s.person_id for s in found]
    threads = [s.thread_id for s in found]
    assert all(people.count(who) <= LOAD for who in people)
    assert all(threads.count(thread) <= MOST for thread in threads)
    assert all(waiting[int(s.thread_id)][0] != s.person_id for s in found)


def test_a_german_word_is_one_word():
    assert words("Größe der Überschrift?") == {"größe", "überschrift"}
