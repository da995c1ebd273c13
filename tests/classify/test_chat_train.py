"""Weights of chat, learned from talk that people took apart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.classify import Message, chat_sets, chat_train
from pipeline.classify.judge import MODELS
from pipeline.errors import FixSettings

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels"
needs_sets = pytest.mark.skipif(not LABELS.exists(), reason=f"no labelled sets in {LABELS}")


def dialog(name, *speakers):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        Message(
            "gitter",
            name,
            f"{name}/{n}",
            who,
            at + timedelta(minutes=n),
            "text",
            "markdown",
            username=who,
        )
        for n, who in enumerate(speakers)
    ]


def test_fit_finds_what_the_right_choices_share():
    rng = np.random.default_rng(1)
    choices = []
    for _ in range(400):
        rows = rng.normal(size=(rng.integers(2, 6), 3))
        likely = np.exp(rows @ [2.0, -1.0, 0.0])
        right = np.zeros(len(rows), bool)
        right[rng.choice(len(rows), p=likely / likely.sum())] = True
        choices.append((rows, right))
    found = chat_train.fit(choices)
    assert found == pytest.approx([2.0, -1.0, 0.0], abs=0.4)
    assert chat_train.fit(choices).tolist() == found.tolist()


def test_where_several_choices_are_right_any_of_them_will_do():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    scores = np.exp(rows @ chat_train.fit([(rows, np.array([True, True, False]))] * 50))
    assert scores[:2].sum() / scores.sum() > 0.9


def test_a_dialog_is_mixed_with_another_of_its_room_and_loses_its_answers():
    dialogs = [dialog("room/1", "ann", "bob", "ann"), dialog("room/2", "cem", "dan")]
    rooms = [room for room in chat_sets.mix(dialogs) if room.question == "room/1/0"]
    assert [room.kind for room in rooms] == ["alone", "among others", "left alone"]
    assert [set(room.answers) for room in rooms] == [{"room/1/1"}, {"room/1/1"}, set()]
    people = [sorted({m.username for m in room.channel}) for room in rooms]
    others = ["other cem", "other dan"]
    assert people == [["ann", "bob"], ["ann", "bob", *others], ["ann", *others]]
    for room in rooms:
        assert [m.created_at for m in room.channel] == sorted(m.created_at for m in room.channel)


def test_without_its_sets_nothing_is_learned(tmp_path):
    with pytest.raises(FixSettings, match="irc_replies_links_en"):
        chat_train.write(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.requires_shared_data
@needs_sets
def test_the_weights_of_chat_can_be_learned_again_to_the_digit(tmp_path):
    for file in chat_train.write(LABELS, tmp_path):
        assert file.read_text() == (MODELS / file.name).read_text()
