"""Talk in flat channels that people took apart by hand: who goes on from whom, who answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.classify.message import Message
from pipeline.classify.train import SEED


@dataclass(frozen=True, slots=True)
class Logs:
    """Hand-linked channels of one half of the Ubuntu IRC logs (CC BY 4.0, Kummerfeld et al., ACL
    2019).

    channels   file -> its messages in order
    parents    file -> place of a message -> places of what it goes on from; itself: nothing
    questions  (file, place, was it answered by another person)
    """

    channels: Mapping[str, Sequence[Message]]
    parents: Mapping[str, Mapping[int, set[int]]]
    questions: Sequence[tuple[str, int, bool]]


def read(folder: Path, half: str) -> Logs:
    """One half ("train" or "dev") of the logs; questions with 100 messages after them at least."""
    import duckdb

    channels: dict[str, list[Message]] = defaultdict(list)
    places: dict[tuple[str, int], int] = {}
    parents: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    with duckdb.connect() as db:
        for file, number, writer, text, minute in db.execute(
            'SELECT file, idx, "user", text, minute FROM read_parquet(?)'
            " WHERE split = ? ORDER BY file, idx",
            [str(folder / "irc_replies_messages_en.parquet"), half],
        ).fetchall():
            at = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
            places[file, number] = len(channels[file])
            channels[file].append(
                Message("irc", file, str(number), writer, at, text, "markdown", username=writer)
            )
        for file, a, b in db.execute(
            "SELECT file, least(a, b), greatest(a, b) FROM read_parquet(?) WHERE split = ?",
            [str(folder / "irc_replies_links_en.parquet"), half],
        ).fetchall():
            if (file, a) in places and (file, b) in places:
                parents[file][places[file, b]].add(places[file, a])
        asked = db.execute(
            "SELECT file, idx, answered_gold FROM read_parquet(?)"
            " WHERE split = ? AND question_rule AND remain >= 100 ORDER BY file, idx",
            [str(folder / "irc_replies_starters_en.parquet"), half],
        ).fetchall()
    return Logs(channels, parents, [(file, places[file, n], gold) for file, n, gold in asked])


def read_dialogs(folder: Path) -> list[list[Message]]:
    """Hand-separated dialogs of quiet channels, each begun by a question; who speaks is a number
    within the dialog. A time that cannot be read is that of the message before."""
    import duckdb

    with duckdb.connect() as db:
        rows = db.execute(
            "SELECT project || '/' || dialog AS dialog, pos, 'speaker' || speaker, text, coalesce("
            " max(try_cast(ts AS TIMESTAMP)) OVER (PARTITION BY project, dialog ORDER BY pos),"
            " TIMESTAMP '2015-01-01')"
            " FROM read_parquet(?) ORDER BY project, dialog, pos",
            [str(folder / "gitter_dialogs_en.parquet")],
        ).fetchall()
    dialogs: dict[str, list[Message]] = defaultdict(list)
    for dialog, place, writer, text, at in rows:
        dialogs[dialog].append(
            Message(
                "gitter",
                dialog,
                f"{dialog}/{place}",
                writer,
                at.replace(tzinfo=UTC),
                text or "",
                "markdown",
                username=writer,
            )
        )
    return list(dialogs.values())


@dataclass(frozen=True, slots=True)
class Room:
    """A stretch of a quiet channel with a question in it.

    name      the room the dialog was held in
    kind      "alone", nobody else talks; "among others", another dialog of the room was going on;
              "left alone", that, and the question's own answers are taken out
    question  its message_id
    answers   message_ids of what others said to it
    """

    name: str
    kind: str
    channel: Sequence[Message]
    question: str
    answers: frozenset[str]


def mix(dialogs: Sequence[Sequence[Message]]) -> Iterator[Room]:
    """Each dialog as all three kinds of room. The other dialog and its time are drawn, the same
    ones each time; its people are told apart by a prefix."""
    rng = np.random.default_rng(SEED)
    rooms: dict[str, list[Sequence[Message]]] = defaultdict(list)
    for dialog in dialogs:
        if len({m.username for m in dialog}) > 1:
            rooms[_room(dialog)].append(dialog)
    for dialog in dialogs:
        name, first = _room(dialog), dialog[0]
        mine = [m for m in dialog if m.username == first.username]
        answers = frozenset({m.message_id for m in dialog} - {m.message_id for m in mine})
        yield Room(name, "alone", dialog, first.message_id, answers)
        others = [each for each in rooms[name] if each[0] is not first]
        if not others:
            continue
        other = others[int(rng.integers(len(others)))]
        then = other[int(rng.integers(len(other)))].created_at
        later = first.created_at - then + timedelta(minutes=rng.uniform(-30, 30))
        talk = [
            replace(m, username=f"other {m.username}", created_at=m.created_at + later)
            for m in other
        ]
        for kind, said, kept in (("among others", dialog, answers), ("left alone", mine, ())):
            channel = sorted([*said, *talk], key=lambda m: m.created_at)
            yield Room(name, kind, channel, first.message_id, frozenset(kept))


def _room(dialog: Sequence[Message]) -> str:
    return dialog[0].thread_id.split("/")[0]
