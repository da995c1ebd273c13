"""Who is told what, in which order, and never twice without a cause."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest.edition import Claim, Health
from pipeline.digest.selection import select
from tests.digest.night import AS_OF, BUSY, NIGHT, community, edition, row, thanked


def shown(made):
    return {section.name: [item.thread_id for item in section.items] for section in made.sections}


def test_sections_come_in_reading_order_and_only_if_they_have_items():
    assert list(shown(edition(BUSY)).items()) == [
        ("newcomers", ["1", "2"]),
        ("questions", ["3", "4"]),
        ("warming", ["5"]),
        ("judgement", ["6"]),
        ("answered", ["7"]),
    ]


def test_a_night_without_items_is_quiet_and_so_is_one_with_good_news_only():
    assert edition([]).is_quiet
    assert edition([row("7", "answered")]).is_quiet
    assert not edition([row("1")]).is_quiet


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(chance: random.Random):
    assert edition(chance.sample(BUSY, len(BUSY))) == edition(BUSY)


def test_questions_rank_by_how_far_they_are_past_their_target_then_by_readers():
    rows = [
        row("late", age_h=48, views=0),
        row("latest", age_h=72, views=0),
        row("read", age_h=48, views=30),
        row("early", age_h=25, views=0),
    ]
    assert shown(edition(rows)) == {"questions": ["latest", "read", "late", "early"]}


def test_flags_rank_by_independent_signs_before_score():
    rows = [
        row("sure", "toxic", severity=1, score=0.99),
        row("twice", "toxic", severity=2, score=0.6),
        row("unsure", "toxic", severity=1, score=0.7),
    ]
    assert shown(edition(rows)) == {"judgement": ["twice", "sure", "unsure"]}


def test_newcomers_and_questions_have_a_cap_each():
    rows = [row(f"n{i}", "newcomer_waiting") for i in range(3)]
    rows += [row(f"q{i}") for i in range(4)]
    made = edition(rows, most_newcomers=2, most_questions=3)
    assert [(s.name, len(s.items), s.more) for s in made.sections] == [
        ("newcomers", 2, 1),
        ("questions", 3, 1),
    ]


def test_in_chat_the_sentence_stands_for_the_title_and_is_not_said_twice():
    made = edition([row("1", title=None, sentence="Where do I report a bug?")])
    item = made.sections[0].items[0]
    assert (item.title, item.sentence) == ("Where do I report a bug?", None)


def test_a_claim_stands_on_its_item_and_on_what_is_not_told_again():
    claim = Claim("ada", AS_OF + timedelta(hours=6))
    told = edition([row("1", title="In work")]).keys
    claims = {told[0][:4]: (claim,)}
    again = edition([row("1", title="In work"), row("2")], told=told, claims=claims)
    assert (again.still_open, again.in_hand) == (1, (("In work", (claim,)),))
    assert shown(again) == {"questions": ["2"]}
    first = edition([row("1", title="In work")], claims=claims)
    assert (first.sections[0].items[0].claims, first.in_hand) == ((claim,), ())


def test_people_are_thanked_only_before_those_who_may_see_their_source():
    health = Health(thanks=(thanked("Ines", accepted=1), {**thanked("Tom"), "source": "chat"}))
    seen = {
        name: [
            t["person"]
            for t in select(
                [], health, (), community(audiences=AUDIENCES), name, as_of=AS_OF, night=NIGHT
            ).health.thanks
        ]
        for name in ("everyone", "forum_only", "board")
    }
    assert seen == {"everyone": ["Ines", "Tom"], "forum_only": ["Ines"], "board": ["Tom"]}


def test_at_most_three_threads_are_warming_and_the_cap_counts_them():
    rows = [row(f"s{i}", "sour") for i in range(5)] + [row(f"t{i}", "toxic") for i in range(4)]
    made = edition(rows, most_flags=5)
    assert [(s.name, len(s.items), s.more) for s in made.sections] == [
        ("warming", 3, 2),
        ("judgement", 2, 2),
    ]


def test_a_cap_of_nothing_counts_but_shows_nothing():
    made = edition([row("1"), row("2", "toxic")], most_questions=0, most_flags=0)
    assert [(s.name, len(s.items), s.more) for s in made.sections] == [
        ("questions", 0, 1),
        ("judgement", 0, 1),
    ]
    assert made.keys == ()


def test_a_thread_has_one_row_however_much_was_found_in_it():
    made = edition(
        [
            row("1", "newcomer_waiting"),
            row("1", "unanswered"),
            row("1", "toxic", severity=2, sentence="you idiot"),
        ]
    )
    assert shown(made) == {"judgement": ["1"]}
    item = made.sections[0].items[0]
    assert item.also == ("newcomer_waiting", "unanswered")
    assert [key.kind for key in item.keys] == ["toxic", "newcomer_waiting", "unanswered"]


def test_a_waiting_newcomer_is_not_also_called_an_unanswered_question():
    made = edition([row("1", "unanswered"), row("1", "newcomer_waiting")])
    assert [(item.kind, item.also) for s in made.sections for item in s.items] == [
        ("newcomer_waiting", ())
    ]


def test_what_was_told_does_not_come_back():
    first = edition(BUSY)
    second = edition(BUSY, told=first.keys)
    assert second.sections == ()
    assert second.is_quiet
    assert second.still_open == 6


def test_what_was_judged_is_neither_shown_nor_called_open():
    keys = edition(BUSY).keys
    made = edition(BUSY, told=keys, judged=keys[:4])
    assert (made.sections, made.still_open) == ((), 2)
    assert edition(BUSY, judged=keys).sections == ()


def test_evidence_in_the_shadow_counts_for_nothing():
    rows = [
        row("1", "toxic", evidence=["noisy"], severity=1),
        row(
            "2",
            "toxic",
            evidence=["noisy", "sound"],
            severity=2,
            reasons=[
                {"code": "insult", "evidence": "noisy", "words": "x"},
                {"code": "reported", "evidence": "sound", "n": 2},
            ],
        ),
        row("3", "sour", evidence=["noisy"], severity=1),
    ]
    made = edition(rows, shadow={"toxic/noisy"})
    assert (made.health.flagged, edition(rows).health.flagged) == (2, 3)
    assert shown(made) == {"warming": ["3"], "judgement": ["2"]}
    item = made.sections[1].items[0]
    assert (item.severity, item.keys[0].evidence) == (1, ("sound",))
    assert item.reasons == (("reported", {"n": 2}),)


def test_a_model_in_the_shadow_hides_what_it_found_and_no_rule_or_report():
    rows = [
        row(str(n), "toxic", evidence=evidence, severity=len(evidence), model="strict_en")
        for n, evidence in enumerate((["alert"], ["alert", "reports"], ["rule"]))
    ]
    made = edition(rows, shadow={"strict_en"})
    found = {item.thread_id: item.keys[0].evidence for item in made.sections[0].items}
    assert found == {"1": ("reports",), "2": ("rule",)}
    assert edition(rows, shadow={"strict_zh"}).health.flagged == len(rows)


def test_a_model_in_the_shadow_hides_its_alerts_in_a_sour_thread_too():
    """Those of another model, or of a plain rule, stand; so does what no model of tone found."""
    alerts = ("strict_en", "strict_en strict_zh", None)
    rows = [
        row(
            str(n),
            "sour",
            evidence=["alert", "pace"],
            severity=2,
            model="heat",
            reasons=[
                {"code": "alert_messages", "evidence": "alert", "n": 1}
                | ({"models": models} if models else {}),
                {"code": "pace", "evidence": "pace", "times": 5},
            ],
        )
        for n, models in enumerate(alerts)
    ]
    made = edition(rows, shadow={"strict_en"})
    found = {item.thread_id: item for section in made.sections for item in section.items}
    told = {thread: (item.keys[0].evidence, item.severity) for thread, item in found.items()}
    both = ("alert", "pace"), 2
    assert told == {"0": (("pace",), 1), "1": both, "2": both}
    assert found["0"].reasons == (("pace", {"times": 5}),)
    assert found["1"].reasons == (("alert_messages", {"n": 1}), ("pace", {"times": 5}))


def test_what_the_cap_left_out_was_not_told_and_comes_next():
    rows = [row("1", age_h=90), row("2", age_h=40)]
    first = edition(rows, most_questions=1)
    assert shown(edition(rows, told=first.keys, most_questions=1)) == {"questions": ["2"]}


@pytest.mark.parametrize(
    ("change", "returns"),
    [
        ({}, False),
        ({"age_h": 40.0}, False),
        ({"title": "Another title"}, False),
        ({"evidence": []}, False),
        ({"text_hash": "bb"}, True),
        ({"evidence": ["question_mark", "stack_trace"]}, True),
        ({"age_h": 72.0}, True),
    ],
    ids=["same", "older", "retitled", "less evidence", "edited", "more evidence", "3 times target"],
)
def test_a_told_question_returns_only_for_a_cause(change, returns):
    told = edition([row("1")]).keys
    again = edition([row("1", **change)], told=told)
    assert [item.again for s in again.sections for item in s.items] == ([True] if returns else [])


def test_a_question_told_before_its_target_returns_when_it_is_overdue():
    told = edition([row("1", "newcomer_waiting", age_h=1, target_h=4)]).keys
    assert shown(edition([row("1", "newcomer_waiting", age_h=3, target_h=4)], told=told)) == {}
    late = edition([row("1", "newcomer_waiting", age_h=5, target_h=4)], told=told)
    assert shown(late) == {"newcomers": ["1"]}


def test_evidence_told_on_different_nights_counts_night_by_night():
    told = edition([row("1", "toxic", evidence=["a"])]).keys
    told += edition([row("1", "toxic", evidence=["b"])]).keys
    assert shown(edition([row("1", "toxic", evidence=["a", "b"])], told=told)) == {
        "judgement": ["1"]
    }


ROWS = [
    row("1", source="forum", channel="Help"),
    row("2", "sour", source="forum", channel="Staff", is_private=True),
    row("3", "toxic", source="chat", channel="general"),
    row("4", "newcomer_waiting", source="chat", channel="board", is_private=True),
    row("5", "answered", source="chat", channel="Staff", is_private=True),
]
AUDIENCES = {
    "everyone": {},
    "forum_only": {"sources": ["forum"]},
    "helpers": {"sections": ["newcomers", "questions"]},
    "staff": {"private": ["forum/Staff"]},
    "board": {"private": ["chat/board", "chat/Staff"], "sources": ["chat"]},
}
ALLOWED = {
    ("everyone", "1"),
    ("everyone", "3"),
    ("forum_only", "1"),
    ("helpers", "1"),
    ("staff", "1"),
    ("staff", "2"),
    ("staff", "3"),
    ("board", "3"),
    ("board", "4"),
    ("board", "5"),
}


@pytest.mark.parametrize(("audience", "item"), product(AUDIENCES, ROWS))
def test_an_item_reaches_only_those_who_may_read_it(audience, item):
    made = select(
        [item], Health(), (), community(audiences=AUDIENCES), audience, as_of=AS_OF, night=NIGHT
    )
    wanted = [item["thread_id"]] if (audience, item["thread_id"]) in ALLOWED else []
    assert [i.thread_id for s in made.sections for i in s.items] == wanted
    assert made.still_open == 0


def test_what_the_source_hides_reaches_moderators_alone():
    items = [row("1", "toxic", is_hidden=True), row("2", "toxic")]
    wanted = {"moderators": ["1", "2"], "everyone": ["2"]}
    for audience, threads in wanted.items():
        readers = community(audiences={"moderators": {}, "everyone": {}})
        made = select(items, Health(), (), readers, audience, as_of=AS_OF, night=NIGHT)
        assert sorted(i.thread_id for s in made.sections for i in s.items) == threads


def test_a_private_item_is_not_counted_for_those_who_may_not_know_of_it():
    secret = row("9", source="forum", channel="Staff", is_private=True)
    told = select(
        [secret], Health(), (), community(audiences=AUDIENCES), "staff", as_of=AS_OF, night=NIGHT
    ).keys
    made = edition([secret], told=told)
    assert (made.sections, made.still_open) == ((), 0)


def test_the_same_item_has_the_same_reference_whatever_its_evidence():
    one = edition([row("1")]).keys[0]
    other = replace(edition([row("1", evidence=["a"], age_h=400)]).sections[0].items[0])
    assert one.ref == other.ref
    assert len(one.ref) == 7
    assert one.ref != edition([row("2")]).keys[0].ref


def test_an_edition_is_the_same_at_any_time_of_day_it_is_made():
    made = edition(BUSY)
    later = select(
        BUSY, Health(), (), community(), "moderators", as_of=AS_OF + timedelta(hours=9), night=NIGHT
    )
    assert replace(later, as_of=AS_OF) == made
