"""`hearth evaluate` over small labelled sets, in the forms in which the real ones come."""

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline.cli import app

CALM = (
    "thanks, that fixed the build",
    "how do I read the sensor?",
    "the test passes now",
    "see the docs",
)
RUDE = (
    "you are an idiot",
    "shut up, you moron",
    "this is garbage, you fool",
    "what a stupid clown you are",
)
SETS = {
    "toxicity_code_review_en": "text, rude AS is_toxic",
    "toxicity_gitter_en": "text, rude AS is_toxic",
    "incivility_github_en": "n // 3 AS issue_id, text, rude AS uncivil, rude AS strict_toxic",
    "toxicity_surge_en": "text, rude AS label",
    "offensive_germeval_de": "text, rude AS label, 'INSULT' AS fine, 'train' AS official_split",
}


def write(folder, *names):
    """Eighty texts a set, every second one rude; no two alike."""
    with duckdb.connect() as db:
        db.execute("CREATE TABLE said (n INTEGER, text VARCHAR, rude INTEGER)")
        for number, name in enumerate(names):
            texts = [
                (n, f"{(RUDE if n % 2 else CALM)[n // 2 % 4]} {'abcdefgh'[number]}{n}", n % 2)
                for n in range(80)
            ]
            db.execute("DELETE FROM said")
            db.executemany("INSERT INTO said VALUES (?, ?, ?)", texts)
            db.execute(f"COPY (SELECT {SETS[name]} FROM said) TO '{folder / name}.parquet'")


def board(folder):
    done = CliRunner().invoke(app, ["evaluate", str(folder)])
    assert done.exit_code == 0, done.output
    heading, *lines = done.output.splitlines()
    plain, ours = heading.index("plain"), heading.index("ours") + len("ours")
    return {line[: plain - 1].strip(): float(line[ours - 7 : ours]) for line in lines}


@pytest.mark.slow
def test_a_board_whose_set_is_missing_is_left_out(tmp_path):
    write(tmp_path, "offensive_germeval_de")
    assert list(board(tmp_path)) == [
        "germeval: F1 uncivil, folds by group",
        "germeval: alerts, recall",
        "germeval: alerts, for nothing",
        "written_de: alerts, recall",
        "written_de: alerts, for nothing",
        "model of de trained again: farthest probability from the shipped one's",
    ]


@pytest.mark.slow
def test_every_english_set_is_measured_by_itself_and_by_what_the_others_teach(tmp_path):
    english = [name for name in SETS if name.endswith("_en")]
    write(tmp_path, *english)
    found = board(tmp_path)
    for name in ("code_review", "gitter", "github_incivility"):
        assert found[f"{name}: F1 uncivil, folds by group"] == 1.0
    for name in ("code_review", "gitter", "github_incivility", "surge"):
        assert found[f"{name}: AUC uncivil, learned from other sets alone"] == 1.0
    assert found["github_incivility: alerts, for nothing"] == 0.0
