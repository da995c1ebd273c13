"""The ladder: an item on the list that nobody took up is told once more, to somebody nearer."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.digest.edition import Item, ItemId
from pipeline.digest.page import titled
from pipeline.digest.selection import SECTIONS
from pipeline.digest.words import Words
from pipeline.settings import Audience, Ladder

Rung = Literal["mention", "lead"]
_MOST = 10  # items of one message; the others come with the next


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of one ladder, and the items that have reached it; those that waited longest first.

    channel  its name in the ledger
    """

    ladder: str
    rung: Rung
    items: tuple[Item, ...]

    @property
    def channel(self) -> str:
        """The rung's name in the ledger."""
        return f"{self.ladder}/{self.rung}"

    @property
    def key(self) -> str:
        """The same for the same items, so that a step taken twice is one message."""
        named = " ".join(sorted(item.ref for item in self.items))
        return f"{self.channel}/{hashlib.blake2b(named.encode(), digest_size=8).hexdigest()}"


def steps(
    reader: Audience,
    items: Iterable[Item],
    first_told: Mapping[ItemId, datetime],
    taken: Mapping[str, Collection[ItemId]],
    now: datetime,
) -> Iterator[Step]:
    """The steps that are due. What was judged, snoozed or claimed takes none, and each item takes
    each step once.

    items       all that is open, see `open_items`
    first_told  item -> when its readers were first told
    taken       channel of a step -> items that took it
    """
    held = [
        (told, item)
        for item in items
        for told in [first_told.get(item.id)]
        if told and not item.claims
    ]
    for name, ladder in reader.ladders.items():
        for rung, after_h in _rungs(ladder):
            done = taken.get(f"{name}/{rung}", ())
            reached = [
                (told, item)
                for told, item in held
                if _stands_on(ladder, item)
                and item.id not in done
                and (now - told).total_seconds() >= 3600 * after_h
            ]
            reached.sort(key=lambda one: (one[0], one[1].ref))
            if reached:
                yield Step(name, rung, tuple(item for _, item in reached[:_MOST]))


def text(step: Step, words: Words, mention: Iterable[str] = ()) -> str:
    """The message, as lines; `words` escapes for where it goes. Calls the names in `mention`."""
    called = " ".join(f"@{name}" for name in mention)
    head = words(f"ladder.{step.rung}", n=len(step.items))
    return "\n".join([f"{called} {head}".strip(), "", *(_line(item, words) for item in step.items)])


def _line(item: Item, words: Words) -> str:
    facts = [titled(item.title, words), words("fact.channel", channel=item.channel)]
    facts += [words.duration(item.age_h), f"{words('verdict.label')} {item.ref}"]
    return f"- {' · '.join(facts)}\n  {item.url or ''}".rstrip()


def _rungs(ladder: Ladder) -> Iterator[tuple[Rung, float]]:
    if ladder.mention_after_h is not None:
        yield "mention", ladder.mention_after_h
    if ladder.lead_after_h is not None:
        yield "lead", ladder.lead_after_h


def _stands_on(ladder: Ladder, item: Item) -> bool:
    place = f"{item.source}/{item.channel}"
    return SECTIONS[item.kind] in ladder.sections and (not ladder.places or place in ladder.places)
