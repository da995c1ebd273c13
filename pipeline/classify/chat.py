"""Who goes on from whom in a flat chat channel, and so whether a question there was answered.

Nothing links an answer to its question there. For each message those before it, and "something
new", compete for being what it goes on from; so it is known with a probability, message by message,
whether it still belongs to the conversation that the question began. Another person's message that
does is an answer. In a quiet channel less is asked of it: who alone speaks next, and names nobody
else, answers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify import cues, questions
from pipeline.classify.message import Message

MODEL = Path(__file__).parent / "models" / "chat.toml"
WINDOW = 60  # messages before a message that it may go on from
AHEAD = 100  # messages of a channel after a question that can answer it
QUIET_MIN, NEXT, PAUSE_MIN = 10, 6, 60  # silence before, messages after, silence that ends them
ALONE = 0.9  # chosen: the dialogs we have (`chat.md`) hold no other talk to measure it by

NEW = (
    "always", "asks", "names_nobody", "names_somebody_here", "short_answer", "thanks",
    "new_here", "spoke_lately", "named_lately", "asks_naming_nobody",
)  # fmt: skip
BACK = (
    "distance", "next", "within_3", "within_12", "minutes", "own", "own_latest", "own_next",
    "own_to_same", "own_within_2_minutes", "names_writer", "names_writer_latest",
    "names_writer_who_named_me", "names_writer_latest_to_me", "mentions_writer", "names_another",
    "named_me", "named_me_latest", "talks_with_writer", "named_another", "shared_words",
    "answers_question", "answers_question_to_all", "thanks_who_named_me", "short_answer_next",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds of what a message goes on from, in the order of NEW and BACK, and the probability
    from which a question counts as answered."""

    new: Any
    back: Any
    threshold: float


@cache
def weights(file: Path = MODEL) -> Weights:
    """The shipped ones; `hearth train` writes them."""
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    new, back = ([told[part][name] for name in names] for part, names in
                 (("new", NEW), ("back", BACK)))  # fmt: skip
    return Weights(np.array(new), np.array(back), told["threshold"])


class Talk:
    """A stretch of a channel in time order, read once for all its questions. Bots answer nothing
    and are not listened to."""

    def __init__(self, channel: Sequence[Message], by: Weights | None = None) -> None:
        self.by = by or weights()
        messages = [m for m in channel if m.is_human]
        names = [(m.username or m.account_id or "").lower() for m in messages]
        number = {name: n for n, name in enumerate(dict.fromkeys(names))}
        texts = [m.body[:2000].lower() for m in messages]
        says = cues.patterns("replies")["thanks"]
        self.place = {m.message_id: n for n, m in enumerate(messages)}
        self.writer = np.array([number[name] for name in names])
        self.to = np.array([number.get(_addressed(text), -1) for text in texts])
        self.minute = np.array([m.created_at.timestamp() / 60 for m in messages])
        self.asks = np.array([questions.asks(text) for text in texts], bool)
        self.thanks = np.array([bool(says.search(text)) for text in texts], bool)
        self.is_short = np.array([bool(_SHORT.match(text)) for text in texts], bool)
        self.mentions = [_mentioned(text, number) for text in texts]
        self.words = [frozenset(_WORD.findall(text)) - _COMMON - number.keys() for text in texts]
        self.linked = [self.place.get(m.reply_to or "", -1) for m in messages]
        self.chances: dict[int, Any] = {}

    def answered(self, message_id: str, until: datetime | None = None) -> float:
        """0 to 1: how likely another person answered this message (until a moment)."""
        at = self.place[message_id]
        inside = self.conversation(at)
        if until:
            later = self.minute[at + 1 : at + 1 + len(inside)]
            inside = inside[later <= until.timestamp() / 60]
        others = self.writer[at + 1 : at + 1 + len(inside)] != self.writer[at]
        likely = float(np.max(inside * others, initial=0.0))
        return max(likely, ALONE) if self._alone(at, at + 1 + len(inside)) else likely

    def _alone(self, at: int, end: int) -> bool:
        """Whether a silence was broken here, and of others one alone spoke next, to nobody else."""
        before = np.flatnonzero(self.writer[:at] != self.writer[at])
        if len(before) and self.minute[at] - self.minute[before[-1]] < QUIET_MIN:
            return False
        end = min(end, at + 1 + NEXT)
        pauses = np.flatnonzero(np.diff(self.minute[at:end]) > PAUSE_MIN)
        next_to_it = np.arange(at + 1, at + 1 + pauses[0] if len(pauses) else end)
        others = next_to_it[self.writer[next_to_it] != self.writer[at]]
        return len(set(self.writer[others])) == 1 and bool(
            np.isin(self.to[others], (-1, self.writer[at])).all()
        )

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
            scores = np.concatenate([[new @ self.by.new], back @ self.by.back])
            chances = np.exp(scores - scores.max())
            if max(0, at - WINDOW) <= self.linked[at] < at:
                chances = np.arange(len(scores)) == at - self.linked[at]
            self.chances[at] = chances / chances.sum()
        return self.chances[at]

    def evidence(self, at: int) -> tuple[Any, Any]:
        """What speaks for something new, by NEW; and for each message back, a row by BACK."""
        there = np.arange(at - 1, max(-1, at - 1 - WINDOW), -1)
        me, to = self.writer[at], self.to[at]
        writer, named = self.writer[there], self.to[there]
        latest = np.zeros(len(there), bool)
        latest[np.unique(writer, return_index=True)[1]] = True
        own, is_to = writer == me, writer == to if to >= 0 else np.zeros(len(there), bool)
        named_me = (named == me) & ~own
        named_latest = _first(named_me)
        to_nobody, to_here = to < 0, bool(is_to.any())
        partner = next((n for n in named[own] if n >= 0), -2)
        minutes = np.maximum(0, self.minute[at] - self.minute[there])
        distance = at - there
        shared = np.array([len(self.words[at] & self.words[n]) for n in there])
        mentioned = np.array([n in self.mentions[at] for n in writer], bool)
        asked = self.asks[there] & ~own & (not self.asks[at])
        new = [
            1, self.asks[at], to_nobody, to_here, self.is_short[at], self.thanks[at],
            not own.any(), own[:5].any(), named_me[:14].any(), self.asks[at] and to_nobody,
        ]  # fmt: skip
        back = [
            np.log(distance), distance == 1, distance <= 3, distance <= 12, np.log1p(minutes),
            own, own & latest, own & (distance == 1), own & (named == to), own & (minutes < 2),
            is_to, is_to & latest, is_to & named_me, is_to & named_latest,
            mentioned & to_nobody & ~own, to_here & ~is_to & ~own,
            named_me, named_latest & to_nobody, (writer == partner) & latest & to_nobody,
            (named >= 0) & ~named_me & ~own & to_nobody, np.minimum(shared, 4),
            asked, asked & (named < 0) & (distance <= 12), named_me & self.thanks[at],
            (distance == 1) & ~own & self.is_short[at],
        ]  # fmt: skip
        return np.array(new, float), np.array(back, float).T


def _first(where: Any) -> Any:
    found = np.zeros(len(where), bool)
    found[np.flatnonzero(where)[:1]] = True
    return found


def _addressed(text: str) -> str:
    """The name a lower-case text opens with ("name: ...", "@name ...", or a first word that may be
    one); empty without."""
    head = _ADDRESS.match(text)
    name = (head[1] or head[2] or head[3]) if head else ""
    return "" if name in _COMMON else name


def _mentioned(text: str, number: Mapping[str, int]) -> frozenset[int]:
    """Those named anywhere; names too short or common to be sure of are not."""
    words = (word for word in _NAME.findall(text) if len(word) > 3 and word not in _COMMON)
    return frozenset(number[word] for word in words if word in number)


_ADDRESS = re.compile(
    r"\s*(?:@([\w.\[\]\\`^{}|-]+)|([\w.\[\]\\`^{}|-]+)\s*[:,;>]|([\w\[\]\\`^{}|-]{4,})(?=\s))"
)
_NAME = re.compile(r"[\w\[\]\\`^{}|-]+")
_SHORT = re.compile(
    r"\W*(?:yes|yeah|yep|yup|no|nope|ok|okay|ah|oh|hm+|lol|sure|right|what|well|so|but|and|then|it)\b"
    r"|\W*(?:是|对|好|嗯|可以|不|没|哦|啊|那|但)"
)
_WORD = re.compile(r"[a-z0-9][a-z0-9.+_-]{3,}|[\u3400-\u9fff]{2}")
_COMMON = frozenset(
    """that this with have from what when does anyone there your just like some want need know
    using about would could should into then they them because will cant dont im it's help here
    nick user ubuntu linux root desktop please""".split()  # noqa: SIM905
)
