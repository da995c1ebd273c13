"""A model: one language, one vector, one linear head for each label."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify.features import Described, facts, vectors, word_weights
from pipeline.errors import FixSettings


@dataclass(frozen=True, slots=True)
class Head:
    """The answer to one question: a linear score, made a probability, and where it counts.

    weights    one per column
    facts      one per fact of the text as a whole
    slope      of the logistic curve from linear score to probability; `offset` likewise
    threshold  probability from which it counts; null: it never does
    promise    the threshold as a sentence
    """

    weights: Any
    facts: Sequence[float]
    slope: float
    offset: float
    threshold: float | None
    promise: str


@dataclass(frozen=True, slots=True)
class Model:
    """A language's shared column weights (`idf`) and its heads by label."""

    language: str
    idf: Any
    heads: Mapping[str, Head]

    @property
    def version(self) -> str:
        """12 hex digits of everything the model computes with, to nine digits. Fitted again on the
        same machine it is the same; another's arithmetic may end in another last bit."""
        digest = hashlib.sha256(np.asarray(self.idf, np.float16).tobytes())
        for label, head in sorted(self.heads.items()):
            digest.update(np.asarray(head.weights, np.float16).tobytes())
            given = (*head.facts, head.slope, head.offset, head.threshold)
            told = [None if number is None else f"{number:.9g}" for number in given]
            digest.update(repr((label, *told)).encode())
        return digest.hexdigest()[:12]

    def probabilities(self, described: Sequence[Described]) -> dict[str, Any]:
        """Label -> one probability per text."""
        matrix, whole = vectors(described, self.idf), facts(described)
        linear = {
            label: matrix @ head.weights + (whole * head.facts).sum(axis=1)
            for label, head in self.heads.items()
        }
        return {
            label: 1 / (1 + np.exp(-(head.slope * linear[label] + head.offset)))
            for label, head in self.heads.items()
        }

    def distance(self, other: Model, described: Sequence[Described]) -> float:
        """The largest difference (0 to 1) between what two models say of any of these texts. Two
        fitted alike on two kinds of machine were 0.00006 apart over their labelled sets."""
        ours, theirs = self.probabilities(described), other.probabilities(described)
        return float(max(np.abs(ours[label] - theirs[label]).max() for label in ours))

    def strongest(self, described: Described, label: str, most: int = 3) -> list[str]:
        """The words that raise this text's score most, strongest first."""
        weighed = word_weights(described, self.idf, self.heads[label].weights)
        words = sorted(weighed, key=lambda word: (-weighed[word], word))
        return [word for word in words if weighed[word] > 0][:most]


def save(model: Model, file: Path) -> None:
    """Write a model: numbers in half precision, no code."""
    from skops import io

    heads = {
        label: {
            "weights": np.asarray(head.weights, np.float16),
            "facts": [float(weight) for weight in head.facts],
            "slope": head.slope,
            "offset": head.offset,
            "threshold": head.threshold,
            "promise": head.promise,
        }
        for label, head in sorted(model.heads.items())
    }
    content = {"language": model.language, "idf": np.asarray(model.idf, np.float16), "heads": heads}
    file.parent.mkdir(parents=True, exist_ok=True)
    io.dump(content, file, compression=8, compresslevel=9)  # 8: deflate, zipfile's own number


@cache
def load(file: Path) -> Model:
    """A model from its file, which is trusted with nothing: numbers and text only.

    Raises FixSettings where the file holds anything else, or no model.
    """
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        content = io.load(file, trusted=[])
        heads = {
            label: Head(**{**head, "weights": head["weights"].astype(np.float32)})
            for label, head in content["heads"].items()
        }
        return Model(content["language"], content["idf"].astype(np.float32), heads)
    except (OSError, UntrustedTypesFoundException, KeyError, TypeError, AttributeError) as error:
        raise FixSettings(
            f"{file} is not a model of Hearth; `hearth train` writes one ({type(error).__name__})"
        ) from None
