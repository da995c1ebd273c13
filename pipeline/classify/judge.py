"""Scores for messages: from text to evidence that a person can argue with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.classify import cues, questions
from pipeline.classify.disguise import unmasked
from pipeline.classify.language import by_language, language
from pipeline.classify.message import Label, Message, Reason, Score
from pipeline.text import Authored, authored, holds_poll, sentences, text_hash

if TYPE_CHECKING:
    from pipeline.classify.features import Described
    from pipeline.classify.model import Model

MODELS = Path(__file__).parent / "models"
RULES = "10"  # counted up when code changes what a score or a reason says
TONES: tuple[Label, ...] = ("uncivil", "strict")

RULE_SCORE = 0.9  # of a text that breaks a rule; about what labelled sets show (cues/rules.toml)

_BATCH = 256
_PIECE = 4_000  # characters judged as one text: a longer message is as bad as its worst piece
_MOST_PIECES = 24
_TOLD = ("threat", "insult", "vulgar", "dismissive", "mocking", "impatient", "bitter", "demand")


@dataclass(frozen=True, slots=True)
class _Work:
    message: Message
    parts: Authored
    text_hash: str
    language: str | None
    pieces: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class _Found:
    value: float
    threshold: float | None
    language: str
    piece: Described
    text: str
    calm: float | None  # its value without oaths, where it merely exclaims

    @property
    def reach(self) -> float:
        return self.value / (self.threshold or 2.0)

    @property
    def is_flagged(self) -> bool:
        return self.threshold is not None and self.value >= self.threshold


class Judge:
    """Judges messages with the models of a folder. Holds no other state: same text, same score.

    languages  those the community writes; they settle what a text too short to tell is in
    own        language -> a model that takes the place of the folder's
    version    12 hex digits of all that a score depends on besides the message
    """

    def __init__(
        self,
        languages: Collection[str] = ("en",),
        folder: Path = MODELS,
        own: Mapping[str, Path] | None = None,
    ) -> None:
        from pipeline.classify import model as models

        self.languages = tuple(sorted(languages))
        loaded = [models.load(file) for _, file in sorted(tone_models(folder, own).items())]
        self.models = {model.language: model for model in loaded}
        parts = [RULES, questions.version(), cues.version(), *self.languages]
        parts += [model.version for model in loaded]
        self.version = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def score(self, messages: Iterable[Message]) -> Iterator[Score]:
        """Scores in the order of the messages: "uncivil" and "strict" of each human message,
        "question" of each human message that opens a thread. Bots are not judged."""
        people = (message for message in messages if message.is_human)
        while batch := [self._prepare(message) for message in islice(people, _BATCH)]:
            found = self._worst_pieces(batch)
            for number, work in enumerate(batch):
                for label in TONES:
                    yield self._tone(work, label, found.get((number, label)))
                if work.message.is_first:
                    yield self._question(work)

    def _prepare(self, message: Message) -> _Work:
        parts = authored(message.body, message.form)
        written = language(unmasked(parts.text[:1000]), self.languages)
        pieces = tuple(
            (code, piece)
            for code, part in by_language(parts.text, written, self.languages)
            for piece in _pieces(part)
        )
        return _Work(message, parts, text_hash(parts.text), written, pieces)

    def _worst_pieces(self, batch: Sequence[_Work]) -> dict[tuple[int, str], _Found]:
        """(place in the batch, label) -> its piece that reaches furthest, measured by the threshold
        of its language's model."""
        from pipeline.classify.features import describe

        found: dict[tuple[int, str], _Found] = {}
        for code, model in self.models.items():
            work = [
                (n, text)
                for n, w in enumerate(batch)
                for language, text in w.pieces
                if language == code
            ]
            described = [describe(text, code) for _, text in work]
            calm = _without_oaths(model, [text for _, text in work], described)
            for label, values in model.probabilities(described).items() if work else ():
                alone = calm.get(label, {})
                for at, ((n, text), piece) in enumerate(zip(work, described, strict=True)):
                    modelled = values[at]
                    if label == "strict" and at in alone:
                        modelled = min(modelled, alone[at])
                    value = float(max(modelled, RULE_SCORE) if piece.broken else modelled)
                    threshold = model.heads[label].threshold
                    if threshold is None and piece.broken:
                        threshold = RULE_SCORE  # who may flag nothing does not silence the rules
                    one = _Found(value, threshold, code, piece, text, alone.get(at))
                    if (n, label) not in found or one.reach > found[n, label].reach:
                        found[n, label] = one
        return found

    def _tone(self, work: _Work, label: Label, found: _Found | None) -> Score:
        if found and not found.is_flagged and work.language not in self.models:
            found = None  # the most of it was not read
        code = found.language if found else work.language
        model = self.models.get(code or "")
        head = model.heads.get(label) if model else None
        sentence: str | None = None
        reasons: tuple[Reason, ...] = ()
        if found and found.is_flagged:
            sentence, reasons = self._evidence(found, label, work)
        return Score(
            source=work.message.source,
            message_id=work.message.message_id,
            text_hash=work.text_hash,
            language=work.language,
            label=label,
            score=found.value if found else None,
            threshold=found.threshold if found else head.threshold if head else None,
            model=f"{label}_{code}" if head else label,
            model_version=self.version,
            reasons=reasons,
            sentence=sentence,
            unscored_because=None if found else "language" if work.pieces else "no_text",
        )

    def _evidence(self, found: _Found, label: Label, work: _Work) -> tuple[str, tuple[Reason, ...]]:
        """The sentence that is worst by itself, and in words why the message counts."""
        from pipeline.classify.features import describe, spotted

        code = found.language
        model = self.models[code]
        parts = sentences(found.text)
        described = [describe(part, code) for part in parts]
        values = model.probabilities(described)[label]
        worst = max(range(len(parts)), key=lambda n: (bool(described[n].broken), values[n]))
        kinds = spotted(parts[worst], code)
        rule = described[worst].broken
        comma = "、" if code == "zh" else ", "
        reasons = [Reason(rule[0], {"words": rule[1]})] if rule else []
        reasons += [
            Reason(kind, {"words": comma.join(kinds[kind][:3])}) for kind in _TOLD if kind in kinds
        ]
        if "you" in kinds and not {"insult", "vulgar", "dismissive", "threat"}.isdisjoint(kinds):
            reasons.append(Reason("addressed"))
        if found.piece.disguised:
            reasons.append(Reason("disguised", {"words": comma.join(found.piece.disguised[:3])}))
        if label == "uncivil" and found.calm is not None and found.calm < (found.threshold or 2.0):
            reasons.append(Reason("exclaimed"))
        if "shouting" in found.piece.cues:
            reasons.append(Reason("shouting"))
        if words := model.strongest(described[worst], label):
            reasons.append(Reason("weighty_words", {"words": comma.join(words)}))
        read, characters = sum(len(text) for _, text in work.pieces), len(work.parts.text)
        if read < characters - len(work.pieces):
            reasons.append(Reason("shortened", {"read": read, "characters": characters}))
        return parts[worst], tuple(reasons)

    def _question(self, work: _Work) -> Score:
        message, title = work.message, work.message.title or ""
        said = f"{title}\n{work.parts.text}"
        written = work.language
        if title and written not in questions.LANGUAGES:
            written = language(unmasked(said[:1000]), self.languages)
        unscored = Score(
            source=message.source,
            message_id=message.message_id,
            text_hash=text_hash(said),
            language=written,
            label="question",
            score=None,
            threshold=None,
            model="question_rules",
            model_version=self.version,
            unscored_because="language" if said.strip() else "no_text",
        )
        if written not in questions.LANGUAGES:
            return unscored
        value, reasons = questions.needs_answer(
            title, work.parts, written, polls=holds_poll(message.body)
        )
        scored = replace(
            unscored, score=value, threshold=questions.THRESHOLD, unscored_because=None
        )
        if not scored.is_flagged:
            return scored
        asked = (s for s in sentences(work.parts.text) if questions.asks(s, written))
        return replace(scored, reasons=reasons, sentence=next(asked, None) or title or None)


def _without_oaths(
    model: Model, texts: Sequence[str], described: Sequence[Described]
) -> dict[str, dict[int, float]]:
    """Label -> place of each English text that merely exclaims -> its probability without oaths. An
    alert counts none of them."""
    from pipeline.classify.features import calmed, describe

    if model.language != "en":
        return {}
    each = ((at, calmed(text, described[at])) for at, text in enumerate(texts))
    calm = {at: describe(text, "en") for at, text in each if text is not None}
    if not calm:
        return {}
    found = model.probabilities(list(calm.values()))
    return {label: dict(zip(calm, values, strict=True)) for label, values in found.items()}


def tone_models(folder: Path = MODELS, own: Mapping[str, Path] | None = None) -> dict[str, Path]:
    """Language -> the model of its tone: a community's own in the place of the folder's."""
    return {file.stem: file for file in folder.glob("*.skops")} | dict(own or {})


def _pieces(text: str) -> tuple[str, ...]:
    """A text cut at line and sentence ends; of a very long one its beginning and its end."""
    if len(text) <= _PIECE:
        return (text,) if text else ()
    pieces, piece = [], ""
    for line in sentences(text):
        for start in range(0, len(line), _PIECE):
            part = line[start : start + _PIECE]
            if piece and len(piece) + len(part) > _PIECE:
                pieces.append(piece)
                piece = ""
            piece += part + "\n"
    pieces.append(piece)
    half = _MOST_PIECES // 2
    return tuple(pieces if len(pieces) <= _MOST_PIECES else pieces[:half] + pieces[-half:])
