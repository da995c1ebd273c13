"""Has a question been answered, and by which reply?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.classify import replies as said
from pipeline.classify.message import Message, Reason, Score
from pipeline.classify.replies import Reply
from pipeline.text import authored

Level = Literal["L0", "L1", "L2", "L3"]
State = Literal["waiting", "open", "stale", "helped", "solved"]

STALE_DAYS = 7
HELPFUL = 0.6  # from this probability a reply counts as an answer without anyone saying so


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread as it stood: its messages in time order, the first one the opening.

    scores   message_id -> its scores; may lack messages
    reports  message_id -> members whose report of it no moderator has decided yet
    """

    source: str
    thread_id: str
    messages: Sequence[Message]
    scores: Mapping[str, Sequence[Score]] = field(default_factory=dict)
    reports: Mapping[str, int] = field(default_factory=dict)

    @property
    def turns(self) -> list[Message]:
        """The messages of people; bots take no turns."""
        return [message for message in self.messages if message.is_human]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a question has come.

    level    L0 no human but the asker replied; L1 someone did, no sign that it helped; L2 a reply
             helped; L3 an answer was accepted or the asker says it is solved
    state    "waiting" (L0), "open" (L1), "stale" (L1 and the asker wrote last, or a helper's
             question stands unanswered for a week), "helped" (L2), "solved" (L3)
    answer   message_id of the reply that helped, null below L2 or where the asker found it alone
    waiting_since  since when the asker waits; null from L2 on
    """

    level: Level
    state: State
    reasons: tuple[Reason, ...]
    answer: str | None = None
    waiting_since: datetime | None = None

    @property
    def rule(self) -> str:
        """The code of the reason that decided."""
        return self.reasons[0].code


def unanswered(thread: ThreadView, as_of: datetime) -> Progress:
    """Whether a thread that asks something still needs somebody, as of a moment.

    Bots never answer. Where the asker's account is gone, every human reply is someone else's. The
    asker's last word counts: what they were helped with before they said that it goes on is none.
    """
    first = thread.messages[0]
    replies = read_replies(thread)
    others = [reply for reply in replies if not reply.is_asker]
    accepted = next((r for r in thread.messages if r.is_accepted), None)
    if accepted:
        return Progress("L3", "solved", (Reason("accepted"),), accepted.message_id)
    if _SOLVED_TITLE.search(first.title or "") and not _UNSOLVED_TITLE.search(first.title or ""):
        return Progress("L3", "solved", (Reason("self_solved", {"words": first.title or ""}),))
    lately = _since_it_goes_on(replies)
    if solved := _says_solved(first, replies, lately):
        return solved
    real = said.real(others)
    if real and (helped := _helped(first, replies, lately, real)):
        return helped
    if not real:
        return Progress("L0", "waiting", _silence(thread, replies, others), None, first.created_at)
    return _open(replies, first, as_of)


def read_replies(thread: ThreadView) -> list[Reply]:
    """The human replies of a thread, in time order."""
    first, language = thread.messages[0], _language(thread)
    return [
        said.read(message, language, is_asker=message.account_id == first.account_id is not None)
        for message in thread.messages[1:]
        if message.is_human
    ]


def _language(thread: ThreadView) -> str | None:
    """What a thread's opening, its title included, was judged as; null without its scores."""
    scores = thread.scores.get(thread.messages[0].message_id, ())
    return next((score.language for score in scores if score.label == "question"), None)


def _since_it_goes_on(replies: Sequence[Reply]) -> Sequence[Reply]:
    """The replies since the asker last said that it goes on; all where they never did."""
    back = (n for n, reply in enumerate(replies) if reply.is_asker and said.goes_on(reply))
    return replies[max(back, default=-1) + 1 :]


def _says_solved(
    first: Message, replies: Sequence[Reply], lately: Sequence[Reply]
) -> Progress | None:
    for reply in lately:
        sentence = said.solving(reply) if reply.is_asker else None
        if sentence is None:
            continue
        reason = Reason("self_solved", {"words": sentence})
        before = [r for r in _until(reply, replies) if not r.is_asker]
        if not before:
            return Progress("L3", "solved", (reason,))
        if "thanks" in reply.says:
            return Progress("L3", "solved", (Reason("thanked"), reason), _thanked(reply, before))
        return Progress("L3", "solved", (reason,), best_answer(first, replies))
    return None


def _helped(
    first: Message, replies: Sequence[Reply], lately: Sequence[Reply], real: Sequence[Reply]
) -> Progress | None:
    """By the asker's like or thanks for one of the replies that may be an answer, or by what such a
    reply looks like."""
    liked = [o for o in real if first.account_id in o.message.thanked_by]
    if len(lately) < len(replies):  # a like from before says no more than thanks do
        liked = [o for o in liked if o in lately]
    if liked:
        return Progress("L2", "helped", (Reason("liked"),), liked[-1].message.message_id)
    for reply in lately:
        before = _until(reply, real)
        if reply.is_asker and before and said.thanks(reply):
            return Progress("L2", "helped", (Reason("thanked"),), _thanked(reply, before))
    values = helpfulness(first, replies)
    best = values.index(max(values))
    if values[best] >= HELPFUL and replies[best] in real and not replies[-1].is_asker:
        answer = replies[best].message.message_id
        return Progress("L2", "helped", (Reason("looks_helpful"),), answer)
    return None


def _until(reply: Reply, replies: Sequence[Reply]) -> list[Reply]:
    return [r for r in replies if r.message.created_at <= reply.message.created_at]


def _thanked(reply: Reply, before: Sequence[Reply]) -> str:
    """The reply that an asker's thanks are for: the one named, else the one just before."""
    named = [o for o in before if o.message.message_id == reply.message.reply_to]
    names = {name.lower() for name in reply.parts.mentions}
    named += [o for o in before if (o.message.username or "").lower() in names]
    return (named or before)[-1].message.message_id


def _silence(
    thread: ThreadView, replies: Sequence[Reply], others: Sequence[Reply]
) -> tuple[Reason, ...]:
    if others:
        code = "only_me_too" if all(map(said.is_me_too, others)) else "only_remarks"
        return (Reason(code, {"n": len({o.message.account_id for o in others})}),)
    if replies:
        return (Reason("only_asker"),)
    return (Reason("only_bots" if len(thread.messages) > 1 else "no_reply"),)


def _open(replies: Sequence[Reply], first: Message, as_of: datetime) -> Progress:
    last = replies[-1]
    since = next((r.message.created_at for r in replies if r.is_asker), first.created_at)
    if last.is_asker:
        if said.rests(last) and not _was_asked(replies):
            return Progress("L1", "open", (Reason("asker_rests"),), None, since)
        return Progress("L1", "stale", (Reason("asker_last"),), None, last.message.created_at)
    quiet = (as_of - last.message.created_at).total_seconds() / 86_400
    if quiet >= STALE_DAYS and (last.asks or "asks_back" in last.says):
        return Progress("L1", "stale", (Reason("asked_back"),), None, since)
    return Progress("L1", "open", (Reason("no_sign_of_help"),), None, since)


def _was_asked(replies: Sequence[Reply]) -> bool:
    """Whether the last helper asked the asker something, so that what followed may be details."""
    last = next(reply for reply in reversed(replies) if not reply.is_asker)
    return last.asks or "asks_back" in last.says


# --- which reply is the answer -----------------------------------------------------------------

# What speaks for a reply, in log-odds: round numbers, set by hand. `hearth evaluate` holds them
# against a forum's accepted answers, beside weights learned from that forum itself.
WEIGHTS: Mapping[str, float] = {
    "asker": -1.0,
    "asker_solved": 2.0,
    "asker_solved_at_length": 1.0,
    "before_solved": 1.5,
    "then_solved": 1.0,
    "then_thanked": 1.0,
    "answered_by_thanks": 1.5,
    "asker_never_returned": 0.5,
    "asker_returns": -0.3,
    "first_of_others": 0.5,
    "most_liked": 1.0,
    "likes": 0.5,
    "longest": 0.3,
    "length": 0.2,
    "shares_words": 0.5,
    "has_code": 0.4,
    "has_links": 0.3,
    "helps": 0.5,
    "asks": -0.6,
    "asks_back": -0.6,
    "thanks": -0.6,
    "me_too": -0.8,
    "unsolved": -0.5,
    "later": -0.2,
    "followed_by": -0.1,
    "likes_above_others": 0.3,
    "writes_much_here": 0.3,
    "then_unsolved": -0.8,
}
_START = -2.5


def helpfulness(opening: Message, replies: Sequence[Reply]) -> list[float]:
    """0 to 1 for each reply: how likely it is the one that answers."""
    totals = (
        _START + sum(WEIGHTS[name] * value for name, value in found.items())
        for found in evidence(opening, replies)
    )
    return [1 / (1 + math.exp(-total)) for total in totals]


def best_answer(opening: Message, replies: Sequence[Reply]) -> str | None:
    """message_id of the likeliest answer, null without replies."""
    values = helpfulness(opening, replies)
    return replies[values.index(max(values))].message.message_id if values else None


def evidence(opening: Message, replies: Sequence[Reply]) -> list[dict[str, float]]:
    """What speaks for and against each reply, by the names of WEIGHTS."""
    asked = words(f"{opening.title or ''} {authored(opening.body, opening.form).text}")
    solved = [at for at, r in enumerate(replies) if r.is_asker and said.has_good_news(r)]
    others = [at for at, r in enumerate(replies) if not r.is_asker]
    likes = [len(r.message.thanked_by) for r in replies]
    lengths = [len(r.parts.text) + sum(map(len, r.parts.code)) for r in replies]
    writers = [r.message.account_id for r in replies]
    last_solved = solved[-1] if solved else -1
    before_solved = max((at for at in others if at < last_solved), default=-1)
    found = []
    for at, reply in enumerate(replies):
        back = [n for n in range(at + 1, len(replies)) if replies[n].is_asker]
        thanks = bool(back) and "thanks" in replies[back[0]].says
        answered_by_thanks = any(
            "thanks" in replies[n].says and replies[n].message.reply_to == reply.message.message_id
            for n in back
        )
        flags = {
            "asker": reply.is_asker,
            "asker_solved": at == last_solved,
            "asker_solved_at_length": at in solved and lengths[at] > 200,
            "before_solved": at == before_solved,
            "then_solved": bool(back) and back[0] in solved and back[0] == at + 1,
            "then_thanked": thanks and back[0] == at + 1,
            "answered_by_thanks": answered_by_thanks,
            "asker_never_returned": not back and not reply.is_asker,
            "first_of_others": bool(others) and at == others[0],
            "most_liked": likes[at] == max(likes) > 0,
            "longest": lengths[at] == max(lengths),
            "has_code": bool(reply.parts.code),
            "has_links": bool(reply.parts.links),
            "asks": reply.asks,
            "then_unsolved": bool(back) and "unsolved" in replies[back[0]].says,
            "me_too": not {"me_too", "joins"}.isdisjoint(reply.says),
            **{kind: kind in reply.says for kind in _SAID},
        }
        found.append(
            {
                **{name: float(flag) for name, flag in flags.items()},
                "asker_returns": math.log1p(len(back)),
                "likes": math.log1p(likes[at]),
                "length": math.log1p(lengths[at]) - 4.5,
                "shares_words": len(words(reply.parts.text) & asked) / math.sqrt(1 + len(asked)),
                "later": math.log1p(at),
                "followed_by": math.log1p(len(replies) - 1 - at),
                "likes_above_others": likes[at] - sum(likes) / len(likes),
                "writes_much_here": writers.count(reply.message.account_id) / len(writers),
            }
        )
    return found


_SAID = ("helps", "asks_back", "thanks", "unsolved")


def words(text: str) -> set[str]:
    """What a text is about: longer words; of Chinese, pairs of neighbouring characters."""
    return set(re.findall(r"[a-zäöüß]{4,}|[\u3400-\u9fff]{2}", text[:4000].lower()))


_SOLVED_TITLE = re.compile(
    r"[\[(【]\s*(?:solved|resolved|fixed|done|answered|gelöst|erledigt|已解决|已搞定|解决).{0,12}[\])】]"
    r"|(?:solved|gelöst|已解决)\s*$",
    re.IGNORECASE,
)
_UNSOLVED_TITLE = re.compile(
    r"un\s*(?:re)?solved|not solved|ungelöst|nicht gelöst|未解决|没解决", re.IGNORECASE
)
