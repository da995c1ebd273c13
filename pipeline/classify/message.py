"""What is judged, and what a judgement says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

from pipeline.text import Form

Label = Literal["uncivil", "strict", "question"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stood when it was judged.

    thread_id      the thread it belongs to; a chat message outside threads is its own thread
    account_id     null where the source no longer tells who wrote it
    is_human       false for bots, integrations and the system: they are never judged and never
                   answer
    is_first       true for the message that opens its thread
    is_notice      true for one that opens an announcement, an unlisted topic or what describes a
                   category: it asks nobody
    reply_to       message_id this one answers or, in a flat channel, quotes; null where the
                   source does not say
    thanked_by     account_ids that liked it or reacted to it with approval
    is_accepted    true for the accepted answer
    """

    source: str
    thread_id: str
    message_id: str
    account_id: str | None
    created_at: datetime
    body: str
    form: Form
    is_human: bool = True
    is_first: bool = False
    is_notice: bool = False
    title: str | None = None
    channel: str | None = None
    reply_to: str | None = None
    username: str | None = None
    thanked_by: frozenset[str] = frozenset()
    is_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a code of `reasons.toml` and the values its sentence names."""

    code: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """One answer to one question about one message.

    text_hash         of the author's own words (for a question with the title): the same words
                      under the same version get the same score
    language          ISO 639-1, null if unknown
    score             0 to 1, a calibrated probability at the base rate its card names; null if
                      unscored
    threshold         the score from which it counts; null: the model may not flag anything
    reasons           strongest first; empty below the threshold
    sentence          the author's sentence that weighed most; null below the threshold
    unscored_because  "language" (no model, of questions no word list covers it), "no_text" (nothing
                      but quotes, code, links); null if scored
    """

    source: str
    message_id: str
    text_hash: str
    language: str | None
    label: Label
    score: float | None
    threshold: float | None
    model: str
    model_version: str
    reasons: tuple[Reason, ...] = ()
    sentence: str | None = None
    unscored_because: str | None = None

    @property
    def is_flagged(self) -> bool:
        """True if the score reaches its threshold."""
        if self.score is None or self.threshold is None:
            return False
        return self.score >= self.threshold


@cache
def reasons() -> dict[str, dict[str, str]]:
    """Every reason code with its sentence in each language, placeholders in braces."""
    return tomllib.loads((Path(__file__).parent / "reasons.toml").read_text(encoding="utf-8"))
