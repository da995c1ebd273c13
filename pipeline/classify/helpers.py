"""Who might know: for a question that waits, up to three people who helped with questions like it.

Nobody is named for more than LOAD questions a night, so that the same good person is not worn out;
nobody who has been silent for a month, and nobody who asked to be left alone. Pure.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.classify.answers import words
from pipeline.classify.message import Message
from pipeline.text import authored

MOST = 3  # people named for one question
LOAD = 3  # questions one person is named for in one night
ACTIVE = timedelta(days=30)

_SAME_CHANNEL = 1.0  # what an answer in the same channel adds; a word shared by few adds about 5
_LEAST = 2.0  # of evidence, before somebody is named
_COMMON = 0.1  # share of questions from which a word says nothing of what they are about
_MOST_WORDS = 3
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and who helped with it; `helper` is null while nobody has."""

    source: str
    thread_id: str
    channel: str | None
    asker: str | None
    words: frozenset[str]
    helper: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Somebody who might know.

    answers  questions of the same channel they helped with
    words    up to three words that this question shares with those they helped with, rarest first
    """

    source: str
    thread_id: str
    person_id: str
    rank: int
    answers: int
    words: tuple[str, ...]
    last_active_at: datetime


def question(first: Message, helper: str | None) -> Question:
    """The question that a thread's first message asks, and the person who helped with it."""
    text = f"{first.title or ''} {authored(first.body, first.form).text}"
    return Question(
        first.source,
        first.thread_id,
        first.channel,
        first.account_id,
        frozenset(words(text)),
        helper,
    )


def who_might_know(
    waiting: Sequence[Question],
    helped: Sequence[Question],
    last_active: Mapping[tuple[str, str], datetime],
    as_of: datetime,
) -> Iterator[Suggestion]:
    """Suggestions for each waiting question; earlier ones in the list get first choice of helpers.

    helped       questions somebody helped with lately
    last_active  (source, person) -> their last message; who is not in it is never named
    """
    known = _Known(helped)
    load: Counter[str] = Counter()
    for question in waiting:
        found = [
            (weight, person)
            for person, weight in known.weights(question).items()
            if weight >= _LEAST
            and person != question.asker
            and load[person] < LOAD
            and as_of - last_active.get((question.source, person), _NEVER) <= ACTIVE
        ]
        found.sort(key=lambda each: (-each[0], load[each[1]], each[1]))
        for rank, (_, person) in enumerate(found[:MOST], 1):
            load[person] += 1
            yield Suggestion(
                question.source,
                question.thread_id,
                person,
                rank,
                known.answers[question.source, question.channel, person],
                known.shared(question, person),
                last_active[question.source, person],
            )


class _Known:
    """Who helped where, and with questions of which words."""

    def __init__(self, helped: Sequence[Question]) -> None:
        self.answers: Counter[tuple[str, str | None, str]] = Counter()
        self._by_word: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._seen: Counter[str] = Counter()
        self._questions = len(helped)
        for question in helped:
            self._seen.update(question.words)
            if question.helper:
                self.answers[question.source, question.channel, question.helper] += 1
                for word in question.words:
                    self._by_word[question.source, word].append(question.helper)
        self._here: defaultdict[tuple[str, str | None], dict[str, int]] = defaultdict(dict)
        for (source, channel, person), n in self.answers.items():
            self._here[source, channel][person] = n

    def weights(self, question: Question) -> dict[str, float]:
        """What speaks for each person: answers in the channel, and rare words in common."""
        weights = {
            person: _SAME_CHANNEL * math.log2(1 + n)
            for person, n in self._here[question.source, question.channel].items()
        }
        for word in sorted(question.words):
            for person in sorted(set(self._by_word.get((question.source, word), ()))):
                weights[person] = weights.get(person, 0.0) + self._rarity(word)
        return weights

    def shared(self, question: Question, person: str) -> tuple[str, ...]:
        """Words of the question that are also in questions this person helped with."""
        words = [
            word
            for word in question.words
            if self._rarity(word) and person in self._by_word.get((question.source, word), ())
        ]
        return tuple(sorted(words, key=lambda word: (self._seen[word], word))[:_MOST_WORDS])

    def _rarity(self, word: str) -> float:
        seen = self._seen[word]
        if seen > max(2, _COMMON * self._questions):
            return 0.0
        return math.log((1 + self._questions) / (1 + seen)) / 2
