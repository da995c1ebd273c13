"""The case file of a dispute: what happened in a thread, in order, in one form for everybody.

Apart from the title it quotes nobody: texts are told by fingerprints, by which they can be
recognised. Nor does it hold an opinion: people write what they decided and learned into the space
that is left for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.digest import safe
from pipeline.digest.render import templates
from pipeline.digest.words import Said, Words
from pipeline.errors import FixSettings
from pipeline.files import make_folder, write_whole
from pipeline.settings import Community
from pipeline.statements import run

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who wrote in the thread, labelled in the order of first messages; `name` is null
    where none is held."""

    label: str
    person_id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a time (UTC). `who` is a party's label, or null: members who
    reported and moderators are not named. `about` is the message, `detail` what the kind needs."""

    at: datetime
    kind: str
    who: str | None
    about: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Case:
    """A thread's case file, before it has a language or a form."""

    community: str
    source: str
    thread_id: str
    title: str
    url: str | None
    made_at: datetime
    parties: tuple[Party, ...]
    events: tuple[Event, ...]


def collect(
    db: duckdb.DuckDBPyConnection, community: Community, source: str, thread_id: str, now: datetime
) -> Case:
    """The case file of a thread. Raises FixSettings where the work file has no such thread."""
    here = {"source": source, "thread": thread_id}
    found = db.execute(
        "SELECT title, url FROM staging.threads WHERE source = $source AND thread_id = $thread",
        here,
    ).fetchone()
    if found is None:
        raise FixSettings(
            f"{community.name}: no thread {source}/{thread_id} is held; write it as source/id, or "
            "name an item by its reference"
        )
    db.execute("SET VARIABLE case_source = $source", {"source": source})
    db.execute("SET VARIABLE case_thread = $thread", {"thread": thread_id})
    rows = run(db, "cases/timeline").fetchall()
    parties = _parties(db, source, (row[2] for row in rows if row[1] == "message" and row[2]))
    labels = {party.person_id: party.label for party in parties}
    sites = (community.sources[source].url,) if source in community.sources else ()
    return Case(
        community=community.title,
        source=source,
        thread_id=thread_id,
        title=safe.plain(found[0] or "", 130),
        url=safe.web_address(found[1], sites),
        made_at=now,
        parties=parties,
        events=tuple(
            Event(at.replace(tzinfo=UTC), kind, labels.get(who), about, _detail(kind, detail))
            for at, kind, who, about, detail in rows
        ),
    )


def write(case: Case, community: Community, language: str) -> list[Path]:
    """Write `cases/<source>-<thread>/case.md`, `.html` and `.json`, readable by us alone; what
    people wrote into an earlier one stays beside it as `case-<time>.md`. Returns the paths."""
    folder = community.home / "cases" / f"{case.source}-{fingerprint(case.thread_id)}"
    make_folder(folder)
    written = folder / "case.md"
    if written.exists():
        written.rename(folder / f"case-{case.made_at:%Y%m%dT%H%M%S}.md")
    texts = {
        "case.md": _laid_out("case.md", case, language, safe.for_markdown),
        "case.html": _laid_out("case.html", case, language, str),
        "case.json": json.dumps(asdict(case), ensure_ascii=False, indent=1, default=str) + "\n",
    }
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
    return [folder / name for name in texts]


def fingerprint(text: str) -> str:
    """By which a text is recognised: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _parties(
    db: duckdb.DuckDBPyConnection, source: str, people: Iterable[str]
) -> tuple[Party, ...]:
    names = dict(
        db.execute(
            "SELECT person_id, coalesce(name, username) FROM marts.accounts WHERE source = ?",
            [source],
        ).fetchall()
    )
    return tuple(
        Party(f"P{number}", person, names.get(person) and safe.plain(names[person], 40))
        for number, person in enumerate(dict.fromkeys(people), 1)
    )


def _detail(kind: str, detail: str | None) -> str:
    """Of a message the fingerprint of its text; of anything else the words of the platform."""
    return fingerprint(detail or "") if kind == "message" else safe.plain(detail or "", 120)


def _laid_out(template: str, case: Case, language: str, escape: Any) -> str:
    say = Words(language, escape)
    rows = [
        {
            "at": f"{event.at:%Y-%m-%d %H:%M:%S}",
            "said": say(f"case.{event.kind}", about=event.about or "–", detail=event.detail or "–"),
            "who": event.who or "",
        }
        for event in case.events
    ]
    made = say("case.made", at=Said(f"{case.made_at:%Y-%m-%d %H:%M}"))
    values = {"case": case, "made": made, "say": say, "rows": rows, "escape": escape}
    return str(templates().get_template(template).render(values))
