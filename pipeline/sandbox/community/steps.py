"""What a script is made of: steps that name things, and the calendar they happen in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal, NamedTuple

import yaml

NIGHT_ONE = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HISTORY_DAYS = 90  # days of history before the first night
SETTLING_DAYS = 8  # of these: people arrive before they talk
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"


def night(n: int) -> datetime:
    """The moment night n (1-based) runs."""
    return NIGHT_ONE + timedelta(days=n - 1)


def hours(n: int, h: float) -> datetime:
    """The moment h hours after the run of night n; before it where h is negative."""
    return night(n) + timedelta(seconds=round(h * 3600))


class Ref(NamedTuple):
    """Stands for the id of a thing until it has one: a user, category, topic, post, report."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a method of Forum or Workspace; its arguments may hold Refs.

    `makes` names the thing that the call creates. `marks` say what the author of the script
    knows of it: "question", "answer", "toxic" ...
    """

    at: datetime
    site: Literal["forum", "chat"]
    do: str
    args: Mapping[str, Any]
    makes: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One post of a thread as scripted. `to`: number of the post it replies to, if any."""

    by: str
    at: datetime
    text: str
    marks: tuple[str, ...] = ()
    to: int | None = None


@cache
def texts(name: str) -> Any:
    """The tree of `texts/<name>.yaml`. Shared: not to be changed."""
    file = Path(__file__).parent / "texts" / f"{name}.yaml"
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with its $words filled in; an unknown $word stays as it is."""
    return Template(text.strip("\n")).safe_substitute(words)


def chat_id(kind: str, name: str) -> str:
    """An id in Rocket.Chat's form (17 characters), the same for the same thing each time."""
    digest = hashlib.sha256(f"emberfield {kind} {name}".encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:17])


def thread(name: str, place: str, title: str, kind: str, lines: list[Line]) -> list[Step]:
    """The steps of a thread: `name` is the topic, `name#2` its second post."""
    steps = []
    for number, line in enumerate(lines, start=1):
        author: dict[str, Any] = {"user_id": Ref("user", line.by), "raw": line.text}
        if number == 1:
            args = author | {"category_id": Ref("category", place), "title": title}
            steps.append(Step(line.at, "forum", "create_topic", args, name, (kind, *line.marks)))
            continue
        args = author | {"topic_id": Ref("topic", name)}
        args |= {"reply_to": line.to} if line.to else {}
        args |= {"post_type": 4} if "whisper" in line.marks else {}
        steps.append(Step(line.at, "forum", "reply", args, f"{name}#{number}", line.marks))
    return steps
