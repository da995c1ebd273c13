"""Models from labelled sets: the same sets and seed give the same numbers, to the digit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify.features import Described, describe, rarity, vectors
from pipeline.classify.message import Label
from pipeline.classify.model import Head, Model
from pipeline.errors import FixSettings
from pipeline.text import authored

MANIFEST = Path(__file__).parent / "sets.toml"
SEED = 20
FOLDS = 5

Fitting = Callable[[Any, Any, float], Any]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a head is trained for, and how its threshold is chosen.

    strength   inverse of regularisation
    precision  the least share of right flags at the base rate; recall is made as high as it allows
    base_rate  share of messages that deserve the label in an ordinary community
    """

    label: Label
    strength: float
    precision: float
    base_rate: float


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


def read(folder: Path, language: str, manifest: Path = MANIFEST) -> Rows:
    """All sets of a language that the folder holds. Raises FixSettings where it holds none."""
    import duckdb

    found: list[tuple[Any, ...]] = []
    for name, each in tomllib.loads(manifest.read_text(encoding="utf-8")).items():
        file = folder / each["file"]
        if each["language"] != language or not file.exists():
            continue
        sql = (
            f"SELECT '{name}', {each['text']}, {each['group']}, {each['uncivil']}, "
            f"{each['strict']}, {each.get('split', 'null')} FROM read_parquet(?)"
        )
        with duckdb.connect() as db:
            found += db.execute(sql, [str(file)]).fetchall()
    if not found:
        raise FixSettings(f"{folder} holds no labelled set for {language!r}; see {manifest.name}")
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


def train(rows: Rows, language: str, aims: Sequence[Aim]) -> tuple[Model, list[Shown]]:
    """A model with a head for each aim, calibrated and given its threshold on grouped folds,
    and what each head did on each set."""
    idf = rarity(rows.described).astype(np.float16).astype(np.float32)
    matrix = vectors(rows.described, idf)
    fitted: dict[bytes, tuple[Any, Any]] = {}
    heads: dict[str, Head] = {}
    shown: list[Shown] = []
    for aim in aims:
        heads[aim.label], flags = _head(rows, matrix, aim, fitted)
        shown += _show(rows, aim.label, flags)
    return Model(language, idf, heads), shown


def _show(rows: Rows, label: str, flags: Any) -> list[Shown]:
    known = ~np.isnan(rows.labels[label])
    labels, sets = rows.labels[label][known] == 1, rows.sets[known]
    found = []
    for name in sorted(set(sets.tolist())):
        here = sets == name
        right = flags[here & labels]
        recall = float(right.mean()) if len(right) else None
        wrong = 1000 * float(flags[here & ~labels].mean())
        found.append(Shown(label, name, int(here.sum()), len(right), recall, wrong))
    return found


def fit(matrix: Any, labels: Any, strength: float) -> Any:
    """A logistic regression to which both classes weigh the same."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, class_weight="balanced", tol=1e-3, max_iter=500)
    return model.fit(matrix, labels)


def out_of_fold(
    rows: Any, labels: Any, groups: Any, strength: float, fitting: Fitting = fit
) -> Any:
    """Linear scores of each row (of a matrix, or texts) by a model that saw none of its group."""
    from sklearn.model_selection import StratifiedGroupKFold

    scores = np.zeros(len(labels))
    pick = (lambda at: rows[at]) if hasattr(rows, "shape") else (lambda at: [rows[n] for n in at])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for known, held in folds.split(np.zeros(len(labels)), labels, groups):
        model = fitting(pick(known), labels[known], strength)
        scores[held] = model.decision_function(pick(held))
    return scores


def _head(
    rows: Rows, matrix: Any, aim: Aim, fitted: dict[bytes, tuple[Any, Any]]
) -> tuple[Head, Any]:
    """The head, and which known rows it flags out of fold."""
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(rows.labels[aim.label])
    labels, groups = rows.labels[aim.label][known].astype(int), rows.groups[known]
    key = known.tobytes() + labels.tobytes()  # Chinese has one set, so both labels are the same
    if key not in fitted:
        fitted[key] = (
            out_of_fold(matrix[known], labels, groups, aim.strength),
            fit(matrix[known], labels, aim.strength),
        )
    scores, final = fitted[key]
    weight = base_rate_weights(labels, aim.base_rate)
    curve = LogisticRegression(C=1e6).fit(scores[:, None], labels, sample_weight=weight)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    probabilities = 1 / (1 + np.exp(-(slope * scores + offset)))
    threshold, promise = choose_threshold(probabilities, labels, aim)
    head = Head(
        final.coef_[0].astype(np.float16).astype(np.float32),
        slope,
        float(offset + slope * final.intercept_[0]),
        threshold,
        promise,
    )
    return head, probabilities >= (2.0 if threshold is None else threshold)


def base_rate_weights(labels: Any, base_rate: float) -> Any:
    """Weights that make the share of ones `base_rate`, with a mean of 1."""
    share = labels.mean()
    return np.where(labels == 1, base_rate / share, (1 - base_rate) / (1 - share))


def choose_threshold(probabilities: Any, labels: Any, aim: Aim) -> tuple[float | None, str]:
    """The lowest threshold that keeps the aim's precision at its base rate, and its sentence.

    Null where no threshold with at least 20 right flags does.
    """
    order = np.argsort(-probabilities, kind="stable")
    weight = base_rate_weights(labels, aim.base_rate)[order]
    hits = np.cumsum(weight * labels[order])
    right = hits / np.cumsum(weight)
    ends = np.append(np.diff(probabilities[order]) < 0, True)  # equal scores stand or fall together
    enough = ends & (right >= aim.precision) & (np.cumsum(labels[order]) >= 20)
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


def _normal(group: str | None) -> str:
    return re.sub(r"\W+", " ", (group or "").lower()).strip()


AIMS = {
    "en": (Aim("uncivil", 2.0, 0.5, 0.02), Aim("strict", 1.0, 0.5, 0.006)),
    "zh": (Aim("uncivil", 4.0, 0.5, 0.02), Aim("strict", 4.0, 0.5, 0.006)),
}
