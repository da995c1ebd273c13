"""What moderators said: heard wherever they said it, kept in files, and put into the work file
beside what they were told of.

    digests/verdicts.jsonl   what was said by `hearth verdict`; only grows
    digests/heard.jsonl      what emoji, replies and review queues said; written anew each night
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import warehouse
from pipeline.digest.edition import ItemId, finding_of
from pipeline.digest.forum import answers
from pipeline.digest.ledger import Ledger, read_key
from pipeline.digest.review import outcomes
from pipeline.digest.verdicts import Precision, Verdict, from_reactions, from_replies, precision
from pipeline.errors import HearthError
from pipeline.files import make_folder, write_whole
from pipeline.jsonl import JsonLines
from pipeline.settings import Community
from pipeline.sources import understood

if TYPE_CHECKING:
    import duckdb

    from pipeline.sources import Writers

LISTENING = timedelta(days=7)  # how long emoji and replies under an item are asked for
ERASED = "erased"  # instead of the name of who was erased


class Verdicts:
    """The book of verdicts: a file that only grows. Conflicts are kept, not resolved."""

    def __init__(self, file: Path) -> None:
        self._lines = JsonLines(file)

    @classmethod
    def of(cls, community: Community) -> Verdicts:
        """The book of a community."""
        return cls(community.home / "digests" / "verdicts.jsonl")

    def add(self, verdict: Verdict) -> None:
        """Write a verdict down. A person's later choice on an item counts instead of an earlier."""
        self._lines.add(_entry(verdict))

    def read(self) -> list[Verdict]:
        """All verdicts, oldest first."""
        return sorted((_read(entry) for entry in self._lines), key=lambda verdict: verdict.at)


class Heard:
    """What was last heard of emoji and replies: a file that is replaced whole each night.

    A verdict stays once it is too old to be asked for again, `LISTENING` after its night; one taken
    back before is forgotten."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def of(cls, community: Community) -> Heard:
        """What was heard in a community."""
        return cls(community.home / "digests" / "heard.jsonl")

    def replace(
        self, heard: Collection[Verdict], now: datetime, silent: Collection[str] = ()
    ) -> list[Verdict]:
        """Write down what is heard now beside what is too old to be, and what was heard before from
        sources that are silent now; returns all."""
        again = {(*verdict.item, verdict.who, verdict.via) for verdict in heard}
        kept = [
            verdict
            for verdict in self.read()
            if (now - verdict.at > LISTENING or verdict.via in silent)
            and (*verdict.item, verdict.who, verdict.via) not in again
        ]
        everything = [*kept, *heard]
        lines = (f"{json.dumps(_entry(v), ensure_ascii=False)}\n" for v in everything)
        make_folder(self._file.parent)
        write_whole(self._file, "".join(lines).encode("utf-8", "replace"))
        return everything

    def read(self) -> list[Verdict]:
        """All that is held, in the order it was heard."""
        return [_read(entry) for entry in JsonLines(self._file)]


def hear(
    db: duckdb.DuckDBPyConnection, community: Community, ledger: Ledger, writers: Writers, day: date
) -> tuple[list[Verdict], dict[str, HearthError]]:
    """All that moderators said: by `hearth verdict`, by emoji in chat, by replies in the forum,
    in its review queue. What was heard of the latter three is written down.

    Also why a source did not answer: what was last heard there goes on counting."""
    now, posted = datetime.combine(day, time(), UTC), ledger.posted()
    heard = list(outcomes(db, community, ledger.reported(), now))
    heard += from_reactions(posted, _reactions_read(db, posted))
    silent: dict[str, HearthError] = {}
    for source in _asked(community):
        try:
            with understood(community, source):
                if community.sources[source].platform == "discourse":
                    heard += _replies(community, ledger, writers, source, day)
                else:
                    reactions = _reactions_asked(db, ledger, writers, source, day)
                    heard += from_reactions(posted, reactions)
        except HearthError as error:
            silent[source] = error
    said = Verdicts.of(community).read() + Heard.of(community).replace(heard, now, silent)
    return said, silent


def known_verdicts(community: Community) -> list[Verdict]:
    """All that is written down of what moderators said; nobody is asked."""
    return Verdicts.of(community).read() + Heard.of(community).read()


def rules(community: Community, now: datetime) -> list[Precision]:
    """How often moderators agreed with each rule, by what is written down."""
    return precision(known_verdicts(community), now, community.judgement.trusted)


def store_verdicts(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Fill `judgement.verdicts` anew from what is written down; of emoji and replies that is what
    the last digest heard."""
    rows = [
        {
            **{name: getattr(key, name) for name in ("source", "thread_id", "kind", "text_hash")},
            "evidence": key.evidence,
            "via": verdict.via,
            "account": None if verdict.who == ERASED else verdict.who,
            "choice": verdict.choice,
            "said_at": verdict.at.astimezone(UTC).replace(tzinfo=None).isoformat(),
            "until_day": verdict.until and verdict.until.isoformat(),
            "model": verdict.model,
        }
        for verdict in known_verdicts(community)
        for key in verdict.keys
    ]
    db.execute("DELETE FROM judgement.verdicts")
    warehouse.insert(db, "judgement.verdicts", rows)


def store_told(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """Fill `judgement.told` anew from the ledger: what anybody was told of, and in which night.
    News that a question was answered is no finding."""
    first: dict[ItemId, date] = {}
    for (source, thread_id, kind, text_hash), night in Ledger.of(community).first_nights().items():
        if kind != "answered":
            item = (source, thread_id, finding_of(kind), text_hash)
            first[item] = min(night, first.get(item, night))
    names = ("source", "thread_id", "finding", "text_hash")
    rows = [
        dict(zip(names, item, strict=True)) | {"told_on": night.isoformat()}
        for item, night in first.items()
    ]
    db.execute("DELETE FROM judgement.told")
    warehouse.insert(db, "judgement.told", rows)


def _asked(community: Community) -> list[str]:
    """The sources where an audience is told, and may answer."""
    readers = community.digest.audiences.values()
    places = (place for r in readers for place in (r.discourse, r.rocketchat) if place)
    return sorted({place.partition("/")[0] for place in places} & set(community.sources))


def _replies(
    community: Community, ledger: Ledger, writers: Writers, source: str, day: date
) -> list[Verdict]:
    """What readers wrote under the digests in a forum."""
    found = []
    for name, audience in community.digest.audiences.items():
        if (audience.discourse or "").partition("/")[0] == source:
            replies = answers(writers.forum(source), community.name, name, day)
            found += from_replies(ledger.keys_of, replies, source, community.time_zone)
    return found


def _reactions_read(
    db: duckdb.DuckDBPyConnection, posted: Collection[str]
) -> list[tuple[str, str, str, str]]:
    """(message id, emoji, account, source) under items told in rooms that the night reads."""
    return db.execute(
        "SELECT message_id, emoji, coalesce(account_id, username), source FROM staging.reactions"
        " WHERE removed_at IS NULL AND message_id IN (SELECT unnest(?::VARCHAR[]))",
        [list(posted)],
    ).fetchall()


def _reactions_asked(
    db: duckdb.DuckDBPyConnection, ledger: Ledger, writers: Writers, source: str, day: date
) -> list[tuple[str, str, str, str]]:
    """The same of the other rooms of a workspace. A moderators' room is mostly private and not
    among what the night reads, so recent items of it are asked for one by one."""
    posted = ledger.posted_since(day - LISTENING)
    recent = [message for message, where in posted.items() if where in {source, None}]
    read = db.execute(
        "SELECT message_id FROM staging.messages WHERE message_id IN (SELECT unnest(?::VARCHAR[]))",
        [recent],
    ).fetchall()
    held = {message for (message,) in read}
    asked = [message for message in recent if message not in held]
    if not asked:
        return []
    said_of = writers.chat(source).said_of
    return [(message, *said, source) for message in asked for said in said_of(message)]


def _entry(verdict: Verdict) -> dict[str, Any]:
    until = verdict.until and verdict.until.isoformat()
    return asdict(verdict) | {"at": verdict.at.astimezone(UTC).isoformat(), "until": until}


def _read(entry: Mapping[str, Any]) -> Verdict:
    until = entry["until"]
    return Verdict(
        keys=tuple(read_key(key) for key in entry["keys"]),
        who=entry["who"],
        choice=entry["choice"],
        at=datetime.fromisoformat(entry["at"]),
        until=date.fromisoformat(until) if until else None,
        model=entry["model"],
        via=entry.get("via", ""),  # lines of older versions do not say
    )
