"""The whole script up to a night: steps in time order, every thing with its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from random import Random
from typing import Any

from pipeline.sandbox.community.cast import Cast
from pipeline.sandbox.community.chat_days import ChatDays
from pipeline.sandbox.community.forum_days import ForumDays
from pipeline.sandbox.community.planted import places, planted_steps
from pipeline.sandbox.community.steps import (
    HISTORY_DAYS,
    SETTLING_DAYS,
    Ref,
    Step,
    chat_id,
    fill,
    night,
    texts,
)

_MADE = {  # method of the forum -> the kind of thing it makes
    "reply": "post",
    "add_user": "user",
    "add_category": "category",
    "chat_channel": "chat_channel",
    "chat": "chat_message",
}
_GAP = 5  # post ids left free where the forum itself makes posts
_ROOM = 50  # ids left free after each night, for what readers of the forum write by day


@dataclass
class Ids:
    """Ids given so far, by kind and name. The forum's rise with time and have gaps."""

    given: dict[Ref, int | str] = field(default_factory=dict)
    last: dict[str, int] = field(
        default_factory=lambda: {
            "user": 0,
            "category": 4,
            "topic": 40,
            "post": 100,
            "reviewable": 0,
            "chat_channel": 0,
            "chat_message": 0,
        }
    )

    def give(self, kind: str, name: str) -> int:
        """The next id of this kind, now the id of `name`."""
        self.last[kind] += 3 if kind in ("topic", "post") and self.last[kind] % 13 == 0 else 1
        self.given[Ref(kind, name)] = self.last[kind]
        return self.last[kind]

    def leave_room(self) -> None:
        """Skip some ids, so that what others wrote meanwhile is not overwritten."""
        for kind in ("user", "topic", "post"):
            self.last[kind] += _ROOM

    def names(self, kind: str) -> dict[str, str]:
        """The ids of a kind by name, as texts."""
        return {ref.name: str(id_) for ref, id_ in self.given.items() if ref.kind == kind}

    def resolve(self, value: Any, site: str) -> Any:
        """The value with ids in place of Refs."""
        if isinstance(value, list):
            return [self.resolve(part, site) for part in value]
        if not isinstance(value, Ref):
            return value
        return chat_id(*value) if site == "chat" else self.given[value]


@lru_cache(maxsize=2)
def script(through: int) -> tuple[Step, ...]:
    """Every step up to the run of night `through`, in time order, with ids for Refs.

    The script of an earlier night is a prefix of this one. Each step still names what it makes."""
    ids, n, steps = Ids(), 1, []
    for step in _in_time_order(through):
        while step.at > night(n):
            ids.leave_room()
            n += 1
        steps.append(_numbered(step, ids))
    return tuple(steps)


def _in_time_order(through: int) -> list[Step]:
    cast = Cast.assemble()
    steps = [*places(), *planted_steps()]
    for name, first in _planted_newcomers(steps):
        cast.expect(name, first)
    forum, chat = ForumDays(cast), ChatDays(cast)
    for day in range(1 - HISTORY_DAYS + SETTLING_DAYS, through):
        steps += forum.day(day, Random(f"forum {day}"))
        steps += chat.day(day, Random(f"chat {day}"))
    steps += cast.steps
    return sorted((s for s in steps if s.at <= night(through)), key=lambda s: s.at)


def _planted_newcomers(steps: list[Step]) -> Iterator[tuple[str, Any]]:
    """Newcomers who speak in a planted case, each with the time of the first word."""
    names = [entry["username"] for entry in texts("people")["newcomers"]]
    for name in names:
        spoken = [step.at for step in steps if step.args.get("user_id") == Ref("user", name)]
        if spoken:
            yield name, min(spoken)


def _numbered(step: Step, ids: Ids) -> Step:
    """The step with ids for Refs, and with the ids of what it makes."""
    args = {name: ids.resolve(value, step.site) for name, value in step.args.items()}
    args |= _given(step, ids)
    if "topic:$" in str(args.get("raw", "")):
        args["raw"] = fill(args["raw"], ids.names("topic"))
    # The forum's permanent deletions leave nothing behind, not even a time.
    when = {} if step.do.startswith("destroy") else {"at": step.at}
    return replace(step, args=args | when)


def _given(step: Step, ids: Ids) -> Mapping[str, int | str]:
    """The arguments that tell the callee which ids to use for what the step makes."""
    match step.site, step.do:
        case "forum", "create_topic" | "private_message":
            topic = ids.give("topic", step.makes)
            return {"id": topic, "post_id": ids.give("post", step.makes + "#1")}
        case "forum", do if do in _MADE:
            return {"id": ids.give(_MADE[do], step.makes)}
        case "forum", "flag" if Ref("reviewable", step.makes) not in ids.given:
            ids.give("reviewable", step.makes)  # the forum counts them from 1
        case "forum", "move_posts":
            ids.last["post"] += _GAP
        case "chat", "post":
            return {"id": chat_id("message", step.makes)}
    return {}
