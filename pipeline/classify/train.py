"""Models from labelled sets: the same sets and seed give the same figures, to the digit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify.features import Described, describe, facts, rarity, vectors
from pipeline.classify.message import Label
from pipeline.classify.model import Head, Model
from pipeline.errors import FixSettings
from pipeline.text import authored

MANIFEST = Path(__file__).parent / "sets.toml"
SEED = 20
FOLDS = 5
ENOUGH = 50  # right flags; of German ones, 33 stood before the first wrong one by luck

Fitting = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class View:
    """A label as some of the sets teach it; no names: all sets."""

    label: Label
    strength: float
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aim:
    """What a head is trained for, and how its threshold is chosen.

    strength   inverse of regularisation
    precision  the least share of right flags at the base rate; recall is made as high as it allows
    base_rate  share of messages that deserve the label in an ordinary community
    views      what linear models learn first that the head is the weighted sum of; none: the head
               learns its label itself
    counts     what a row of a set counts; of views, where it is learned how far to believe each.
               1 if the set is not named
    strange    sets that do not speak as a community does: they teach words, but tell nothing of how
               likely a label is, nor the threshold
    """

    label: Label
    strength: float
    precision: float
    base_rate: float
    views: tuple[View, ...] = ()
    counts: Mapping[str, float] = field(default_factory=dict)
    strange: tuple[str, ...] = ()

    def weights(self, sets: Any) -> Any:
        """What rows of these sets count."""
        return np.array([self.counts.get(name, 1.0) for name in sets])


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled texts of one language, as arrays of equal length.

    groups  rows of one group never stand on both sides of a split
    labels  by name: 1, 0 or nan (the set says nothing of it)
    splits  the set's own division, null where it has none
    """

    sets: Any
    groups: Any
    texts: Sequence[str]
    described: Sequence[Described]
    labels: Mapping[str, Any]
    splits: Any

    def matrix(self) -> Any:
        """Their vectors, weighed by rarity among themselves."""
        return vectors(self.described, rarity(self.described))

    def only(self, name: str) -> Rows:
        """The rows of one set."""
        at = np.flatnonzero(self.sets == name).tolist()
        return Rows(
            self.sets[at],
            self.groups[at],
            [self.texts[n] for n in at],
            [self.described[n] for n in at],
            {label: values[at] for label, values in self.labels.items()},
            self.splits[at],
        )


def _sets(language: str, manifest: Path) -> dict[str, dict[str, str]]:
    """The sets of a language that the manifest knows, by name."""
    named = tomllib.loads(manifest.read_text(encoding="utf-8")).items()
    return {name: each for name, each in named if each["language"] == language}


def holds(folder: Path, language: str, manifest: Path = MANIFEST) -> bool:
    """Whether the folder holds a set of a language."""
    return any((folder / each["file"]).exists() for each in _sets(language, manifest).values())


def read(folder: Path, language: str, manifest: Path = MANIFEST) -> Rows:
    """All sets of a language that the folder holds, and those that lie beside the manifest. Raises
    FixSettings where the folder holds none."""
    import duckdb

    if not holds(folder, language, manifest):
        raise FixSettings(f"{folder} holds no labelled set for {language!r}; see {manifest.name}")
    found: list[tuple[Any, ...]] = []
    for name, each in _sets(language, manifest).items():
        places = (manifest.parent / each["file"], folder / each["file"])
        file = next(filter(Path.exists, places), None)
        if file is None:
            continue
        reader = "read_json" if file.suffix == ".jsonl" else "read_parquet"
        sql = (
            f"SELECT '{name}', {each['text']}, {each['group']}, {each['uncivil']}, "
            f"{each['strict']}, {each.get('split', 'null')} FROM {reader}(?)"
        )
        with duckdb.connect() as db:
            found += db.execute(sql, [str(file)]).fetchall()
    sets, bodies, groups, uncivil, strict, splits = zip(*found, strict=True)
    texts = [authored(body or "", "markdown").text for body in bodies]
    return Rows(
        np.array(sets),
        np.array([_normal(group) for group in groups]),
        texts,
        [describe(text, language) for text in texts],
        {"uncivil": np.array(uncivil, float), "strict": np.array(strict, float)},
        np.array(splits),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a head did, out of fold and at its threshold, on one set.

    recall        share of the rows that deserve the label that it flags; null without any
    per_thousand  flags in 1,000 rows that do not
    """

    label: str
    set: str
    rows: int
    deserving: int
    recall: float | None
    per_thousand: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and how it did.

    out_of_fold  label -> probability of each row by heads that saw none of its group; nan where the
                 row's label is not known
    """

    model: Model
    shown: Sequence[Shown]
    out_of_fold: Mapping[str, Any]


def train(rows: Rows, language: str, aims: Sequence[Aim]) -> Trained:
    """A model with a head for each aim, calibrated and given its threshold on grouped folds,
    and what each head did on each set."""
    idf = rarity(rows.described).astype(np.float16).astype(np.float32)
    matrix = vectors(rows.described, idf)
    heads: dict[str, Head] = {}
    seen: dict[str, Any] = {}
    shown: list[Shown] = []
    for aim in aims:
        head, probabilities = _head(rows, matrix, aim)
        heads[aim.label], seen[aim.label] = head, np.full(len(rows.sets), np.nan)
        seen[aim.label][~np.isnan(rows.labels[aim.label])] = probabilities
        shown += _show(rows, head, seen[aim.label], aim.label)
    return Trained(Model(language, idf, heads), shown, seen)


def _show(rows: Rows, head: Head, probabilities: Any, label: str) -> list[Shown]:
    found = []
    for name in sorted(set(rows.sets[~np.isnan(probabilities)].tolist())):
        here = (rows.sets == name) & ~np.isnan(probabilities)
        flags = probabilities[here] >= (2.0 if head.threshold is None else head.threshold)
        right = flags[rows.labels[label][here] == 1]
        recall = float(right.mean()) if len(right) else None
        wrong = 1000 * float(flags[rows.labels[label][here] == 0].mean())
        found.append(Shown(label, name, int(here.sum()), len(right), recall, wrong))
    return found


def fit(matrix: Any, labels: Any, strength: float, weight: Any = None) -> Any:
    """The mean of two logistic regressions, itself one: of the columns, and of the columns weighed
    by how much more common they are with one label than with the other (NB-SVM: Wang & Manning
    2012, https://aclanthology.org/P12-2018/; here their log-count ratio without its sign).

    `weight` is what each row counts; null: all alike.
    """
    from scipy.sparse import diags_array

    counts = np.ones(len(labels)) if weight is None else weight
    ones, zeros = (matrix.T @ ((labels == value) * counts) for value in (1, 0))
    seen = ones + zeros > 0
    common = [(count + 0.5) / (count[seen] + 0.5).sum() for count in (ones, zeros)]
    ratio = np.abs(np.log(common[0] / common[1])) * seen
    ratio = (ratio * seen.sum() / max(ratio.sum(), 1e-9)).astype(matrix.dtype)
    plain = _logistic(matrix, labels, strength, weight)
    weighed = _logistic(matrix @ diags_array(ratio), labels, 0.3 * strength, weight)
    plain.coef_ = (plain.coef_ + weighed.coef_ * ratio) / 2
    plain.intercept_ = (plain.intercept_ + weighed.intercept_) / 2
    return plain


def _logistic(matrix: Any, labels: Any, strength: float, weight: Any = None) -> Any:
    """A logistic regression to which both classes weigh the same, before rows are weighed."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, class_weight="balanced", tol=1e-3, max_iter=500)
    return model.fit(matrix, labels, weight)


def out_of_fold(
    rows: Any,
    labels: Any,
    groups: Any,
    strength: float,
    fitting: Fitting = fit,
    *,
    weight: Any = None,
) -> Any:
    """Linear scores of each row (of a matrix, or texts) by a model that saw none of its group.
    `weight` is what each row counts, for a `fitting` that can weigh them."""
    from sklearn.model_selection import StratifiedGroupKFold

    scores = np.zeros(len(labels))
    pick = (lambda at: rows[at]) if hasattr(rows, "shape") else (lambda at: [rows[n] for n in at])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for known, held in folds.split(np.zeros(len(labels)), labels, groups):
        counts = () if weight is None else (weight[known],)
        model = fitting(pick(known), labels[known], strength, *counts)
        scores[held] = model.decision_function(pick(held))
    return scores


@dataclass(frozen=True, slots=True)
class _Linear:
    """A linear score: of the rows by models that saw none of their group, and of new texts."""

    scores: Any
    weights: Any
    facts: Sequence[float]
    offset: float


def _head(rows: Rows, matrix: Any, aim: Aim) -> tuple[Head, Any]:
    """The head, and the out-of-fold probabilities of the rows whose label is known."""
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(rows.labels[aim.label])
    labels = rows.labels[aim.label][known].astype(int)
    linear = (_stacked if aim.views else _learned)(rows, matrix, aim)
    telling = ~np.isin(rows.sets[known], aim.strange)
    weight = base_rate_weights(labels[telling], aim.base_rate)
    curve = LogisticRegression(C=1e6)
    curve.fit(linear.scores[telling, None], labels[telling], sample_weight=weight)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    probabilities = 1 / (1 + np.exp(-(slope * linear.scores + offset)))
    threshold, promise = choose_threshold(probabilities[telling], labels[telling], aim)
    head = Head(
        linear.weights.astype(np.float16).astype(np.float32),
        linear.facts,
        slope,
        float(offset + slope * linear.offset),
        threshold,
        promise,
    )
    return head, probabilities


def _learned(rows: Rows, matrix: Any, aim: Aim) -> _Linear:
    """The aim's label, learned from all rows that tell it."""
    known = ~np.isnan(rows.labels[aim.label])
    labels, counts = rows.labels[aim.label][known].astype(int), aim.weights(rows.sets[known])
    final = fit(matrix[known], labels, aim.strength, counts)
    scores = out_of_fold(matrix[known], labels, rows.groups[known], aim.strength, weight=counts)
    return _Linear(scores, final.coef_[0], (0.0, 0.0), float(final.intercept_[0]))


def _stacked(rows: Rows, matrix: Any, aim: Aim) -> _Linear:
    """The sum of the aim's views and of facts about a text, weighted by a logistic regression on
    out-of-fold scores.

    A sum of linear models is one linear model, so it costs nothing when messages are scored.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    known = ~np.isnan(rows.labels[aim.label])
    labels = rows.labels[aim.label]
    kinds = [f"{name} {label}" for name, label in zip(rows.sets, labels, strict=True)]
    folds = list(
        StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED).split(
            kinds, kinds, rows.groups
        )
    )
    taught_by = [v for v in aim.views if not v.sets or np.isin(rows.sets, v.sets).any()]
    views = np.zeros((len(labels), len(taught_by)))
    for at, view in enumerate(taught_by):
        for taught, held in folds:
            views[held, at] = _fit_view(rows, matrix, view, taught).decision_function(matrix[held])
    seen = np.hstack([views, facts(rows.described)])
    spread = seen[known].std(axis=0)
    spread[spread == 0] = 1.0  # a fact that no row has
    seen /= spread
    weight = aim.weights(rows.sets)
    scores = np.zeros(len(labels))
    for taught, held in folds:
        here = taught[known[taught]]
        model = _logistic(seen[here], labels[here], aim.strength, weight[here])
        scores[held] = model.decision_function(seen[held])
    final = _logistic(seen[known], labels[known], aim.strength, weight[known])
    everything = np.arange(len(labels))
    models = [_fit_view(rows, matrix, view, everything) for view in taught_by]
    of_views, of_facts = np.split(final.coef_[0] / spread, [len(models)])
    shared = list(zip(of_views, models, strict=True))
    return _Linear(
        scores[known],
        sum(share * model.coef_[0] for share, model in shared),
        tuple(of_facts.tolist()),
        float(final.intercept_[0])
        + sum(share * float(model.intercept_[0]) for share, model in shared),
    )


def _fit_view(rows: Rows, matrix: Any, view: View, at: Any) -> Any:
    labels = rows.labels[view.label]
    taught = at[~np.isnan(labels[at]) & (not view.sets or np.isin(rows.sets[at], view.sets))]
    return fit(matrix[taught], labels[taught].astype(int), view.strength)


def base_rate_weights(labels: Any, base_rate: float) -> Any:
    """Weights that make the share of ones `base_rate`, with a mean of 1."""
    share = labels.mean()
    return np.where(labels == 1, base_rate / share, (1 - base_rate) / (1 - share))


def choose_threshold(probabilities: Any, labels: Any, aim: Aim) -> tuple[float | None, str]:
    """The lowest threshold that keeps the aim's precision at its base rate, and its sentence.

    Null where no threshold with at least `ENOUGH` right flags does.
    """
    order = np.argsort(-probabilities, kind="stable")
    weight = base_rate_weights(labels, aim.base_rate)[order]
    hits = np.cumsum(weight * labels[order])
    right = hits / np.cumsum(weight)
    ends = np.append(np.diff(probabilities[order]) < 0, True)  # equal scores stand or fall together
    enough = ends & (right >= aim.precision) & (np.cumsum(labels[order]) >= ENOUGH)
    per_thousand = f"{1000 * aim.base_rate:g} in 1,000"
    if not enough.any():
        return None, f"no threshold reaches precision {aim.precision:g} at {per_thousand}: no flags"
    last = int(np.flatnonzero(enough)[-1])
    recall = labels[order][: last + 1].sum() / labels.sum()
    promise = (
        f"maximum recall at precision >= {aim.precision:g} at {per_thousand}: "
        f"precision {right[last]:.2f}, recall {recall:.2f} on grouped folds"
    )
    return float(probabilities[order][last]), promise


def f1(gold: Any, said: Any) -> float:
    """F1 of what is said of rows, two arrays of booleans; 0 where neither has any."""
    return float(2 * (gold & said).sum() / max(1, gold.sum() + said.sum()))


def _normal(group: str | None) -> str:
    return re.sub(r"\W+", " ", (group or "").lower()).strip()


# The few alerts of GitHub's discussions are too few to learn the words of abuse from; each source
# knows some, and how much each is to be believed is learned.
_SOURCES = (
    View("strict", 3.0),
    View("uncivil", 2.0),
    View("uncivil", 3.0, ("code_review",)),
    View("uncivil", 3.0, ("gitter",)),
    View("uncivil", 3.0, ("surge",)),
    View("uncivil", 2.0, ("github_incivility", "github_derailment", "written_en")),
    View("strict", 3.0, ("github_incivility", "github_derailment", "written_en")),
)

# What is free in Chinese and German speaks of other things than a community does. What was written
# for Hearth weighs as much as all of it, or more. Its civil texts are made to be mistaken, so a
# third of right alerts among the Chinese ones is more among what people write (see the card).
_DE: Mapping[str, Any] = {"counts": {"written_de": 2.0}, "strange": ("germeval",)}
_ZH: Mapping[str, Any] = {"counts": {"written_zh": 6.0}, "strange": ("cold",)}
AIMS = {
    "de": (Aim("uncivil", 2.0, 0.5, 0.02, **_DE), Aim("strict", 2.0, 0.5, 0.006, **_DE)),
    "en": (
        Aim("uncivil", 2.0, 0.5, 0.02, strange=("written_en",)),
        Aim("strict", 0.05, 0.5, 0.006, _SOURCES, {"written_en": 0.2}, ("written_en",)),
    ),
    "zh": (Aim("uncivil", 4.0, 0.5, 0.02, **_ZH), Aim("strict", 4.0, 0.35, 0.006, **_ZH)),
}
