"""Answers in a flat channel, where nothing links them to the question."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.classify import Message, chat

START = datetime(2026, 3, 1, tzinfo=UTC)


def channel(*lines):
    return [
        Message("chat", str(n), str(n), who, START + timedelta(minutes=n), text, "markdown",
                username=who, is_human=who != "bot")
        for n, (who, text) in enumerate(lines)
    ]  # fmt: skip


ASK = ("ann", "how do I mount a usb drive on ubuntu?")
BUSY = [
    ("cem", "the new kernel is out"),
    ("dan", "cem: saw it, works here"),
    ("eve", "anyone tried the beta?"),
    ("cem", "dan: nice"),
]


@pytest.mark.parametrize(
    "lines",
    [
        [ASK, ("bob", "ann: plug it in, it mounts by itself"), ("ann", "thanks, that worked")],
        [ASK, *BUSY, ("bob", "@ann use the disks tool"), ("ann", "bob: thank you")],
    ],
    ids=["named", "named later, in between others"],
)
def test_answered(lines):
    assert chat.answered(channel(*lines), 0) >= chat.THRESHOLD


@pytest.mark.parametrize(
    "lines",
    [[ASK], [ASK, *BUSY], [ASK, ("bot", "ann: welcome to the channel"), *BUSY]],
    ids=["silence", "talk about other things", "a bot names the asker"],
)
def test_unanswered(lines):
    assert chat.answered(channel(*lines), 0) < chat.THRESHOLD


def test_an_answer_without_a_name_counts_for_more_than_silence():
    spoken = [ASK, ("bob", "mount the drive with the disks tool"), ("ann", "great, thanks")]
    assert chat.answered(channel(*spoken), 0) > 2 * chat.answered(channel(ASK, *BUSY), 0)


def test_evidence_has_a_weight_each_and_each_weight_its_evidence():
    said = [chat._said(m) for m in channel(ASK, *BUSY)]
    assert set(chat.evidence(said, 0)) == set(chat.WEIGHTS)
