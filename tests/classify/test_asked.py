"""`hearth judge`: what the judges say of a text that somebody brings."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import FixSettings

RUDE = "You are a complete idiot."


def judge(*options, given=None):
    said = CliRunner().invoke(app, ["judge", *options], input=given)
    if said.exception:
        raise said.exception
    return said.output.splitlines()


def test_a_text_is_judged_with_its_reasons_and_keeps_its_quotations_apart():
    told = "\n".join(judge(RUDE))
    assert "flagged (counts from" in told
    assert f"> {RUDE}" in told
    assert "insult" in told
    assert ", flagged" not in "\n".join(judge(f"> {RUDE}"))


def test_a_title_makes_a_question_of_it():
    assert any(
        line.startswith("question") for line in judge("It ends.", "--title", "How to go on?")
    )


def test_the_input_is_a_text_or_an_object_a_line():
    assert judge(given=RUDE) == judge(RUDE)
    lines = [{"id": "a", "text": RUDE}, {"text": "<p>Thanks</p>", "form": "html"}]
    told = [json.loads(line) for line in judge("--json", given="\n".join(map(json.dumps, lines)))]
    assert [(row["id"], row["label"]) for row in told] == [
        (name, label) for name in ("a", "2") for label in ("uncivil", "strict", "question")
    ]
    assert [row["is_flagged"] for row in told if row["label"] == "uncivil"] == [True, False]
    assert told[0]["reasons"]
    assert told[0]["sentence"] == RUDE


@pytest.mark.parametrize(
    "line", ["no JSON", "[]", '{"id": 1}', '{"text": 1}', '{"text": "", "form": "x"}']
)
def test_a_line_without_a_text_is_named(line):
    with pytest.raises(FixSettings, match="line 2 is not like"):
        judge("--json", given=f'{{"text": "a"}}\n{line}\n')


def test_half_a_character_stops_nobody():
    (told, *_) = judge(
        "--json", given='{"text": "\\ud800 You are a complete idiot.", "title": "\\udc00"}'
    )
    assert json.loads(told)["is_flagged"]


def test_what_has_no_words_is_unscored():
    assert judge("`code`")[0] == "uncivil   unscored: no_text (unknown)"


def test_a_text_cannot_draw_on_the_terminal():
    assert not any("\x1b" in line for line in judge(f"{RUDE}\x1b[31m red"))
