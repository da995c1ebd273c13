"""Who goes on from whom in a flat chat channel, and so whether a question there was answered.

Nothing links an answer to its question there. For each message those before it, and "something
new", compete for being what it goes on from. So it is known with a probability, message by message,
whether it still belongs to the conversation that the question began. Each person who spoke after
the question is then weighed by a few facts: how likely their messages belong to it, whom they name,
whether they were talking anyway. Some count where people name each other, some where they do not; a
channel stands somewhere between.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.classify import chat_words, questions, replies
from pipeline.classify.language import is_german
from pipeline.classify.message import Message

MODEL = Path(__file__).parent / "models" / "chat.toml"
WINDOW = 60  # messages before a message that it may go on from
AHEAD = 100  # messages of a channel after a question that can answer it
GREETED, GREETED_MIN = 5, 10  # messages and minutes before a question: a greeting opens it
SOON, SOON_MIN = 12, 240  # messages and minutes after a question: what its asker found
LATELY, LATELY_MIN = 15, 30  # messages and minutes before a question: who spoke then was talking

_LIKELY = 0.5  # from which a message counts as one of a conversation

Evidence = dict[str, Any]  # what speaks for something, by name: a value, or one for each choice


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds by the name of the evidence, and two probabilities.

    new, back         of what a message goes on from: something new, or a message before it
    naming, nameless  of a person's having answered, where people name each other and where not
    answered          from which a question counts as answered
    begins            from which a message begins a conversation
    """

    new: Mapping[str, float]
    back: Mapping[str, float]
    naming: Mapping[str, float]
    nameless: Mapping[str, float]
    answered: float
    begins: float


@cache
def weights(file: Path = MODEL) -> Weights:
    """The shipped ones; `hearth train` writes them."""
    return Weights(**tomllib.loads(file.read_text(encoding="utf-8")))


def log_odds(*parts: tuple[Evidence, Mapping[str, float]]) -> Any:
    """The sum of evidence and its weights, for each choice."""
    weighed = [by[name] for evidence, by in parts for name in evidence]
    return columns(*(evidence for evidence, _ in parts)) @ np.array(weighed)


def columns(*parts: Evidence) -> Any:
    """Evidence as numbers: a column of each, a row for each choice."""
    return np.array([value for evidence in parts for value in evidence.values()], float).T


class Heard(NamedTuple):
    """Of a question in a flat channel: whether it begins a conversation, how likely another person
    answered it (0 to 1), when the likeliest of them did (null: nobody spoke), what its asker says
    soon after that solves it (null: nothing), and what is shown of what was said before it (null:
    nothing)."""

    begins: bool
    answered: float
    responded_at: datetime | None = None
    solved: str | None = None
    before: Message | None = None


class Talk:
    """A stretch of a channel in time order, read once for all its questions. Bots answer nothing
    and are not listened to."""

    def __init__(self, channel: Sequence[Message], by: Weights | None = None) -> None:
        self.by = by or weights()
        messages = [m for m in channel if m.is_human]
        names = [(m.username or m.account_id or "").lower() for m in messages]
        number = {name: n for n, name in enumerate(dict.fromkeys(names))}
        known = {_stem(name): n for name, n in number.items()} | number
        known.pop("", None)
        texts = [m.body[:2000].lower() for m in messages]
        language = "de" if is_german(texts) else None
        here = chat_words.words(language)
        self.language = language
        self.messages = messages
        self.place = {m.message_id: n for n, m in enumerate(messages)}
        self.writer = np.array([number[name] for name in names])
        named = [_named(text, known) for text in texts]
        self.to = np.array([to for to, _ in named], int)
        self.to[self.to == self.writer] = -1
        self.mentions = [
            people - {me} for (_, people), me in zip(named, self.writer.tolist(), strict=True)
        ]
        self.minute = np.array([m.created_at.timestamp() / 60 for m in messages])
        self.asks = np.array([questions.asks(text, language) for text in texts], bool)
        self.opens = np.array([questions.opens(text, language) for text in texts], bool)
        self.thanks = np.array([bool(here.thanks.search(text)) for text in texts], bool)
        self.is_short = np.array([bool(here.short.match(text)) for text in texts], bool)
        self.greets = np.array([bool(here.greets.match(text)) for text in texts], bool)
        self.length = np.log1p([len(text.split()) for text in texts])
        skipped = here.common | number.keys()
        self.words = [frozenset(here.longer.findall(text)) - skipped for text in texts]
        self.said, self.turn = _places(self.words), _turns(self.writer)
        self.named_in = _places(self.mentions)
        self.linked = [self.place.get(m.reply_to or "", -1) for m in messages]
        self.chances: dict[int, Any] = {}
        self.listed: dict[int, list[float]] = {}  # the same where they are added up one by one

    def heard(self, message_id: str, until: datetime | None = None) -> Heard:
        """Of a question (until a moment); what was said before it is for who shows it to add."""
        return Heard(
            self.begins(message_id),
            *self.response(message_id, until),
            self.solved(message_id, until),
        )

    def before(self, message_id: str) -> Message | None:
        """What somebody said just before; null where all were silent."""
        at = self.place[message_id]
        silent = at == 0 or self.minute[at] - self.minute[at - 1] > LATELY_MIN
        return None if silent else self.messages[at - 1]

    def begins(self, message_id: str) -> bool:
        """Whether a message begins a conversation. A question that does not is part of another: a
        helper asks back, or somebody goes on."""
        return self.beginning(self.place[message_id]) >= self.by.begins

    def beginning(self, at: int) -> float:
        """0 to 1: how likely the message at this place begins a conversation. What goes on from a
        greeting, or from other words that name nothing, begins as much as they did."""
        likely: dict[int, float] = {}
        start = max(0, at - GREETED)
        for n in range(start, at + 1):
            chances = self.goes_on(n)
            greetings = (m for m in range(start, n) if self._only_greets(m, n))
            likely[n] = float(chances[0] + sum(chances[n - m] * likely[m] for m in greetings))
        return likely[at]

    def _only_greets(self, at: int, later: int) -> bool:
        """Whether a message of a later one's writer, shortly before it, names nothing."""
        if self.writer[at] != self.writer[later]:
            return False
        if self.minute[later] - self.minute[at] > GREETED_MIN:
            return False
        return not questions.names_something(self.messages[at].body, self.language)

    def solved(self, message_id: str, until: datetime | None = None) -> str | None:
        """What its asker says soon after a question that solves it ("nvm, found it"), in the same
        conversation and to nobody; null if nothing (until a moment)."""
        at = self.place[message_id]
        inside = self.conversation(at)[:SOON]
        for n in range(at + 1, at + 1 + len(inside)):
            message = self.messages[n]
            is_later = until is not None and message.created_at > until
            if is_later or self.minute[n] - self.minute[at] > SOON_MIN:
                break
            is_own = self.writer[n] == self.writer[at] and inside[n - at - 1] >= _LIKELY
            if is_own and self.to[n] < 0 and not self.mentions[n]:
                words = replies.solving(replies.read(message, self.language, is_asker=True))
                if words is not None:
                    return words
        return None

    def answered(self, message_id: str, until: datetime | None = None) -> float:
        """0 to 1: how likely another person answered this message (until a moment)."""
        return self.response(message_id, until)[0]

    def response(
        self, message_id: str, until: datetime | None = None
    ) -> tuple[float, datetime | None]:
        """How likely another person answered this message (0 to 1; until a moment), and when the
        likeliest of them said what belongs to it most; null where nobody else spoke."""
        at = self.place[message_id]
        inside = self.conversation(at)
        if until:
            later = self.minute[at + 1 : at + 1 + len(inside)]
            inside = inside[later <= until.timestamp() / 60]
        others = self.writer[at + 1 : at + 1 + len(inside)] != self.writer[at]
        if not others.any():
            return 0.0, None
        if np.max(inside * others) == 1.0:  # the platform's own links say so
            return 1.0, self.messages[at + 1 + int(np.argmax(inside * others))].created_at
        scores = {
            person: float(log_odds((naming, self.by.naming), (nameless, self.by.nameless)))
            for person, (naming, nameless) in self.people(at, inside).items()
        }
        likeliest = max(scores, key=lambda person: scores[person])
        by_them = self.writer[at + 1 : at + 1 + len(inside)] == likeliest
        spoke = self.messages[at + 1 + int(np.argmax(inside * by_them))].created_at
        return float(1 / (1 + np.exp(-scores[likeliest]))), spoke

    def people(self, at: int, inside: Any) -> dict[int, tuple[Evidence, Evidence]]:
        """Who else spoke after this place, and what speaks for each one's having answered, by names
        and without them. How much either counts depends on the talk around: where every other
        message names somebody, or more do, the first alone; where none does, the second alone.

        inside  how likely each message after it belongs to its conversation
        """
        me, end = self.writer[at], at + 1 + len(inside)
        people = [n for n in dict.fromkeys(self.writer[at + 1 : end].tolist()) if n != me]
        around = range(max(0, at - WINDOW), end)
        naming = min(1.0, 2 * np.mean([self.to[n] >= 0 or bool(self.mentions[n]) for n in around]))
        found = {}
        for person in people:
            named, nameless = self._person(person, at, inside, len(people))
            found[person] = (
                {name: naming * value for name, value in named.items()},
                {name: (1 - naming) * value for name, value in nameless.items()},
            )
        return found

    def _person(self, person: int, at: int, inside: Any, people: int) -> tuple[Evidence, Evidence]:
        """What speaks for one of so many people's having answered, by names and without them."""
        me = self.writer[at]
        after = np.arange(at + 1, at + 1 + len(inside))
        by_me, by_them = self.writer[after] == me, self.writer[after] == person
        mine, theirs = after[by_me].tolist(), after[by_them].tolist()
        others = after[~by_me & ~by_them].tolist()
        later = [n for n in mine if n > theirs[0]]
        likely = inside[by_them].max()
        shared = {
            "always": 1,
            "likely": np.log((likely + 0.005) / (1.005 - likely)),
            "direct": max(self._goes_on_from(n, [at, *mine]) for n in theirs),
            "people": np.log(people),
        }
        named = {
            "names_asker": any(self._names(n, me) for n in theirs),
            "names_others": np.mean((self.to[theirs] >= 0) & (self.to[theirs] != me)),
        }
        nameless = {
            "asker_goes_on_from": max((self._goes_on_from(n, theirs) for n in later), default=0),
            "asker_speaks_later": len(later) > 0,
            "goes_on_from_others": max(self._goes_on_from(n, others) for n in theirs),
            "was_talking": self._was_talking(person, at),
        }
        return shared | named, shared | nameless

    def _was_talking(self, person: int, at: int) -> bool:
        start = max(0, at - LATELY)
        lately = self.minute[start:at] >= self.minute[at] - LATELY_MIN
        return bool((lately & (self.writer[start:at] == person)).any())

    def _names(self, at: int, person: int) -> bool:
        return self.to[at] == person or person in self.mentions[at]

    def _goes_on_from(self, at: int, places: Sequence[int]) -> float:
        """How likely a message goes on from one of these places, in ascending order."""
        if at not in self.listed:
            self.listed[at] = self.goes_on(at).tolist()
        chances = self.listed[at]
        start, end = bisect_right(places, at - len(chances)), bisect_left(places, at)
        return float(sum([chances[at - n] for n in places[start:end]]))

    def conversation(self, at: int) -> Any:
        """How likely each of the AHEAD messages after this place belongs to its conversation."""
        end = min(len(self.writer), at + 1 + AHEAD)
        inside = np.zeros(end)
        inside[at] = 1.0
        for n in range(at + 1, end):
            chances = self.goes_on(n)[1:]
            inside[n] = chances @ inside[n - len(chances) : n][::-1]
        return inside[at + 1 :]

    def goes_on(self, at: int) -> Any:
        """Probabilities of what the message at this place goes on from: something new, the message
        before it, the one before that ... What the platform itself links is certain."""
        if at not in self.chances:
            new, back = self.evidence(at)
            scores = np.append(log_odds((new, self.by.new)), log_odds((back, self.by.back)))
            chances = np.exp(scores - scores.max())
            if max(0, at - WINDOW) <= self.linked[at] < at:
                chances = np.arange(len(scores)) == at - self.linked[at]
            self.chances[at] = chances / chances.sum()
        return self.chances[at]

    def evidence(self, at: int) -> tuple[Evidence, Evidence]:
        """What speaks for something new, and for each message back."""
        there = np.arange(at - 1, max(-1, at - 1 - WINDOW), -1)
        me, to = self.writer[at], self.to[at]
        writer, named = self.writer[there], self.to[there]
        own, is_to = writer == me, writer == to if to >= 0 else np.zeros(len(there), bool)
        named_me = (named == me) & ~own
        to_nobody, to_here = to < 0, bool(is_to.any())
        minutes = np.maximum(0, self.minute[at] - self.minute[there])
        new = {
            "always": 1,
            "asks": self.asks[at],
            "names_nobody": to_nobody,
            "names_somebody_here": to_here,
            "short_answer": self.is_short[at],
            "new_here": not own.any(),
            "spoke_lately": own[:5].any(),
            "named_lately": named_me[:14].any(),
            "asks_naming_nobody": self.asks[at] and to_nobody,
            "words": self.length[at],
            "greets": self.greets[at],
            "opens_like_a_question": self.opens[at] and to_nobody,
            "own_minutes": np.log1p(minutes[own][0]) if own.any() else 0,
        }
        _, first, which = np.unique(writer, return_index=True, return_inverse=True)
        latest = np.zeros(len(there), bool)
        latest[first] = True
        since = self.turn[there][first][which] - self.turn[there]
        spoke_since = (np.cumsum(own) > 0) & ~own
        distance = at - there
        is_next = distance == 1
        partner = next((n for n in named[own] if n >= 0), -2)
        turns = len(there) > 2 and own[1] and not own[0] and writer[0] == writer[2]
        mentioned = np.isin(writer, list(self.mentions[at]))
        asked = self.asks[there] & ~own & (not self.asks[at])
        back = {
            "distance": np.log(distance),
            "next": is_next,
            "minutes": np.log1p(minutes),
            "own": own,
            "own_latest": own & latest,
            "own_next": own & is_next,
            "own_to_same": own & (named == to),
            "own_within_2_minutes": own & (minutes < 2),
            "names_writer": is_to,
            "names_writer_who_named_me": is_to & named_me,
            "names_writer_latest_to_me": is_to & _first(named_me),
            "mentions_writer": mentioned & to_nobody,
            "names_another": to_here & ~is_to & ~own,
            "named_me": named_me,
            "named_me_latest": _first(named_me) & to_nobody,
            "named_me_unheard": named_me & ~spoke_since,
            "mentioned_me": self._mentioned_me(there, at) & ~named_me & ~own,
            "talks_with_writer": (writer == partner) & latest & to_nobody,
            "named_each_other": self._named_each_other(there, at) * to_nobody,
            "named_another": (named >= 0) & ~named_me & ~own & to_nobody,
            "names_the_same": (named >= 0) & (named == to) & ~own,
            "rare_words": self._rare_words(at),
            "words": self.length[there],
            "answers_question_to_all": asked & (named < 0) & (distance <= 12),
            "thanks_who_named_me": named_me & self.thanks[at],
            "short_answer_next": is_next & ~own & self.is_short[at],
            "back_and_forth": is_next & turns,
            "spoke_since": spoke_since,
            "writer_spoke_since": np.log1p(since),
        }
        return new, back

    def _rare_words(self, at: int) -> Any:
        """For each message back, the words it shares with this one, weighed by how rare they are
        among those messages; at most 4."""
        shared = np.zeros(min(at, WINDOW))
        for word in sorted(self.words[at]):
            if back := _back(self.said.get(word, ()), at):
                shared[back] += np.log((1 + WINDOW) / (1 + len(back)))
        return np.minimum(shared / 3, 4)

    def _mentioned_me(self, there: Any, at: int) -> Any:
        """For each message back, whether it names this one's writer anywhere."""
        found = np.zeros(len(there), bool)
        found[_back(self.named_in.get(self.writer[at], ()), at)] = True
        return found

    def _named_each_other(self, there: Any, at: int) -> Any:
        """For each message back, how often its writer and this one's named each other since the
        window began, as a logarithm."""
        me, writer, named = self.writer[at], self.writer[there], self.to[there]
        size = int(self.writer.max()) + 1
        times = np.bincount(writer[named == me], minlength=size)
        times += np.bincount(named[(writer == me) & (named >= 0)], minlength=size)
        times[me] = 0
        return np.log1p(times[writer])


def _back(places: Sequence[int], at: int) -> list[int]:
    """How far back from a message those of these places lie that it may go on from (0: next)."""
    near = places[bisect_left(places, at - WINDOW) : bisect_left(places, at)]
    return [at - 1 - n for n in near]


def _first(where: Any) -> Any:
    found = np.zeros(len(where), bool)
    found[np.flatnonzero(where)[:1]] = True
    return found


def _places(each: Sequence[frozenset[Any]]) -> dict[Any, list[int]]:
    """What a message holds -> the places that hold it, in ascending order."""
    found: dict[Any, list[int]] = defaultdict(list)
    for at, things in enumerate(each):
        for thing in things:
            found[thing].append(at)
    return dict(found)


def _turns(writer: Any) -> Any:
    """Of each message, how many its writer wrote before it."""
    count: dict[int, int] = defaultdict(int)
    found = []
    for person in writer.tolist():
        found.append(count[person])
        count[person] += 1
    return np.array(found, int)


def _named(text: str, known: Mapping[str, int]) -> tuple[int, frozenset[int]]:
    """Whom a lower-case text opens with ("name: ...", "@name ...", or a first word that is one;
    -1: nobody), and those named anywhere in it. Between its ends a name counts as it is spelt, and
    only if it is not too short or common to be sure of."""
    head = _ADDRESS.match(text)
    words = _NAME.findall(text)
    people = {
        known.get(word, -1) for word in words if len(word) > 3 and word not in chat_words.COMMON
    }
    people |= {_somebody(word, known) for word in words[-1:]}
    to = _somebody(head[1] or head[2] or head[3], known) if head else -1
    return to, frozenset(people - {-1})


def _somebody(word: str, known: Mapping[str, int]) -> int:
    """Whose name a word is, with what people add to names or leave off; -1: nobody's."""
    return -1 if word in chat_words.COMMON else known.get(word, known.get(_stem(word), -1))


@lru_cache(maxsize=100_000)
def _stem(name: str) -> str:
    """A name without what people add and leave off: "foo_", "foo|away", "foo123" are "foo"."""
    short = _TAIL.sub("", name)
    return short if len(short) > 2 and short not in chat_words.COMMON else name


_ADDRESS = re.compile(
    r"\s*\[?(?:@([\w.\[\]\\`^{}|-]+)|([\w.\[\]\\`^{}|-]+?)\]?\s*(?:[:,;>]|\.\.|\s?-\s)"
    r"|([\w\[\]\\`^{}|-]{4,})(?=\s|$))"
)
_NAME = re.compile(r"[\w\[\]\\`^{}|-]+")
_TAIL = re.compile(r"^[\W_]+|[|_-](?:afk|away|work|home|laptop)\W*$|[\W_\d]+$")
