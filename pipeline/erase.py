"""A person leaves: everything Hearth keeps of one account is cleared, everywhere it is kept.

What they wrote loses its words and its author and stays as an empty place, so that what others
answered keeps its thread and counts keep their sums. Whatever else is about them goes. In what
others wrote, mentions and quotations of them are cleared. Prose that merely names them stays, for
it is somebody else's; the certificate counts it, for a person to look at.

Nothing is cleared at the source, and what is still there may be read again when it changes. Delete
or anonymise the account there first.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import build, landing, load, publish, runs, warehouse
from pipeline.contracts import contracts
from pipeline.digest.heard import ERASED, store_verdicts
from pipeline.errors import FixSettings
from pipeline.files import make_folder, sync_folder, write_whole
from pipeline.identities import Account, Decisions
from pipeline.jsonl import JsonLines
from pipeline.landing import Landing
from pipeline.person import Person, Standing, clear
from pipeline.settings import Community
from pipeline.statements import literal, value, written
from pipeline.storage import disk_of, landing_of
from pipeline.transaction import transaction

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
# Folders that are cleared by their own rules; of any other, what names the person goes. Models are
# numbers of hashed words and cards of counts: nobody's name or words get in, and a name that is an
# ordinary word would cost what moderators taught.
_OTHERWISE = (
    "landing",
    "work",
    "published",
    "digests",
    "cases",
    "backup",
    "damaged",
    "erasures",
    "models",
)
_BY_CHANCE = 6  # bytes of a name that do not occur by chance in what is no text


def erase(community: Community, source: str, account: str, now: datetime) -> dict[str, Any]:
    """Clear one account, named by its id or user name, and publish the last night anew without it.

    The caller has the community for itself. Older published nights, copies of the work file and
    what was set aside as damaged are removed; exports and copies made elsewhere are not reached.
    An account that is not held (any more) is looked for by the given id all the same, and an
    erasure that was cut short may be run again. Returns the certificate, which is also written to
    `erasures/`; it names nobody. Raises FixSettings, and changes nothing, where nothing of the
    account is held: a name that was written wrong would cost the older nights.
    """
    if source not in community.sources:
        raise FixSettings(
            f"{community.name}: no source {source!r}; there are {', '.join(community.sources)}"
        )
    folder = community.home / "erasures"
    unfinished = folder / ".unfinished"  # an erasure that was cut short, of whomever
    with warehouse.opened(community) as db:
        landed = landing_of(community)
        load.load(db, landed)
        person, is_held = _find(db, landed, source, account)
        standing = _standing(db, source)
        if not (is_held or unfinished.exists() or _is_anywhere(db, community, person, standing)):
            raise FixSettings(
                f"{community.name}: nothing of {account!r} of {source} is held, and nothing was "
                "changed; is it written right?"
            )
        threads = _threads(db, person)
        told: dict[str, Any] = {
            "community": community.name,
            "source": source,
            "person_id": _pseudonym(db, person),
            "at": now.astimezone(UTC).isoformat(timespec="seconds"),
            "was_held": is_held,
            "other_accounts": _other_accounts(db, person),
            "still_at_the_source": _is_at_source(db, person),
        }
    make_folder(folder)
    write_whole(unfinished, b"")
    told["landing"] = _clear_landing(community, person, standing)
    told["removed"] = sorted(_remove_copies(community, person, threads))
    told["verdicts"] = _clear_verdicts(community, person)
    told["links"] = Decisions(community).forget(Account(person.source, person.account_id))
    told["work"] = _clear_work(community, person, standing)
    told["published"] = _publish_anew(community, now)
    write_whole(folder / f"{now:%Y%m%dT%H%M%SZ}.json", json.dumps(told, indent=2).encode())
    unfinished.unlink()
    return told


def _find(
    db: duckdb.DuckDBPyConnection, landed: Landing, source: str, account: str
) -> tuple[Person, bool]:
    """The person with every name any version of the account had, and whether it is held."""
    held = value(
        db,
        "SELECT account_id FROM staging.accounts WHERE source = $1"
        " AND (account_id = $2 OR lower(username) = lower($2))"
        " ORDER BY account_id = $2 DESC LIMIT 1",
        source,
        account,
    )
    account_id = account if held is None else held
    names = db.execute(
        "SELECT username, name FROM staging.accounts WHERE source = ? AND account_id = ?",
        [source, account_id],
    ).fetchall()
    names += list(_past_names(landed, source, account_id))
    if account != account_id or (held is None and not account.isdigit()):
        names.append((account, None))
    usernames = frozenset(username for username, _ in names if username)
    shown = frozenset(name for _, name in names if name)
    return Person(source, account_id, usernames, shown), held is not None


def _is_anywhere(
    db: duckdb.DuckDBPyConnection, community: Community, person: Person, standing: Standing
) -> bool:
    """Whether a landed line, a record or a verdict of theirs, or one that names them as an account,
    would be cleared."""
    lines = (
        line for file in _landed(landing_of(community), person.source) for line in _lines(file)
    )
    if any(_cleared_line(line, person, standing) != line for line in lines):
        return True
    if any(_gave(entry, person) for file in _spoken(community) for entry in JsonLines(file)):
        return True
    return any(changes for changes, _ in _clearings(db, person, standing))


def _past_names(
    landed: Landing, source: str, account_id: str
) -> Iterator[tuple[str | None, str | None]]:
    """(user name, name) of every version of the account that was ever fetched."""
    for file in _landed(landed, source):
        for line in _lines(file):
            entry = json.loads(line) if '"users"' in line else {}
            if entry.get("stream") == "users" and entry.get("key") == account_id:
                payload = entry["payload"]
                yield payload.get("username"), payload.get("name")


def _landed(landed: Landing, source: str) -> Iterator[Path]:
    """Whole part files of a source."""
    for read in landed.reads():
        yield from landing.parts(read) if read.parent.parent.name == source else ()


def _lines(file: Path) -> list[str]:
    text = gzip.decompress(file.read_bytes()).decode("utf-8")
    return [line for line in text.split("\n") if line]


def _standing(db: duckdb.DuckDBPyConnection, source: str) -> Standing:
    def streams(table: str) -> set[str]:
        rows = db.execute(
            f"SELECT DISTINCT split_part(record, '/', 1) FROM staging.{table} WHERE source = ?",
            [source],
        )
        return {stream for (stream,) in rows.fetchall()}

    written = streams("messages") | streams("threads")
    return Standing(frozenset(streams("channels") - written), frozenset(written))


def _threads(db: duckdb.DuckDBPyConnection, person: Person) -> set[str]:
    """Threads in which the person wrote or is mentioned by id."""
    rows = db.execute(
        "SELECT DISTINCT thread_id FROM staging.messages WHERE source = ? AND (account_id = ?"
        " OR list_contains(mentioned_accounts, ?))",
        [person.source, person.account_id, person.account_id],
    )
    return {thread for (thread,) in rows.fetchall()}


def _pseudonym(db: duckdb.DuckDBPyConnection, person: Person) -> str:
    db.execute(written("macros"))
    return str(value(db, "SELECT person_id(?, ?)", person.source, person.account_id))


def _other_accounts(db: duckdb.DuckDBPyConnection, person: Person) -> int:
    """How many more accounts are known to be theirs; each is erased by itself."""
    others: int = value(
        db,
        "SELECT count(*) - 1 FROM raw.identities WHERE head = (SELECT head FROM raw.identities"
        " WHERE source = ? AND account_id = ?)",
        person.source,
        person.account_id,
    )
    return max(0, others)


def _is_at_source(db: duckdb.DuckDBPyConnection, person: Person) -> bool:
    held = value(
        db,
        "SELECT count(*) FROM staging.accounts WHERE source = ? AND account_id = ?"
        " AND gone_at IS NULL",
        person.source,
        person.account_id,
    )
    return bool(held)


def _clear_landing(community: Community, person: Person, standing: Standing) -> dict[str, int]:
    """Rewrite the landed files that hold the person; each is whole at any moment."""
    counts = Counter(files=0, records=0)
    landed = landing_of(community)
    for file in _landed(landed, person.source):
        lines = _lines(file)
        kept = [_cleared_line(line, person, standing) for line in lines]
        changed = sum(new != old for new, old in zip(kept, lines, strict=True))
        if changed:
            text = "".join(f"{line}\n" for line in kept if line is not None)
            landed.disk.rewrite(file, gzip.compress(text.encode("utf-8"), 5, mtime=0))
            counts.update(files=1, records=changed)
    return dict(counts)


def _cleared_line(line: str, person: Person, standing: Standing) -> str | None:
    """A landed line without the person; null where all of it is about them."""
    entry = json.loads(line)
    if entry["kind"] == "span":
        if entry.get("keys") and entry["stream"] == "users" and person.account_id in entry["keys"]:
            entry["keys"].remove(person.account_id)
            return json.dumps(entry, ensure_ascii=False)
        return line
    cleared = clear(entry["stream"], entry["key"], entry["payload"], person, standing)
    if cleared is None:
        return None
    if cleared == entry["payload"]:
        return line
    return json.dumps({**entry, "payload": cleared}, ensure_ascii=False)


def _remove_copies(community: Community, person: Person, threads: set[str]) -> Iterator[str]:
    """Whatever is made from the data and not needed to make it again, as paths below home."""
    home = community.home
    gone = [*(home / "backup").glob("*"), *(home / "damaged").glob("*")]
    gone += [*(home / "work" / "bookmarks").glob("*"), *(home / "work" / "spill").glob("*")]
    gone += (home / "work").glob("warehouse.before-*")
    gone += [*(home / "digests").glob("preview"), *(home / "digests").glob(".*")]
    gone += [f for f in (home / "digests").glob("*-*") if _digest_tells(f, person, threads)]
    gone += [f for f in (home / "cases").glob("*") if _case_tells(f, person, threads)]
    for folder in sorted(f for f in home.iterdir() if f.is_dir() and f.name not in _OTHERWISE):
        gone += _naming(folder, person)
    disk = disk_of(community)
    for path in gone:
        disk.remove(path)
        yield path.relative_to(home).as_posix()


def _files(place: Path) -> Iterator[Path]:
    return (f for f in ([place] if place.is_file() else place.rglob("*")) if f.is_file())


def _naming(folder: Path, person: Person) -> Iterator[Path]:
    """What lies in a folder and names the person, with what has the same name but for its ending:
    a PDF cannot be searched, the page it was printed from can."""
    entries = list(folder.iterdir())
    named = {_stem(entry) for entry in entries if any(_names(f, person) for f in _files(entry))}
    yield from (entry for entry in entries if _stem(entry) in named)


def _stem(place: Path) -> str:
    return place.name.partition(".")[0]


def _names(file: Path, person: Person) -> bool:
    """Whether a file names them: a text by a whole word, anything else (a picture, Parquet) by the
    bytes of a name that is long enough."""
    content = file.read_bytes()
    try:
        return person.is_told_in(content.decode("utf-8"))
    except UnicodeDecodeError:
        names = [name.lower().encode() for name in person.needles]
        return any(len(name) >= _BY_CHANCE and name in content.lower() for name in names)


def _digest_tells(folder: Path, person: Person, threads: set[str]) -> bool:
    """Whether a digest has an item of a thread they wrote in, or names them."""
    try:
        edition = json.loads((folder / "digest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    told = {
        (item["source"], item["thread_id"])
        for section in edition["sections"]
        for item in section["items"]
    }
    if told & {(person.source, thread) for thread in threads}:
        return True
    return any(_names(file, person) for file in _files(folder))


def _case_tells(folder: Path, person: Person, threads: set[str]) -> bool:
    """Whether a case file is of a thread they wrote in, or names them."""
    case = folder / "case.json"
    if case.exists():
        found = json.loads(case.read_text(encoding="utf-8"))
        if found["source"] == person.source and found["thread_id"] in threads:
            return True
    return any(_names(file, person) for file in _files(folder))


def _clear_verdicts(community: Community, person: Person) -> int:
    """Take the person's name off the verdicts they gave; the verdicts stay."""
    cleared = 0
    for file in _spoken(community):
        entries = list(JsonLines(file))
        given = [entry for entry in entries if _gave(entry, person)]
        for entry in given:
            entry["who"] = ERASED
        if given:
            text = "".join(f"{json.dumps(e, ensure_ascii=False)}\n" for e in entries)
            write_whole(file, text.encode())
        cleared += len(given)
    return cleared


def _spoken(community: Community) -> list[Path]:
    """Files with what was told and answered."""
    return sorted((community.home / "digests").glob("*.jsonl"))


def _gave(entry: dict[str, Any], person: Person) -> bool:
    """Whether a verdict is the person's: by an account of theirs, or by a name at the prompt."""
    who, via = str(entry.get("who", "")), entry.get("via")
    if via:
        return via == person.source and (person.is_id(who) or person.is_name(who))
    return who in person.needles


def _clear_work(community: Community, person: Person, standing: Standing) -> dict[str, int]:
    """Clear the tables, then copy what is left into a fresh file: a deleted row stays readable in
    the old one's free blocks."""
    with warehouse.opened(community) as db:
        store_verdicts(db, community)
        for derived in ("raw.identities", "raw.account_links", "staging.account_states"):
            db.execute(f"DELETE FROM {derived}")  # the build makes them anew
        with transaction(db):
            counts = _clear_raw(db, person, standing)
        db.execute("CHECKPOINT")
        file = community.work_file
        beside = file.with_name(".warehouse.duckdb.0")
        beside.unlink(missing_ok=True)
        db.execute(f"ATTACH {literal(beside)} AS fresh")
        for schema, table in db.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name"
            " IN ('raw', 'staging', 'judgement') AND database_name = 'warehouse' ORDER BY ALL"
        ).fetchall():
            db.execute(f"CREATE SCHEMA IF NOT EXISTS fresh.{schema}")
            db.execute(f"CREATE TABLE fresh.{schema}.{table} AS FROM warehouse.{schema}.{table}")
        db.execute("DETACH fresh")
    beside.chmod(0o600)
    beside.replace(file)
    sync_folder(file.parent)
    return counts


def _clear_raw(db: duckdb.DuckDBPyConnection, person: Person, standing: Standing) -> dict[str, int]:
    """Clear `raw.records` and what was made of the records that changed; they are typed anew."""
    db.execute("CREATE TEMP TABLE cleared (stream VARCHAR, key VARCHAR, payload JSON)")
    counts = Counter(cleared=0, dropped=0, named_by_others=0)
    for changes, named in _clearings(db, person, standing):
        counts["named_by_others"] += named
        for change in changes:
            counts["dropped" if change["payload"] is None else "cleared"] += 1
        if changes:
            warehouse.insert(db, "cleared", changes)
    _apply(db, person.source)
    return dict(counts)


def _clearings(
    db: duckdb.DuckDBPyConnection, person: Person, standing: Standing
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Batch by batch of the source's records: those that clearing changes, with the payload that is
    left of each (null where all of it goes), and how many name them in plain prose."""
    found = db.cursor().execute(
        "SELECT stream, key, payload FROM raw.records WHERE source = ?", [person.source]
    )
    while rows := found.fetchmany(_BATCH):
        changes, named = [], 0
        for stream, key, text in rows:
            payload = json.loads(text) if text else {}
            cleared = clear(stream, key, payload, person, standing)
            named += cleared is not None and person.is_named_in(cleared)
            if cleared != payload:
                changes.append({"stream": stream, "key": key, "payload": cleared})
        yield changes, named


def _apply(db: duckdb.DuckDBPyConnection, source: str) -> None:
    given = {"source": source}
    typed = "source = $source AND record IN (SELECT stream || '/' || key FROM cleared)"
    written = f"(SELECT message_id FROM staging.messages WHERE {typed})"
    for table, column in (
        ("scores", "message_id"),
        ("threads", "message_id"),
        ("threads", "context_id"),
        ("found", "message_id"),
    ):
        db.execute(
            f"DELETE FROM judgement.{table} WHERE source = $source AND {column} IN {written}", given
        )
    db.execute("DELETE FROM judgement.helpers")  # it holds words of questions; made anew each night
    for contract in contracts().values():
        if contract.build == "merge":
            db.execute(f"DELETE FROM {contract.table} WHERE {typed}", given)
    db.execute(
        "DELETE FROM raw.versions USING cleared AS c WHERE source = $source"
        " AND versions.stream = c.stream AND versions.key = c.key",
        given,
    )
    db.execute(
        "UPDATE raw.records SET payload = c.payload,"
        " load = (SELECT max(load) + 1 FROM raw.records) FROM cleared AS c"
        " WHERE source = $source AND records.stream = c.stream AND records.key = c.key",
        given,
    )
    db.execute(
        "DELETE FROM raw.records USING cleared AS c WHERE source = $source AND c.payload IS NULL"
        " AND records.stream = c.stream AND records.key = c.key",
        given,
    )


def _publish_anew(community: Community, now: datetime) -> str | None:
    """Build as of the last night's moment and publish; every older night goes."""
    with warehouse.opened(community) as db:
        last = value(db, "SELECT as_of FROM raw.builds ORDER BY built_at DESC LIMIT 1")
        if last is None:
            return None
        as_of = last.replace(tzinfo=UTC)
        build.build(db, community, as_of)
        folder = community.home / "published"
        if not (folder / "manifest.json").exists():
            return None
        run = runs.name_of(now)
        manifest = publish.publish(db, community, run, as_of)
    kept = {manifest.community.name, manifest.restricted.name}
    for old in folder.glob("*-*.duckdb"):
        if old.name not in kept:
            old.unlink()
    return run
