"""Is a thread turning sour, and since when?

Kinds of evidence that do not depend on each other are counted; the count is the severity. No
single kind, and no score, calls for a moderator by itself, except a message bad enough alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pipeline.classify import cues
from pipeline.classify.answers import ThreadView
from pipeline.classify.message import Message, Reason, Score
from pipeline.text import authored, sentences

MEMORY = 0.75  # of a turn's heat is left one turn later
WARM = 0.5  # heat from which a thread is called warming
CALM = 0.2  # heat below which a quarrel is over: what comes later is another

_RECENT = 6  # turns that pace, ping-pong and "you not" look at
_PING_PONG = 4
_FASTER = 4.0
_YOU_NOT = [  # of each language the words for "you", and those that deny
    (re.compile(you, re.IGNORECASE), re.compile(denial, re.IGNORECASE))
    for you, denial in (
        (
            r"\b(?:you|your|you're|u|ur)\b",
            r"\b(?:not|no|never|nothing|\w+n't|cannot|cant|dont|wont)\b",
        ),
        (
            r"\b(?:du|dich|dir|dein\w{0,2}|ihr|euch|euer|eure[mnrs]?)\b",
            r"\b(?:nicht|nichts|kein\w{0,2}|nie|niemals)\b",
        ),
        ("你|您", "不|没|别"),
    )
]


@dataclass(frozen=True, slots=True)
class Heat:
    """How heated a thread is.

    score     0 to 1: decayed sum of what each turn adds; null if no turn could be scored
    severity  number of independent kinds of evidence
    kinds     those kinds: "tone" (the model), "alert" (a message that is bad alone), "reports"
              (members), "wording" (you with not), "pattern" (two people answering each other),
              "pace"
    turn      place of the message the thread is told by, among `ThreadView.turns`: of the stretch
              that is heated now the first alert, or else the first rough one; without either the
              turn that adds most heat, or the message most reported where only members speak
              against the thread; null without evidence
    curve     heat after each turn, for a sparkline
    """

    score: float | None
    severity: int
    kinds: tuple[str, ...]
    turn: int | None
    reasons: tuple[Reason, ...]
    curve: tuple[float, ...]

    @property
    def is_warming(self) -> bool:
        """True if the thread belongs in front of a moderator."""
        return bool({"alert", "reports"} & set(self.kinds)) or (
            (self.score or 0.0) >= WARM and self.severity >= 2
        )


def heat(thread: ThreadView) -> Heat:
    """The heat of a thread as it stood, from the messages of its people."""
    people = thread.turns
    tones = [_tone(thread, message) for message in people]
    added = [
        (tone or 0.0) + (0.3 if _says_you_not(m) else 0.0)
        for m, tone in zip(people, tones, strict=True)
    ]
    curve = _curve(added)
    kinds = dict(_evidence(thread, people, curve))
    known = any(tone is not None for tone in tones)
    return Heat(
        score=max(curve[-_RECENT:], default=0.0) if known else None,
        severity=len(kinds),
        kinds=tuple(kinds),
        turn=_turn(thread, people, added, curve) if kinds and people else None,
        reasons=tuple(kinds.values()),
        curve=tuple(round(value, 3) for value in curve),
    )


def _tone(thread: ThreadView, message: Message) -> float | None:
    """How far a message is on the way to, or beyond, the thresholds of its scores: 0 to 2."""
    parts = [
        min(1.0, score.score / score.threshold) ** 2
        for score in thread.scores.get(message.message_id, ())
        if score.label in {"uncivil", "strict"}
        and score.score is not None
        and score.threshold
        and not _exclaims(score)
    ]
    return sum(parts) if parts else None


def _curve(added: Sequence[float]) -> list[float]:
    """Heat after each turn, 0 to 1: what the turns add, fading by MEMORY a turn."""
    total, curve = 0.0, []
    for value in added:
        total = total * MEMORY + value
        curve.append(total / (total + 1.5))
    return curve


def _turn(
    thread: ThreadView,
    people: Sequence[Message],
    added: Sequence[float],
    curve: Sequence[float],
) -> int:
    places = {message.message_id: n for n, message in enumerate(people)}
    reported = {places[key]: n for key, n in thread.reports.items() if key in places}
    if reported and max(curve) < WARM:
        return max(sorted(reported), key=lambda place: reported[place])
    alerts, rough = (
        {places[s.message_id] for s in _flagged(thread, people, label) if not _exclaims(s)}
        for label in ("strict", "uncivil")
    )
    if not alerts | rough:
        return added.index(max(added))
    last = max(alerts | rough)
    calm = next((n for n in range(last, -1, -1) if curve[n] < CALM), -1)
    heated = {last} | {n for n in alerts | rough if n > calm}
    return min(heated & alerts or heated)


def _evidence(
    thread: ThreadView, people: Sequence[Message], curve: Sequence[float]
) -> list[tuple[str, Reason]]:
    found = []
    alerts, rough = (_flagged(thread, people, label) for label in ("strict", "uncivil"))
    rough = [score for score in rough if not _exclaims(score)]
    if alerts:
        found.append(("alert", Reason("alert_messages", {"n": len(alerts), **_models(alerts)})))
    if len(rough) >= 2:
        found.append(("tone", Reason("rough_messages", {"n": len(rough), **_models(rough)})))
    elif len(curve) > 2 and curve[-1] > WARM and curve[-1] > 2 * curve[max(0, len(curve) - 4)]:
        found.append(("tone", Reason("rising", {"turns": min(3, len(curve))})))
    if reports := sum(thread.reports.values()):
        found.append(("reports", Reason("reported", {"n": reports})))
    recent = people[-_RECENT:]
    if (turns := sum(map(_says_you_not, recent))) >= 2:
        found.append(("wording", Reason("you_against_you", {"n": turns})))
    if (times := _ping_pong(people)) >= _PING_PONG:
        found.append(("pattern", Reason("ping_pong", {"n": times})))
    if (faster := _pace(people)) >= _FASTER:
        found.append(("pace", Reason("pace", {"times": round(faster, 1)})))
    return found


def _flagged(thread: ThreadView, people: Sequence[Message], label: str) -> list[Score]:
    scores = (s for m in people for s in thread.scores.get(m.message_id, ()))
    return [score for score in scores if score.label == label and score.is_flagged]


def _exclaims(score: Score) -> bool:
    """Whether a flag says that its message merely curses, at nobody: that heats no thread."""
    return any(reason.code == "exclaimed" for reason in score.reasons)


def _models(scores: Sequence[Score]) -> Mapping[str, str]:
    """The models this evidence depends on; none where a plain rule alone would have found it."""
    if any(map(breaks_a_rule, scores)):
        return {}
    return {"models": " ".join(sorted({score.model for score in scores}))}


def breaks_a_rule(score: Score) -> bool:
    """Whether a flag says that its message breaks a plain rule."""
    return any(reason.code in cues.rule_names() for reason in score.reasons)


def _says_you_not(message: Message) -> bool:
    """True if a sentence of the author's own says "you" together with "not"."""
    text = authored(message.body, message.form).text[:4000]
    said = sentences(text)
    return any(
        you.search(part) and denial.search(part) for you, denial in _YOU_NOT for part in said
    )


def _ping_pong(people: Sequence[Message]) -> int:
    """How many of the last turns in a row alternate between the same two people."""
    writers = [m.account_id for m in people]
    turns = 0
    for at in range(len(writers) - 1, 0, -1):
        before, this, after = writers[at - 1], writers[at], writers[at + 1 : at + 2]
        if before is None or before == this or after not in ([], [before]):
            break
        turns += 1
    return turns


def _pace(people: Sequence[Message]) -> float:
    """How many times as fast the last turns came as those before; 0 with too few to tell."""
    gaps = [(b.created_at - a.created_at).total_seconds() for a, b in pairwise(people)]
    if len(gaps) < 2 * 3:
        return 0.0
    return median(gaps[:-3]) / max(median(gaps[-3:]), 60.0)
