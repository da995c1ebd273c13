"""Weights of who goes on from whom in a channel, and of who answers, learned from talk that people
took apart by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify import questions
from pipeline.classify.chat import AHEAD, WINDOW, Talk, Weights, columns
from pipeline.classify.chat_sets import Logs, Room, mix, read, read_dialogs
from pipeline.classify.message import Message
from pipeline.classify.train import FOLDS, SEED, f1
from pipeline.errors import FixSettings
from pipeline.text import authored

TRIED = Path(__file__).parent / "models" / "tried"  # by model: what was tried and not kept
STRENGTH = 1.0  # inverse of regularisation
EVERY = 3  # each third linked message is learned from: enough for so few weights, and quick

# rows of evidence, one a choice, and which choices are right
Choices = list[tuple[Any, Any]]


def links(talk: Talk, parents: Mapping[int, set[int]]) -> Choices:
    """Each third linked message of a stretch: what it could go on from."""
    found = []
    for at, sources in sorted(parents.items())[::EVERY]:
        new, back = map(columns, talk.evidence(at))
        rows = np.zeros((1 + len(back), len(new) + back.shape[1]))
        rows[0, : len(new)], rows[1:, len(new) :] = new, back
        right = np.isin(at - np.arange(len(rows)), list(sources))
        if right.any():
            found.append((rows, right))
    return found


def people(talk: Talk, at: int, answers: Sequence[int]) -> Choices:
    """Everybody who spoke after the question at a place: did they answer it, or not. `answers` are
    the places of others' messages that belong to its conversation."""
    answering = {talk.writer[n] for n in answers if n <= at + AHEAD}
    found = []
    for who, evidence in talk.people(at, talk.conversation(at)).items():
        row = columns(*evidence)
        rows = np.stack([row, np.zeros(len(row))])
        found.append((rows, np.array([who in answering, who not in answering])))
    return found


def fit(choices: Choices) -> Any:
    """Weights under which the right choices are likeliest: a conditional logistic regression, in
    double precision to its very end, so that machines agree on the digits that are kept."""
    from scipy.optimize import minimize

    rows = np.concatenate([rows for rows, _ in choices])
    right = np.concatenate([right for _, right in choices])
    sizes = [len(right) for _, right in choices]
    starts = np.cumsum([0, *sizes[:-1]])
    of = np.repeat(np.arange(len(choices)), sizes)

    def chances(weights: Any) -> tuple[Any, Any, Any]:
        """Of each row, of each row if it is known to be right, and of each choice's being right."""
        scores = rows @ weights
        scores = np.exp(scores - np.maximum.reduceat(scores, starts)[of])
        each = scores / np.add.reduceat(scores, starts)[of]
        hit = np.add.reduceat(each * right, starts)
        return each, each * right / hit[of], hit

    def loss(weights: Any) -> tuple[float, Any]:
        each, known, hit = chances(weights)
        slope = rows.T @ (each - known) + weights / STRENGTH
        return weights @ weights / (2 * STRENGTH) - np.log(hit).sum(), slope

    def curvature(weights: Any) -> Any:
        each, known, _ = chances(weights)
        mean, right_mean = (np.add.reduceat(rows * part[:, None], starts) for part in (each, known))
        inner = (rows * (each - known)[:, None]).T @ rows
        return inner - mean.T @ mean + right_mean.T @ right_mean + np.eye(len(weights)) / STRENGTH

    start = np.zeros(rows.shape[1])
    return minimize(
        loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-6}
    ).x


@dataclass(frozen=True, slots=True)
class Question:
    """A question as weights of links saw it that were learned without its fold.

    kind  "irc", or that of its room
    """

    kind: str
    fold: int
    people: Choices
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights with their threshold, and what they did on folds they had not seen.

    f1         F1 of "unanswered" in the logs, at the threshold
    link_hits  share of messages whose likeliest source is a right one
    quiet      share of quiet rooms' questions that are right, where nobody else talks
    found      share of the answered that are found, where others talk
    mistaken   share of the unanswered that are taken for answered, where others talk
    asked_back share of the logs' questions that begin nothing and are taken for beginnings
    """

    weights: Weights
    questions: int
    f1: float
    link_hits: float
    quiet: float
    found: float
    mistaken: float
    asked_back: float


def train(folder: Path) -> Learned:
    """Weights from the logs' training half and the quiet rooms; folds are by file and by room."""
    logs, rooms = read(folder, "train"), list(mix(read_dialogs(folder)))
    files, names = sorted(logs.channels), sorted({room.name for room in rooms})
    nothing = _weights(())
    each = {file: links(Talk(logs.channels[file], nothing), logs.parents[file]) for file in files}
    seen: list[Question] = []
    hits: list[bool] = []
    begun: list[tuple[bool, float]] = []
    for fold in range(FOLDS):
        held = files[fold::FOLDS]
        found = fit([choice for file in files if file not in held for choice in each[file]])
        hits += [
            bool(right[(rows @ found).argmax()]) for file in held for rows, right in each[file]
        ]
        talks = {file: Talk(logs.channels[file], _weights(found)) for file in held}
        seen += _logged(logs, talks, fold)
        begun += beginnings(logs, talks)
        held = names[fold::FOLDS]
        seen += (_quiet(room, fold, _weights(found)) for room in rooms if room.name in held)
    likely = np.zeros(len(seen))
    for fold in range(FOLDS):
        found = fit(_taught([question for question in seen if question.fold != fold]))
        for n, question in enumerate(seen):
            if question.fold == fold and question.people:
                score = max(rows[0] @ found for rows, _ in question.people)
                likely[n] = 1 / (1 + np.exp(-score))
    linking = fit([choice for file in files for choice in each[file]])
    answering = fit(_taught(seen))
    return _learned(seen, likely, begun, (linking, answering), float(np.mean(hits)))


def beginnings(logs: Logs, talks: Mapping[str, Talk]) -> Iterator[tuple[bool, float]]:
    """Of each message that asks: does it begin a conversation, and how likely by its talk."""
    for name, talk in talks.items():
        for at, sources in sorted(logs.parents[name].items()):
            asked, _ = questions.needs_answer(
                "", authored(logs.channels[name][at].body, "markdown")
            )
            if asked >= questions.THRESHOLD:
                yield sources == {at}, talk.beginning(at)


def _weights(values: Iterable[float], answered: float = 0.5, begins: float = 0.5) -> Weights:
    """Weights by name from values in the order of rows, those of `links` before those of `people`;
    what there is no value for weighs nothing."""
    left = iter(values)
    new, back, naming, nameless = (
        {name: float(next(left, 0)) for name in names} for names in _names()
    )
    return Weights(new, back, naming, nameless, answered, begins)


@cache
def _names() -> tuple[tuple[str, ...], ...]:
    """Names of the evidence in the order of rows: of new and back, of naming and nameless."""
    at = datetime(2005, 1, 1, tzinfo=UTC)
    two = [Message("", "", who, who, at, "", "markdown") for who in ("asker", "other")]
    none: Mapping[str, float] = defaultdict(float)
    talk = Talk(two, Weights(none, none, none, none, 0.5, 0.5))
    [people] = talk.people(0, np.ones(1)).values()
    return tuple(tuple(part) for part in (*talk.evidence(1), *people))


def _logged(logs: Logs, talks: Mapping[str, Talk], fold: int) -> Iterator[Question]:
    for file, talk in talks.items():
        for where, at, _ in logs.questions:
            if where != file:
                continue
            inside = {at}
            for n, sources in sorted(logs.parents[file].items()):
                if n > at and not inside.isdisjoint(sources):
                    inside.add(n)
            answers = [n for n in inside if talk.writer[n] != talk.writer[at]]
            yield Question("irc", fold, people(talk, at, answers), bool(answers))


def _quiet(room: Room, fold: int, by: Weights) -> Question:
    talk = Talk(room.channel, by)
    answers = [talk.place[answer] for answer in room.answers]
    choices = people(talk, talk.place[room.question], answers)
    return Question(room.kind, fold, choices, bool(answers))


def _taught(seen: Sequence[Question]) -> Choices:
    """What is learned from: of rooms where nobody else talks every other one, since there whoever
    speaks answers."""
    alone = [question for question in seen if question.kind == "alone"]
    rest = [question for question in seen if question.kind != "alone"]
    return [choice for question in [*rest, *alone[::2]] for choice in question.people]


def _learned(
    seen: Sequence[Question],
    likely: Any,
    begun: Sequence[tuple[bool, float]],
    found: tuple[Any, Any],
    link_hits: float,
) -> Learned:
    """The weights that are kept, those of links and those of people; and two thresholds: the best
    for the logs, and the one that keeps nine in ten of the beginnings."""
    linking, answering = found
    gold = np.array([question.is_answered for question in seen])
    kind = np.array([question.kind for question in seen])
    logged, alone = kind == "irc", kind == "alone"
    mixed = ~logged & ~alone
    grid = np.arange(0.1, 0.9, 0.02).round(2)
    reached = {float(at): f1(~gold[logged], likely[logged] < at) for at in grid}
    threshold = max(reached, key=lambda at: reached[at])
    said = likely >= threshold
    begins, chances = np.array(begun).T
    least = float(np.quantile(chances[begins == 1], 0.1).round(2))
    values = np.concatenate([linking, answering]).round(2)
    return Learned(
        _weights(values, threshold, least),
        int(logged.sum()),
        reached[threshold],
        link_hits,
        float((gold == said)[alone].mean()),
        float(said[mixed & gold].mean()),
        float(said[mixed & ~gold].mean()),
        float((chances[begins == 0] >= least).mean()),
    )


def write(folder: Path, into: Path) -> list[Path]:
    """Train, and write `chat.toml` and its card `chat.md`. Raises FixSettings without its sets."""
    for name in ("irc_replies_links_en", "gitter_dialogs_en"):
        if not (folder / f"{name}.parquet").exists():
            raise FixSettings(f"{folder} holds no {name}.parquet to learn replies from")
    learned = train(folder)
    into.mkdir(parents=True, exist_ok=True)
    model, card = into / "chat.toml", into / "chat.md"
    model.write_text(_toml(learned.weights), encoding="utf-8")
    card.write_text(_card(learned), encoding="utf-8")
    return [model, card]


def _toml(weights: Weights) -> str:
    lines = [
        "# Log-odds of what a message of a flat channel goes on from, and of who answered it",
        "# (classify/chat.py). Written by `hearth train`; what they do stands in chat.md.",
        "",
        f"answered = {weights.answered}",
        f"begins = {weights.begins}",
    ]
    for part in ("new", "back", "naming", "nameless"):
        lines += ["", f"[{part}]"]
        lines += [f"{name} = {weight}" for name, weight in getattr(weights, part).items()]
    return "\n".join(lines) + "\n"


def _card(learned: Learned) -> str:
    count = sum(map(len, _names()))
    return f"""# Model card: who answers whom in a flat channel

A conditional logistic regression: the {WINDOW} messages before a message, and "something new",
compete for being what it goes on from. A second, small one weighs each person who spoke after a
question: did they answer it? It counts other things where people name each other than where they
do not. {count} weights, readable in `chat.toml`. Made by `hearth train`; its seed {SEED} only draws
what quiet rooms are mixed with.

## Data

- Hand-made links of {learned.questions:,} questions and what was said around them in 153 stretches
  of Ubuntu's IRC channel, training half (jkkummerfeld/irc-disentanglement, Kummerfeld et al., ACL
  2019, CC BY 4.0).
- 749 hand-separated dialogs of quiet Gitter rooms (LiveChat2021/LiveChat, MIT): each by itself,
  with another dialog of its room going on around it, and with that and without its own answers.
  The mixing is ours; the second regression alone learns from it.

## What it did on what it had not seen

Five folds, by stretch of log and by room. Likeliest source right: {learned.link_hits:.2f} of
messages. A question counts as answered from {learned.weights.answered:g}: F1 of "unanswered"
{learned.f1:.3f} in the logs. In quiet rooms {learned.quiet:.2f} of the questions are right where
nobody else talks. Where others do, {learned.found:.2f} of the answered are found, and
{learned.mistaken:.2f} of the unanswered are taken for answered. A message begins something from
{learned.weights.begins:g}: nine in ten of the logs' questions that do, and {learned.asked_back:.2f}
of those that ask back or go on. Only a question that begins something is told of.

`hearth evaluate` shows it on the development half of the logs, beside the rule "named within 50
messages", and on the rooms, which it has learned from.

## What it must not be used for

It says whether a question still waits, to those who would answer it. It measures nobody.

## What it does not see

- One large English channel, 2004 to 2016, in which people answer by name, and eight small ones of
  developers, whose people stand in the data as numbers, so that names in the text lead nowhere.
  It was not measured in Chinese.
- Other talk in a quiet room was mixed in by us. Real talk at the same time may be about the same.
- Whether the answer was any good.

## Tried and not kept

{(TRIED / "chat.md").read_text(encoding="utf-8")}"""
