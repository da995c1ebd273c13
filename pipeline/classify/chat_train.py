"""Weights of who goes on from whom in a channel, learned from hand-made links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify.chat import BACK, NEW, WINDOW, Talk, Weights
from pipeline.classify.message import Message
from pipeline.classify.train import FOLDS, f1
from pipeline.errors import FixSettings

STRENGTH = 1.0  # inverse of regularisation
EVERY = 3  # each third linked message is learned from: enough for so few weights, and quick
UNKNOWN = Weights(np.zeros(len(NEW)), np.zeros(len(BACK)), 0.5)


@dataclass(frozen=True, slots=True)
class Logs:
    """Hand-linked channels of one half of the Ubuntu IRC logs (CC BY 4.0, Kummerfeld et al., ACL
    2019).

    channels   file -> its messages in order
    parents    file -> place of a message -> places of what it goes on from; itself: nothing
    questions  (file, place, was it answered by another person)
    """

    channels: Mapping[str, Sequence[Message]]
    parents: Mapping[str, Mapping[int, set[int]]]
    questions: Sequence[tuple[str, int, bool]]


def read(folder: Path, half: str) -> Logs:
    """One half ("train" or "dev") of the logs; questions with 100 messages after them at least."""
    import duckdb

    channels: dict[str, list[Message]] = defaultdict(list)
    places: dict[tuple[str, int], int] = {}
    parents: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    with duckdb.connect() as db:
        for file, number, writer, text, minute in db.execute(
            'SELECT file, idx, "user", text, minute FROM read_parquet(?)'
            " WHERE split = ? ORDER BY file, idx",
            [str(folder / "irc_replies_messages_en.parquet"), half],
        ).fetchall():
            at = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
            places[file, number] = len(channels[file])
            channels[file].append(
                Message("irc", file, str(number), writer, at, text, "markdown", username=writer)
            )
        for file, a, b in db.execute(
            "SELECT file, least(a, b), greatest(a, b) FROM read_parquet(?) WHERE split = ?",
            [str(folder / "irc_replies_links_en.parquet"), half],
        ).fetchall():
            if (file, a) in places and (file, b) in places:
                parents[file][places[file, b]].add(places[file, a])
        asked = db.execute(
            "SELECT file, idx, answered_gold FROM read_parquet(?)"
            " WHERE split = ? AND question_rule AND remain >= 100 ORDER BY file, idx",
            [str(folder / "irc_replies_starters_en.parquet"), half],
        ).fetchall()
    return Logs(channels, parents, [(file, places[file, n], gold) for file, n, gold in asked])


def read_dialogs(folder: Path) -> list[list[Message]]:
    """Hand-separated dialogs of quiet channels, each begun by a question; who speaks is a number
    within the dialog. A time that cannot be read is that of the message before."""
    import duckdb

    with duckdb.connect() as db:
        rows = db.execute(
            "SELECT project || '/' || dialog AS dialog, pos, 'speaker' || speaker, text, coalesce("
            " max(try_cast(ts AS TIMESTAMP)) OVER (PARTITION BY project, dialog ORDER BY pos),"
            " TIMESTAMP '2015-01-01')"
            " FROM read_parquet(?) ORDER BY project, dialog, pos",
            [str(folder / "gitter_dialogs_en.parquet")],
        ).fetchall()
    dialogs: dict[str, list[Message]] = defaultdict(list)
    for dialog, place, writer, text, at in rows:
        dialogs[dialog].append(
            Message("gitter", dialog, f"{dialog}/{place}", writer, at.replace(tzinfo=UTC),
                    text or "", "markdown", username=writer)
        )  # fmt: skip
    return list(dialogs.values())


def examples(logs: Logs, files: Sequence[str]) -> tuple[Any, Any]:
    """Evidence of each linked message (messages, 1 + WINDOW, NEW + BACK; nan: no such choice) and
    which choices are right."""
    evidence, right = [], []
    for file in files:
        talk = Talk(logs.channels[file], UNKNOWN)
        for at, parents in sorted(logs.parents[file].items())[::EVERY]:
            choices = np.zeros(1 + WINDOW, bool)
            choices[[at - parent for parent in parents if at - parent <= WINDOW]] = True
            if choices.any():
                evidence.append(_table(talk, at))
                right.append(choices)
    return np.array(evidence), np.array(right)


def _table(talk: Talk, at: int) -> Any:
    new, back = talk.evidence(at)
    table = np.full((1 + WINDOW, len(NEW) + len(BACK)), np.nan, np.float32)
    table[: 1 + len(back)] = 0.0
    table[0, : len(NEW)] = new
    table[1 : 1 + len(back), len(NEW) :] = back
    return table


def fit(evidence: Any, right: Any) -> Weights:
    """Weights under which the right choices are likeliest: a conditional logistic regression, in
    double precision to its very end, so that machines agree on the digits that are kept."""
    from scipy.optimize import minimize

    missing = np.isnan(evidence[:, :, 0])
    table = np.nan_to_num(evidence).astype(float)

    def loss(weights: Any) -> tuple[float, Any]:
        scores = np.where(missing, -1e9, table @ weights)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        hit = np.where(right, chances, 0.0)
        total = hit.sum(axis=1, keepdims=True)
        slope = np.tensordot(chances - hit / total, table, axes=([0, 1], [0, 1]))
        penalty = weights @ weights / (2 * STRENGTH)
        return (penalty - np.log(total).sum()) / len(table), (slope + weights / STRENGTH) / len(
            table
        )

    start = np.zeros(table.shape[2])
    to_the_end = {"maxiter": 5_000, "ftol": 0, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=to_the_end).x
    return Weights(found[: len(NEW)], found[len(NEW) :], 0.5)


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights with their threshold, and what they did on files they had not seen.

    f1        F1 of "unanswered" at the threshold
    link_hits share of messages whose likeliest source is a right one
    """

    weights: Weights
    f1: float
    link_hits: float
    questions: int


def train(folder: Path) -> Learned:
    """Weights from the training half; the threshold is the best on its folds, by file."""
    logs = read(folder, "train")
    files = sorted(logs.channels)
    each = {file: examples(logs, [file]) for file in files}
    likely, hits = np.zeros(len(logs.questions)), []
    for fold in range(FOLDS):
        held = set(files[fold::FOLDS])
        weights = _fit_files(each, [file for file in files if file not in held])
        hits += [_hits(weights, *each[file]) for file in sorted(held) if len(each[file][0])]
        for file in sorted(held):
            talk = Talk(logs.channels[file], weights)
            for n, (where, place, _) in enumerate(logs.questions):
                if where == file:
                    likely[n] = talk.answered(logs.channels[file][place].message_id)
    gold = np.array([answer for _, _, answer in logs.questions])
    found = {float(at): f1(~gold, likely < at) for at in np.arange(0.1, 0.9, 0.02).round(2)}
    threshold = max(found, key=lambda at: found[at])
    final = _fit_files(each, files)
    kept = Weights(final.new.round(2), final.back.round(2), threshold)
    return Learned(kept, found[threshold], float(np.concatenate(hits).mean()), len(gold))


def _fit_files(each: Mapping[str, tuple[Any, Any]], files: Sequence[str]) -> Weights:
    some = [each[file] for file in files if len(each[file][0])]
    return fit(np.concatenate([e for e, _ in some]), np.concatenate([r for _, r in some]))


def _hits(weights: Weights, evidence: Any, right: Any) -> Any:
    scores = evidence @ np.concatenate([weights.new, weights.back])
    return right[np.arange(len(right)), np.nan_to_num(scores, nan=-np.inf).argmax(axis=1)]


def write(folder: Path, into: Path) -> list[Path]:
    """Train, and write `chat.toml` and its card `chat.md`. Raises FixSettings without the logs."""
    if not (folder / "irc_replies_links_en.parquet").exists():
        raise FixSettings(f"{folder} holds no irc_replies_*_en.parquet to learn replies from")
    learned = train(folder)
    into.mkdir(parents=True, exist_ok=True)
    model, card = into / "chat.toml", into / "chat.md"
    model.write_text(_toml(learned.weights), encoding="utf-8")
    card.write_text(_card(learned), encoding="utf-8")
    return [model, card]


def _toml(weights: Weights) -> str:
    lines = [
        "# Log-odds of what a message of a flat channel goes on from (classify/chat.py). Written",
        "# by `hearth train`; what they are made of and what they do stands in chat.md.",
        "",
        f"threshold = {weights.threshold}",
    ]
    for part, names, values in (("new", NEW, weights.new), ("back", BACK, weights.back)):
        lines += ["", f"[{part}]"]
        lines += [f"{name} = {float(value)}" for name, value in zip(names, values, strict=True)]
    return "\n".join(lines) + "\n"


def _card(learned: Learned) -> str:
    return f"""# Model card: who answers whom in a flat channel

A conditional logistic regression: the {WINDOW} messages before a message, and "something new",
compete for being what it goes on from. A rule stands beside it for quiet channels: where a
question breaks a silence of ten minutes, and of others one alone speaks among the next six
messages, to nobody else, that answers it. {len(NEW) + len(BACK)} weights, readable in `chat.toml`.
Made by `hearth train`; nothing in it is random.

## Data

Hand-made links of {learned.questions:,} questions and what was said around them in 153 stretches of
Ubuntu's IRC channel, training half (jkkummerfeld/irc-disentanglement, Kummerfeld et al., ACL 2019,
CC BY 4.0).

## What it did on stretches it had not seen

Five folds by stretch of log. Likeliest source right: {learned.link_hits:.2f} of messages. A
question counts as answered from {learned.weights.threshold:g}: F1 of "unanswered" {learned.f1:.3f}.
`hearth evaluate` shows it on the development half, beside the rule "named within 50 messages";
and on 749 hand-separated dialogs of quiet rooms (LiveChat2021/LiveChat, MIT), where the model
alone is right of 0.34 of the questions, with its rule of 0.72: it is wrong mostly in calling an
answered one open.

## What it must not be used for

It says whether a question still waits, to those who would answer it. It measures nobody.

## What it does not see

- One large English channel, 2004 to 2016, in which people answer by name. Teams that know each
  other name less. It was not measured in Chinese. The dialogs hold no talk but their own, so how
  often the rule for quiet channels takes other talk for an answer is not known.
- Whether the answer was any good.
- An answer without a name that only the asker's next words show to be one.

## Tried and not kept

F1 of "unanswered" over the training half's {learned.questions:,} questions, folds by stretch:

- "somebody else named the asker within 50 messages": 0.841, within 30: 0.859;
- seventeen facts about what followed a question, weighed by a logistic regression: 0.861, by
  boosted trees: 0.870 (on the 112 of the development half 0.82 for both);
- boosted trees over pairs of question and message, the likeliest message decides: 0.870;
- the asker's naming another later counts as a sign of an answer, at 0.2 to 0.6 of its likelihood:
  0.868 to 0.875, and 0.81 to 0.87 on the development half where the kept one has 0.85;
- any of the likely messages instead of the likeliest ("noisy or"): 0.834, their sum: 0.785.
- shortened names, names in the last sentence, and how late the asker is named, as a second
  regression: 0.885, but two people's other talk in a quiet channel became an answer.
"""
