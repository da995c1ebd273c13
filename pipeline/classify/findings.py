"""What a thread is found to be, as rows of judgement.threads. Pure: nights and the lab share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from pipeline.classify import chat
from pipeline.classify.answers import Progress, ThreadView, unanswered
from pipeline.classify.chat import Heard
from pipeline.classify.heat import Heat, breaks_a_rule, heat
from pipeline.classify.message import Message, Reason, Score
from pipeline.text import authored, text_hash

_SHOWN = 400  # characters of a message, for who reads the finding
_CURVE = 40  # turns a sparkline has room for

Row = dict[str, Any]


def findings(thread: ThreadView, as_of: datetime, in_channel: Heard | None = None) -> Iterator[Row]:
    """Rows of judgement.threads about this thread, without the version of the judge.

    in_channel  what its flat channel says of the question; null in a forum, where replies stand in
                the thread
    """
    found = {"source": thread.source, "thread_id": thread.thread_id}
    asked = asks(thread)
    if asked and (in_channel is None or in_channel.begins):
        row = _question(thread, asked, answered(thread, as_of, in_channel), in_channel)
        yield {**found, **row, **_context(in_channel and in_channel.before)}
    worst = _worst(thread)
    if worst:
        yield {**found, **_toxic(thread, worst)}
    heated = heat(thread)
    if heated.is_warming and heated.turn is not None:
        yield {**found, **_sour(thread, heated, heated.turn)}


def asks(thread: ThreadView) -> Score | None:
    """The score by which its first message asks something; null where it does not."""
    if thread.messages[0].is_notice:
        return None
    asked = _score(thread, thread.messages[0], "question")
    return asked if asked and asked.is_flagged else None


def answered(thread: ThreadView, as_of: datetime, in_channel: Heard | None) -> Progress:
    """How far a question has come. In a flat channel nothing need link an answer to it: what was
    said around it decides, unless somebody replied in its own thread or quotes it, or the asker
    says so."""
    progress = unanswered(thread, as_of)
    first = thread.messages[0]
    if in_channel is None or progress.rule in _ASKERS_WORD:
        return progress
    if in_channel.solved is not None:
        alone = Reason("self_solved", {"words": in_channel.solved})
        return Progress("L3", "solved", (alone,), progress.answer)
    if any(_replies(m, first) for m in thread.messages[1:]):
        return progress
    if in_channel.answered < chat.weights().answered:
        silence = Reason("channel_went_on", {"likely": round(in_channel.answered, 2)})
        return Progress("L0", "waiting", (silence,), None, first.created_at)
    said = Reason("answered_in_channel", {"likely": round(in_channel.answered, 2)})
    if progress.level == "L0":
        return Progress("L1", "open", (said,), None, first.created_at)
    return replace(progress, reasons=(*progress.reasons, said))


def _replies(message: Message, first: Message) -> bool:
    """Whether somebody else replies to a question for certain: in its thread, or by quoting it."""
    if not message.is_human or message.account_id == first.account_id:
        return False
    return message.thread_id == first.thread_id or message.reply_to == first.message_id


_ASKERS_WORD = frozenset({"accepted", "self_solved", "thanked", "liked"})


def _question(
    thread: ThreadView, asked: Score, progress: Progress, in_channel: Heard | None
) -> Row:
    """What has no title, and no sentence that asks, is told by its beginning."""
    first = thread.messages[0]
    responded_at = in_channel and progress.level != "L0" and in_channel.responded_at
    return {
        "kind": "question",
        "level": progress.level,
        "state": progress.state,
        "rule": progress.rule,
        "answer_id": progress.answer,
        "responded_at": responded_at.isoformat() if responded_at else None,
        "waiting_since": progress.waiting_since and progress.waiting_since.isoformat(),
        "message_id": first.message_id,
        "score": asked.score,
        "severity": 1,
        "evidence": ["asks"],
        "reasons": _told("asks", *progress.reasons, *asked.reasons),
        "sentence": asked.sentence or (None if first.title else _beginning(first)),
        "text_hash": asked.text_hash,
        "model": asked.model,
    }


def _toxic(thread: ThreadView, worst: Score) -> Row:
    """A message that breaks a plain rule is evidence by rule, any other by model."""
    by = "rule" if breaks_a_rule(worst) else "alert"
    reports = thread.reports.get(worst.message_id, 0)
    reported = _told("reports", Reason("reported", {"n": reports})) if reports else []
    return {
        "kind": "toxic",
        "rule": worst.reasons[0].code if worst.reasons else "model",
        "message_id": worst.message_id,
        "score": worst.score,
        "severity": 2 if reports else 1,
        "evidence": [by, *(["reports"] if reports else [])],
        "reasons": [*reported, *_told(by, *worst.reasons)],
        "sentence": worst.sentence,
        "text_hash": worst.text_hash,
        "model": worst.model,
        **_before(thread, worst.message_id),
    }


def _sour(thread: ThreadView, heated: Heat, at: int) -> Row:
    """The message where the tone changed stands for the thread, and what was said there."""
    turn = thread.turns[at]
    there = [_score(thread, turn, label) for label in ("strict", "uncivil")]
    sentences = [score.sentence for score in there if score and score.is_flagged]
    cut = max(0, len(heated.curve) - _CURVE)
    return {
        "kind": "sour",
        "rule": heated.reasons[0].code,
        "message_id": turn.message_id,
        "score": heated.score,
        "severity": heated.severity,
        "evidence": sorted(heated.kinds),
        "reasons": [
            told
            for kind, reason in zip(heated.kinds, heated.reasons, strict=True)
            for told in _told(kind, reason)
        ],
        "sentence": sentences[0] if sentences else None,
        "text_hash": text_hash(turn.body),
        "model": "heat",
        **_before(thread, turn.message_id),
        "curve": list(heated.curve[cut:]),
        "turn": at - cut + 1 if at >= cut else None,
    }


def _before(thread: ThreadView, message_id: str) -> Row:
    at = [m.message_id for m in thread.messages].index(message_id)
    return _context(thread.messages[at - 1] if at else None)


def _context(before: Message | None) -> Row:
    """The beginning of what was said just before; empty where nothing was."""
    if before is None:
        return {}
    return {"context": _beginning(before), "context_id": before.message_id}


def _beginning(message: Message) -> str | None:
    """What its author wrote, as far as a digest shows it; null where they wrote nothing."""
    return " ".join(authored(message.body, message.form).text.split())[:_SHOWN] or None


def _told(evidence: str, *reasons: Reason) -> list[Row]:
    """Reasons as they are stored, each with the kind of evidence that it speaks for."""
    return [{"code": each.code, "evidence": evidence, **each.values} for each in reasons]


def _worst(thread: ThreadView) -> Score | None:
    """The strictest alert of a thread, one by a plain rule before all others; null without one."""
    alerts = [
        score
        for scores in thread.scores.values()
        for score in scores
        if score.label == "strict" and score.is_flagged
    ]
    return max(
        alerts,
        key=lambda score: (breaks_a_rule(score), score.score or 0, score.message_id),
        default=None,
    )


def _score(thread: ThreadView, message: Message, label: str) -> Score | None:
    found = (s for s in thread.scores.get(message.message_id, ()) if s.label == label)
    return next(found, None)
