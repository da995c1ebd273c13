"""Was a question in a flat chat channel answered, although nothing links the answer to it?

People answer in a channel by naming the asker, or by speaking right after; askers show it by
answering back. A rule that only looks for the asker's name misses every fifth answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.classify import cues
from pipeline.classify.message import Message
from pipeline.text import authored

AHEAD = 100  # messages of a channel after the question that can answer it

# Log-odds that the question was answered: a logistic regression on the hand-linked training half of
# the Ubuntu IRC logs (CC BY 4.0, Kummerfeld et al., ACL 2019), rounded. `hearth evaluate` fits it
# again and shows both.
WEIGHTS: Mapping[str, float] = {
    "asker_goes_on_after_another": 0.24,
    "nobody_else_speaks": 0.68,
    "asker_silent": -0.38,
    "named_in_5": 0.51,
    "named_in_15": 0.44,
    "named_in_50": 0.05,
    "named_in_100": 0.59,
    "named_at_once": 0.70,
    "asker_acknowledges": 0.61,
    "asker_repeats": 0.66,
    "followed_at_once": 0.20,
    "followed_by_shared_words": 0.42,
    "shared_words": 0.46,
    "named_first": -0.63,
    "named_times": 0.02,
    "talkers_in_between": -0.42,
    "busy": 0.32,
}
START = 1.02
THRESHOLD = 0.55  # from which a question counts as answered: best for the unanswered on that half


@dataclass(frozen=True, slots=True)
class _Said:
    writer: str
    text: str
    minute: float
    words: frozenset[str]


def answered(channel: Sequence[Message], at: int) -> float:
    """0 to 1: how likely the question at this place of a channel was answered.

    `channel` is in time order; bots' messages answer nothing.
    """
    said = [_said(m) for m in channel[max(0, at - 15) : at + 1 + AHEAD] if m.is_human]
    asked = _said(channel[at])
    total = START + sum(
        WEIGHTS[name] * value for name, value in evidence(said, said.index(asked)).items()
    )
    return 1 / (1 + math.exp(-total))


def evidence(said: Sequence[_Said], at: int) -> dict[str, float]:
    """What speaks for an answer, by the names of WEIGHTS."""
    question = said[at]
    later = said[at + 1 : at + 1 + AHEAD]
    name = re.compile(rf"(?<![\w-]){re.escape(question.writer)}(?![\w-])", re.IGNORECASE)
    here = {each.writer for each in said}
    to = [_addressee(each, here) for each in later]
    own = [n for n, each in enumerate(later) if each.writer == question.writer]
    others = [n for n, each in enumerate(later) if each.writer != question.writer]
    named = [n for n in others if name.search(later[n].text)]
    loose = [n for n in others if to[n] is None and n < 15]
    shared = [len(later[n].words & question.words) for n in loose]
    first = later[0] if later else None
    follows = first is not None and first.writer != question.writer and to[0] is None
    talking = [n for n in others if n < 25 and to[n] in {None, question.writer}]
    soon = [n for n in own if n < 25]
    flags = {
        "asker_goes_on_after_another": any(
            n + 1 == m and to[m] is None for n in talking for m in soon
        ),
        "nobody_else_speaks": len({later[n].writer for n in others if n < 25}) <= 2,
        "asker_silent": not own,
        "named_in_5": any(n < 5 for n in named),
        "named_in_15": any(n < 15 for n in named),
        "named_in_50": any(n < 50 for n in named),
        "named_in_100": bool(named),
        "named_at_once": any(later[n].minute - question.minute <= 2 for n in named),
        "asker_acknowledges": any(
            cues.patterns("replies")[kind].search(later[n].text)
            for n in own if n < 60 for kind in ("thanks", "solved")
        ),
        "asker_repeats": any(
            len(later[n].words & question.words) >= max(3, 0.7 * len(question.words)) for n in own
        ),
        "followed_at_once": follows,
        "followed_by_shared_words": follows and bool(shared) and loose[0] == 0 and shared[0] > 0,
    }  # fmt: skip
    return {
        **{key: float(value) for key, value in flags.items()},
        "shared_words": math.log1p(max(shared, default=0)),
        "named_first": math.log1p(named[0] if named else AHEAD),
        "named_times": math.log1p(len(named)),
        "talkers_in_between": math.log1p(len({later[n].writer for n in range(named[0])}))
        if named
        else 3.0,
        "busy": math.log1p(len({each.writer for each in later[:20]})),
    }


@lru_cache(maxsize=1024)  # neighbouring questions look at the same messages
def _said(message: Message) -> _Said:
    text = authored(message.body, message.form).text
    return _Said(
        (message.username or message.account_id or "").lower(),
        message.body[:2000],
        message.created_at.timestamp() / 60,
        frozenset(re.findall(r"[a-z0-9.+-]{4,}|[\u3400-\u9fff]{2}", text.lower())) - _COMMON,
    )


def _addressee(said: _Said, here: set[str]) -> str | None:
    """Whom a message opens by naming ("name: ..." or "@name"), if that is somebody here."""
    head = _ADDRESS.match(said.text.lower())
    name = (head[1] or head[2]) if head else None
    return name if name in here else None


_ADDRESS = re.compile(r"\s*(?:@([\w.\[\]\\`^{}|-]+)|([\w.\[\]\\`^{}|-]+)\s*[:,;>])")
_COMMON = frozenset(
    """that this with have from what when does anyone there your just like some want need know
    using about would could should into then they them because will cant dont im it's""".split()  # noqa: SIM905
)
