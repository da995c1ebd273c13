"""Training: reproducible, grouped, and honest about what it cannot do."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.classify import answers
from pipeline.classify.card import render, write_models
from pipeline.classify.judge import MODELS
from pipeline.classify.model import load, save
from pipeline.classify.train import (
    MANIFEST,
    Aim,
    Rows,
    View,
    base_rate_weights,
    choose_threshold,
    fit,
    read,
    train,
)
from pipeline.errors import FixSettings

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels"
needs_sets = pytest.mark.skipif(not LABELS.exists(), reason=f"no labelled sets in {LABELS}")


def rows(count=240):
    """Every third text is rude, every text its own group."""
    from pipeline.classify.features import describe

    rude = np.array([n % 3 == 0 for n in range(count)], float)
    texts = [
        f"you idiot, number {n} is garbage" if r else f"thanks, number {n} works well now"
        for n, r in enumerate(rude)
    ]
    described = [describe(text, "en") for text in texts]
    names = np.array(["surge"] * count)
    groups = np.arange(count).astype(str)
    return Rows(names, groups, texts, described, {"uncivil": rude}, np.array([None] * count))


AIM = Aim("uncivil", 1.0, 0.5, 0.02)
OF_VIEWS = Aim("uncivil", 0.05, 0.5, 0.02, (View("uncivil", 1.0),))


@pytest.mark.parametrize("aim", [AIM, OF_VIEWS], ids=["itself", "of views"])
def test_training_twice_gives_the_same_model_and_it_survives_its_file(tmp_path, aim):
    trained = train(rows(), "en", [aim])
    model, shown = trained.model, trained.shown
    again = train(rows(), "en", [aim]).model
    save(model, tmp_path / "en.skops")
    assert model.version == again.version == load(tmp_path / "en.skops").version
    assert [(s.set, s.rows, s.deserving, s.recall) for s in shown] == [("surge", 240, 80, 1.0)]
    assert "maximum recall at precision >= 0.5" in render(model, shown)


def test_a_head_of_views_weighs_what_is_aimed_at_somebody_beside_its_words():
    known = rows()
    aimed = [replace(d, facts=(2 * int(n % 3 == 0), 1)) for n, d in enumerate(known.described)]
    model = train(replace(known, described=aimed), "en", [OF_VIEWS]).model
    of_all, constant = model.heads["uncivil"].facts
    assert of_all > 0 and constant == pytest.approx(0, abs=0.01)
    some = [replace(aimed[1], facts=facts) for facts in ((0, 0), (1, 0), (3, 0))]
    assert (np.diff(model.probabilities(some)["uncivil"]) > 0).all()


def test_a_column_counts_for_the_label_it_stands_with_and_not_for_being_frequent():
    matrix = csr_matrix(np.array([[1, 1, 0, 0]] * 30 + [[1, 0, 1, 0]] * 70, np.float32))
    labels = np.array([1] * 30 + [0] * 70)
    found, turned = fit(matrix, labels, 1.0), fit(matrix, 1 - labels, 1.0)
    everywhere, rude, kind, never = found.coef_[0]
    assert rude > 0.5 and kind < -0.5
    assert abs(everywhere) < 0.2 * rude
    assert never == 0.0
    wide = csr_matrix((matrix.data, matrix.indices, matrix.indptr), (100, 5000))
    assert fit(wide, labels, 1.0).coef_[0, :4] == pytest.approx(found.coef_[0], abs=1e-4)
    assert turned.coef_[0] == pytest.approx(-found.coef_[0], abs=0.02)
    assert ((found.decision_function(matrix) > 0) == labels).all()


def test_weights_bring_ones_to_the_base_rate():
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    weights = base_rate_weights(labels, 0.01)
    assert weights[labels == 1].sum() / weights.sum() == pytest.approx(0.01)


def test_a_threshold_keeps_its_promise_and_takes_the_recall_it_can():
    labels = np.array([1] * 50 + [0] * 970 + [1] * 50)
    scores = np.concatenate([np.full(50, 0.9), np.full(970, 0.2), np.full(50, 0.1)])
    threshold, promise = choose_threshold(scores, labels, AIM)
    assert threshold == pytest.approx(0.9)
    assert "recall 0.50" in promise


def test_a_model_that_cannot_keep_its_promise_flags_nothing_and_says_so():
    labels = np.array([1, 0] * 500)
    threshold, promise = choose_threshold(np.full(1000, 0.5), labels, AIM)
    assert threshold is None
    assert promise == "no threshold reaches precision 0.5 at 20 in 1,000: no flags"


def test_a_few_right_flags_promise_nothing():
    labels = np.array([1] * 49 + [0] * 970 + [1] * 50)
    scores = np.concatenate([np.full(49, 0.9), np.full(970, 0.2), np.full(50, 0.1)])
    threshold, _ = choose_threshold(scores, labels, AIM)
    assert threshold is None


def torn(count=900):
    """Two sets by turns, of which one says the contrary of the other."""
    known = rows(count)
    near = np.arange(count) % 2 == 0
    labels = np.where(near, known.labels["uncivil"], 1 - known.labels["uncivil"])
    return replace(known, sets=np.where(near, "near", "afar"), labels={"uncivil": labels})


def test_a_strange_set_teaches_words_but_no_threshold():
    least = replace(AIM, counts={"afar": 0.1})
    heard, unheard = (
        train(torn(), "en", [replace(least, strange=strange)]).model.heads["uncivil"]
        for strange in ((), ("afar",))
    )
    assert heard.threshold is None
    assert "recall 1.00" in unheard.promise


OF_TWO = replace(OF_VIEWS, views=(View("uncivil", 1.0, ("near",)), View("uncivil", 1.0, ("afar",))))


@pytest.mark.parametrize("aim", [AIM, OF_TWO], ids=["itself", "of views"])
@pytest.mark.parametrize(("light", "is_rude"), [("afar", True), ("near", False)])
def test_the_set_that_counts_more_decides_where_two_contradict_each_other(aim, light, is_rude):
    known = torn(240)
    aim = replace(aim, counts={light: 0.05}, strange=(light,))
    rude, calm = train(known, "en", [aim]).model.probabilities(known.described[:2])["uncivil"]
    assert (rude > calm) == is_rude


@pytest.mark.parametrize("language", ["de", "en", "zh"])
def test_what_was_written_has_each_label_in_each_role_and_no_text_twice(language):
    file = MANIFEST.parent / "written" / f"{language}.jsonl"
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kinds = {(each["role"], each["label"]) for each in found}
    told = {each["role"] for each in found}
    short = {11, 12} if language != "en" else set()  # a line of a few words teaches no alert
    assert kinds == {(role, label) for role in told for label in ("uncivil", "civil")} | {
        (role, "alert") for role in told - short
    }
    texts = [" ".join(each["text"].lower().split()) for each in found]
    assert all(texts) and len(set(texts)) == len(texts)
    named = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))[f"written_{language}"]
    assert f"in {len(told)} roles" in named["source"]


def test_a_set_that_is_missing_leaves_its_view_out():
    aims = [replace(OF_VIEWS, views=(*OF_VIEWS.views, View("uncivil", 1.0, ("gitter",))))]
    assert train(rows(), "en", aims).model.version == train(rows(), "en", [OF_VIEWS]).model.version


def test_without_sets_there_is_no_model(tmp_path):
    with pytest.raises(FixSettings, match="holds no labelled set"):
        write_models(tmp_path, tmp_path / "out", ["en"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("language", ["de", "en", "zh"])
def test_shipped_models_are_small_and_their_cards_name_their_version(language):
    file = MODELS / f"{language}.skops"
    card = (MODELS / f"{language}.md").read_text(encoding="utf-8")
    assert file.stat().st_size < 1_400_000
    assert f"Version `{load(file).version}`" in card
    for part in ("licence", "must not be used for", "does not see", "flags in 1,000"):
        assert part in card


@pytest.mark.requires_shared_data
@needs_sets
@pytest.mark.slow
def test_issues_and_wordings_group_rows():
    found = read(LABELS, "en")
    assert len(found.sets) == len(found.groups) == len(found.described) > 20_000
    shared = found.groups[found.sets == "github_incivility"]
    assert np.isin(found.groups[found.sets == "github_derailment"], shared).any()


@pytest.mark.slow
@pytest.mark.requires_shared_data
@needs_sets
def test_the_english_model_can_be_trained_again_to_the_digit_of_its_card(tmp_path):
    write_models(LABELS, tmp_path, ["en"])
    again, shipped = (load(folder / "en.skops") for folder in (tmp_path, MODELS))
    assert again.distance(shipped, read(LABELS, "en").described) < 0.001
    card = (tmp_path / "en.md").read_text().replace(again.version, shipped.version)
    assert card == (MODELS / "en.md").read_text()


def test_every_weight_of_an_answer_has_its_evidence():
    from tests.classify.test_threads import ASK, thread

    view = thread(ASK, ("bob", "Use clang."))
    found = answers.evidence(view.messages[0], answers.read_replies(view))
    assert set(found[0]) == set(answers.WEIGHTS)
