"""What moderators said, and what follows: what rests, what wakes, which rule is demoted."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import warehouse
from pipeline.digest.edition import Claim, ItemKey
from pipeline.digest.heard import Heard, Verdicts
from pipeline.digest.verdicts import (
    CHOICES,
    REACTIONS,
    Precision,
    Verdict,
    claims,
    closed,
    from_reactions,
    from_replies,
    precision,
    snoozed,
    woken,
)
from pipeline.statements import written
from pipeline.wilson import wilson
from tests.digest.night import edition, row

AT = datetime(2026, 3, 3, 8, tzinfo=UTC)
DAY = date(2026, 3, 3)


def key(thread="1", evidence=("model",)):
    return ItemKey("forum", thread, "toxic", "aa", evidence)


def said(choice, thread="1", who="ada", at=AT, **more):
    return Verdict((key(thread),), who, choice, at, **more)


def days(number):
    return timedelta(days=number)


def test_the_book_gives_back_what_was_written(tmp_path):
    book = Verdicts(tmp_path / "verdicts.jsonl")
    asleep = snoozed(said("agree", at=AT + days(1)), DAY)
    book.add(asleep)
    book.add(said("disagree", model="uncivil-en 1.2"))
    assert book.read() == [said("disagree", model="uncivil-en 1.2"), asleep]


def test_what_was_heard_stays_once_it_is_too_old_to_be_asked_for(tmp_path):
    heard = Heard(tmp_path / "digests" / "heard.jsonl")
    old, new = said("agree", at=AT - days(8)), said("disagree", "2", at=AT - days(7))
    assert heard.replace([old, new], AT - days(6)) == [old, new]
    assert heard.replace([], AT) == [old]  # the new one was taken back
    assert heard.read() == [old]
    other = said("unsure", at=AT)
    assert heard.replace([other], AT) == [other]
    assert heard.replace([said("claim", who="bob")], AT + days(9)) == [
        other,
        said("claim", who="bob"),
    ]


def test_what_was_heard_of_a_source_that_is_silent_now_goes_on_counting(tmp_path):
    heard = Heard(tmp_path / "heard.jsonl")
    there, elsewhere = said("agree", via="forum"), said("agree", "2", via="chat")
    heard.replace([there, elsewhere], AT)
    assert heard.replace([], AT, {"forum"}) == [there]
    changed = said("disagree", via="forum")
    assert heard.replace([changed], AT, {"forum"}) == [changed]


def test_a_line_of_an_older_version_is_read(tmp_path):
    Verdicts(tmp_path / "verdicts.jsonl").add(said("agree"))
    (entry,) = map(json.loads, (tmp_path / "verdicts.jsonl").read_text().splitlines())
    del entry["via"]
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(entry) + "\n")
    assert Verdicts(tmp_path / "verdicts.jsonl").read() == [said("agree")]


def test_an_absent_book_is_empty(tmp_path):
    assert Verdicts(tmp_path / "verdicts.jsonl").read() == []


@pytest.mark.parametrize(
    ("choice", "rests"),
    [("agree", True), ("disagree", True), ("handled", True), ("unsure", False), ("claim", False)],
)
def test_what_was_decided_rests(choice, rests):
    assert closed([said(choice)], DAY) == ({key()} if rests else set())


def test_a_judged_item_returns_only_with_other_words_or_another_kind_of_evidence():
    item = row("1", "toxic", evidence=["model"])
    rests = closed([Verdict(edition([item]).keys, "ada", "agree", AT)], DAY)
    changes = [{}, {"score": 0.99}, {"text_hash": "new"}, {"evidence": ["model", "report"]}]
    shown = [bool(edition([{**item, **change}], judged=rests).sections) for change in changes]
    assert shown == [False, False, True, True]


def test_a_person_may_change_their_mind():
    both = [said("unsure", at=AT + days(1)), said("agree")]
    assert closed(both, DAY) == set()
    assert precision(both, AT + days(1)) == []


def test_a_claim_takes_nothing_back():
    assert closed([said("agree"), said("claim", at=AT + days(1))], DAY) == {key()}


def test_a_claim_ends_by_itself_or_with_a_choice():
    verdicts = [
        said("claim"),
        said("claim", who="bob", at=AT - timedelta(hours=5)),
        said("claim", "2"),
        said("unsure", "2", at=AT + timedelta(hours=1)),
    ]
    ends = AT + timedelta(hours=24)
    ada, bob = Claim("ada", ends), Claim("bob", ends - timedelta(hours=5))
    assert claims(verdicts, AT + timedelta(hours=2)) == {key()[:4]: (bob, ada)}
    assert claims(verdicts, AT + timedelta(hours=19)) == {key()[:4]: (ada,)}
    assert claims(verdicts, ends) == {}


def test_a_snoozed_item_sleeps_then_wakes_once():
    verdict = snoozed(said("snooze"), DAY)
    nights = [DAY + days(n) for n in range(6)]
    told = {key(): DAY}
    asleep, awake = [], []
    for night in nights[1:]:
        asleep += [night] if key() in closed([verdict], night) else []
        if woken(told, [verdict], night):
            awake.append(night)
            told[key()] = night
    assert asleep == nights[1:3]
    assert awake == [nights[3]]


def test_a_later_verdict_ends_a_snooze():
    verdicts = [snoozed(said("snooze"), DAY), said("handled", at=AT + days(1))]
    assert woken({key(): DAY}, verdicts, DAY + days(9)) == set()
    assert closed(verdicts, DAY + days(9)) == {key()}


def test_precision_counts_items_not_voices():
    verdicts = [
        said("agree", "1"),
        said("agree", "1", who="bob"),
        said("disagree", "1", who="cleo"),
        said("disagree", "2"),
        said("agree", "3"),
        said("disagree", "3", who="bob"),
        said("unsure", "4"),
        said("agree", "5", at=AT - days(31)),
    ]
    low, high = wilson(1, 2)
    assert precision(verdicts, AT) == [Precision("toxic/model", 1, 2, low, high, False)]


def test_each_kind_of_evidence_is_a_rule():
    verdict = replace(said("agree"), keys=(key(evidence=("model", "report")),))
    assert [rule.rule for rule in precision([verdict], AT)] == [
        "toxic/model",
        "toxic/report",
    ]


@pytest.mark.parametrize(
    ("agreed", "judged", "is_shadow"),
    [(0, 19, False), (9, 20, True), (10, 20, False), (19, 40, True)],
)
def test_a_rule_below_half_over_twenty_verdicts_goes_into_the_shadow(agreed, judged, is_shadow):
    verdicts = [said("agree" if n < agreed else "disagree", str(n)) for n in range(judged)]
    (rule,) = precision(verdicts, AT)
    assert (rule.agreed, rule.judged, rule.is_shadow) == (agreed, judged, is_shadow)


def test_a_rule_in_the_shadow_stays_there_until_an_operator_trusts_it_again():
    verdicts = [said("disagree", str(n)) for n in range(20)]
    later = AT + days(90)
    assert [rule.is_shadow for rule in precision(verdicts, later)] == [True]
    assert precision(verdicts, later, {"toxic/model": DAY + days(1)}) == []
    assert precision(verdicts[:19], later) == []


def test_a_question_is_one_rule_whoever_asks_and_however_long():
    keys = [
        ItemKey("forum", "1", "newcomer_waiting", "aa", ("asks", "overdue")),
        ItemKey("forum", "2", "unanswered", "bb", ("asks",)),
    ]
    (rule,) = precision([Verdict((key,), "ada", "agree", AT) for key in keys], AT)
    assert (rule.rule, rule.judged) == ("question/asks", 2)


def test_wilson_as_published():
    low, high = wilson(81, 263)  # Newcombe (1998), table I, method 3
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson(0, 20)
    assert (round(low, 4), round(high, 4)) == (0.0, 0.1611)


def test_wilson_as_the_marts_have_it():
    with duckdb.connect() as db:
        warehouse.prepare(db)
        db.execute(written("macros"))
        for agreed, judged in [(0, 5), (5, 5), (2, 5), (81, 263), (499, 500)]:
            asked = f"SELECT rate_low({agreed}, {judged}), rate_high({agreed}, {judged})"
            assert db.execute(asked).fetchone() == pytest.approx(wilson(agreed, judged), abs=1e-6)
        assert db.execute("SELECT rate_low(4, 4), rate_high(4, 4)").fetchone() == (None, None)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_proportion(counts):
    agreed, judged = counts
    low, high = wilson(agreed, judged)
    assert 0 <= low <= agreed / judged + 1e-9
    assert agreed / judged - 1e-9 <= high <= 1


def test_reactions_are_verdicts_of_those_who_gave_them():
    posted = {"m1": ((key("1"),), DAY), "m2": ((key("2"),), DAY)}
    reactions = [
        (message, f":{emoji}:", who, "chat")
        for message, emoji, who in (
            ("m1", "white_check_mark", "ada"),
            ("m1", "x", "bob"),
            ("m2", "zzz", "ada"),
            ("m2", "raising_hand_tone3", "bob"),
            ("m2", "heart", "cleo"),
            ("other", "x", "ada"),
        )
    ]
    at = datetime(2026, 3, 3, tzinfo=UTC)
    assert from_reactions(posted, reactions) == [
        said("agree", "1", at=at, via="chat"),
        said("disagree", "1", who="bob", at=at, via="chat"),
        said("snooze", "2", at=at, until=date(2026, 3, 6), via="chat"),
        said("claim", "2", who="bob", at=at + days(1), via="chat"),
    ]


def test_a_reply_gives_verdicts_on_the_items_it_names():
    known = {"zmp6zan": (key("1"),), "c6yzzwh": (key("2"),)}
    text = "ZMP6ZAN agree, and `c6yzzwh`: Snooze\n> c6yzzwh disagree\nabcdefg agree\nI agree!"
    assert from_replies(lambda ref: known.get(ref, ()), [("ada", text, AT)], "forum", "UTC") == [
        said("agree", "1", via="forum"),
        said("snooze", "2", until=date(2026, 3, 6), via="forum"),
    ]


def test_a_snooze_counts_the_days_of_the_community():
    late = AT.replace(hour=22)  # in Tokyo it is the next day
    for zone, until in (("Europe/London", 6), ("Europe/Berlin", 6), ("Asia/Tokyo", 7)):
        [verdict] = from_replies(
            lambda ref: (key("1"),), [("ada", "zmp6zan snooze", late)], "forum", zone
        )
        assert verdict.until == date(2026, 3, until)


def test_a_quoted_footer_is_nobodys_verdict():
    text = '[quote="hearth, post:1, topic:9"]\nanswer with `zmp6zan` agree\n[/quote]\nHow does this work?'
    assert from_replies(lambda ref: (key("1"),), [("ada", text, AT)], "forum", "UTC") == []


def test_every_choice_has_an_emoji():
    assert set(REACTIONS.values()) == set(CHOICES)
