"""The ledger: every edition is sent once, through reruns and kills."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.digest.ledger import Ledger
from pipeline.errors import FixSettings
from tests.digest.night import AS_OF, BUSY, NIGHT, edition

NEXT = NIGHT + timedelta(days=1)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "digest" / "sent.jsonl"


@pytest.fixture
def ledger(file):
    return Ledger(file)


def test_an_empty_ledger_knows_nothing(ledger):
    assert ledger.told("moderators", NEXT) == {}
    assert not ledger.was_sent("moderators", NIGHT, "mail")
    assert ledger.keys_of("zmp6zan") == ()


def test_what_was_sent_is_known_by_audience_night_and_channel(ledger):
    ledger.record(edition(BUSY), "mail", AS_OF)
    asked = [
        ("moderators", NIGHT, "mail"),
        ("moderators", NIGHT, "files"),
        ("moderators", NEXT, "mail"),
        ("helpers", NIGHT, "mail"),
    ]
    assert [ledger.was_sent(*which) for which in asked] == [True, False, False, False]


def test_items_count_as_told_from_the_next_night_on(ledger):
    made = edition(BUSY)
    ledger.record(made, "files", AS_OF)
    assert ledger.told("moderators", NIGHT) == {}
    assert ledger.told("moderators", NEXT) == dict.fromkeys(made.keys, NIGHT)
    assert ledger.told("helpers", NEXT) == {}
    assert ledger.told("moderators", NEXT, "mail") == {}


def test_an_item_told_twice_counts_from_the_last_night_whatever_was_written_first(ledger):
    made = edition(BUSY[:1])
    ledger.record(replace(made, night=NEXT), "files", AS_OF)
    ledger.record(made, "files", AS_OF)
    assert ledger.told("moderators", NEXT + timedelta(days=1)) == dict.fromkeys(made.keys, NEXT)


def test_a_chat_message_leads_to_its_item(ledger):
    made = edition(BUSY[:2])
    first, second = made.sections[0].items
    ledger.record(made, "rocketchat", AS_OF, {first.ref: "m1", second.ref: "m2"}, "chat")
    ledger.record(made, "files", AS_OF)
    assert ledger.posted() == {"m1": (first.keys, NIGHT), "m2": (second.keys, NIGHT)}
    assert ledger.posted_since(NIGHT) == {"m1": "chat", "m2": "chat"}
    assert ledger.posted_since(NEXT) == {}


def test_a_reference_leads_to_the_keys_last_told_under_it(ledger):
    made = edition(BUSY)
    item = made.sections[0].items[0]
    ledger.record(made, "files", AS_OF)
    assert ledger.keys_of(item.ref) == item.keys


def test_a_line_cut_by_a_crash_is_not_counted_and_the_next_is_whole(ledger, file):
    ledger.record(edition(BUSY), "mail", AS_OF)
    whole = file.read_bytes()
    file.write_bytes(whole + whole[: len(whole) // 2])
    ledger.record(replace(edition(BUSY), night=NEXT), "mail", AS_OF)
    assert ledger.was_sent("moderators", NIGHT, "mail")
    assert ledger.was_sent("moderators", NEXT, "mail")
    assert len(file.read_bytes().splitlines()) == 3


def test_no_text_of_a_member_is_kept(ledger, file):
    ledger.record(edition(BUSY), "mail", AS_OF)
    kept = file.read_text()
    assert not [row["title"] for row in BUSY if row["title"] in kept]
    assert "Priya" not in kept
    assert file.stat().st_mode & 0o077 == 0


def test_a_ledger_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "digest").write_text("in the way")
    with pytest.raises(FixSettings, match="cannot make the folder .*/digest"):
        Ledger(tmp_path / "digest" / "sent.jsonl").record(edition(BUSY), "mail", AS_OF)
