"""How the nights of a community are: for `hearth status`, the operations page and other programs.

    ops/index.html        static, no script, for whoever runs the machine
    ops/status.json       the same as data
    ops/last_published    ISO time of the last publish: a dead-man file for any watchdog

Everything is read from what nights left behind (journals, reports, published files), so it works
while a night runs and never waits for the work file. It shows counts and names of places, never a
text or a name of a person.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import __version__, landing
from pipeline.build import fingerprint
from pipeline.classify.judge import MODELS
from pipeline.digest.heard import rules
from pipeline.digest.ledger import Ledger
from pipeline.digest.render import templates
from pipeline.errors import Degraded, FixSettings
from pipeline.files import make_folder, write_whole
from pipeline.journal import Journal, Line
from pipeline.settings import Community, DiscourseSettings
from pipeline.storage import disk_of, landing_of

SHOWN_RUNS = 14
STATES = ("whole", "stale", "failed", "unfinished")
# Those that end a night where they fail; "evaluate" is what older nights called write_reports.
_VERBS = (
    "plan",
    "load",
    "build",
    "score",
    "validate",
    "publish",
    "digest",
    "write_reports",
    "evaluate",
)
_FOLDERS = ("work", "landing", "published", "docs", "digests", "runs", "damaged")
_TEMPLATE = Path(__file__).with_suffix(".html")


def collect(community: Community, now: datetime) -> dict[str, Any]:
    """The state of a community as JSON can say it; `now` is aware. Times are ISO, sizes bytes.

    versions.judges are those that found what is published, versions.models those that would judge
    tonight, by the SHA-256 of their files.
    """
    disk_of(community).fetch(community.home / "runs")
    judges = _ask(
        community,
        "SELECT DISTINCT model_version FROM marts.digest_items ORDER BY ALL",
        file="restricted.duckdb",
    )
    runs = list(_runs(community, SHOWN_RUNS))
    return {
        "community": community.name,
        "title": community.title,
        "at": now.isoformat(timespec="seconds"),
        "published": _published(community, now),
        "runs": runs,
        "sources": _newest(community),
        "streams": list(_streams(community, now)),
        "validation": _validation(community),
        "digests": _digests(community),
        "shadow": _shadow(community, now),
        "sizes": _sizes(community),
        "versions": {
            "hearth": __version__,
            "definitions": fingerprint(),
            "judges": [version for (version,) in judges],
            "models": {
                file.stem: hashlib.sha256(file.read_bytes()).hexdigest()[:12]
                for file in sorted(MODELS.glob("*.skops"))
            },
        },
    }


def _shadow(community: Community, now: datetime) -> list[dict[str, Any]]:
    """Rules and models that tell nobody: by the settings, because nobody has switched them on, or
    because moderators disagreed."""
    by_hand = [
        {"rule": name, "why": "hearth.toml" if name in community.judgement.shadow else "new"}
        for name in sorted(community.judgement.in_shadow)
    ]
    demoted = [rule for rule in rules(community, now) if rule.is_shadow]
    said = "moderators agreed with {} of {}"
    return by_hand + [
        {"rule": rule.rule, "why": said.format(rule.agreed, rule.judged)} for rule in demoted
    ]


def write_page(community: Community, now: datetime) -> dict[str, Any]:
    """Write the operations page and its data; returns what they say."""
    state = collect(community, now)
    folder = community.home / "ops"
    make_folder(folder)
    write_whole(folder / "status.json", json.dumps(state, indent=2, ensure_ascii=False).encode())
    write_whole(folder / "index.html", render(state).encode())
    return state


def render(state: Mapping[str, Any]) -> str:
    """The page. Whatever a server or a forum put into a text shows as text."""
    template = templates(_TEMPLATE.parent).get_template(_TEMPLATE.name)
    return str(template.render(state, size=_size, span=span))


def mark_published(community: Community, now: datetime) -> None:
    """Write the dead-man file: only a publish may call this."""
    make_folder(community.home / "ops")
    stamp = now.astimezone(UTC).isoformat(timespec="seconds")
    write_whole(community.home / "ops" / "last_published", f"{stamp}\n".encode())


def check(community: Community, now: datetime, hours: float) -> str:
    """One sentence about the last published night. Raises Degraded where it is older than `hours`
    or where there is none."""
    file = community.home / "ops" / "last_published"
    try:
        then = datetime.fromisoformat(file.read_text().strip())
    except FileNotFoundError:
        raise Degraded(
            f"{community.name}: no night was ever published; `hearth nightly` runs one"
        ) from None
    except ValueError:
        raise FixSettings(f"{file} is damaged; remove it, the next night writes it") from None
    age_h = (now - then).total_seconds() / 3600
    if age_h > hours:
        raise Degraded(
            f"{community.name}: the last published night is {age_h:.1f} h old, more than "
            f"{hours:g} h; {community.home / 'ops' / 'index.html'} shows how far the nights came"
        )
    return f"{community.name}: published {age_h:.1f} h ago"


def outcome(lines: Iterable[Line]) -> tuple[str, list[Line]]:
    """How a run stands by its journal: "whole", "stale" (published, but something in it is old),
    "failed" or "unfinished" (it still runs, or was killed); with all trouble it met.

    A step that failed and was done after all, at another try, has not failed.
    """
    lines = list(lines)
    last = {line.step: line.level for line in lines if line.level != "progress"}
    troubles = [line for line in lines if line.level == "trouble"]
    if last.get("night") == "done":
        return "whole", troubles
    if last.get("conclude") == "trouble":
        return "stale", troubles
    failed = any(last.get(verb) == "trouble" for verb in _VERBS)
    return ("failed" if failed else "unfinished"), troubles


def _runs(community: Community, most: int) -> Iterator[dict[str, Any]]:
    """The newest runs, newest first. `reached` is the last thing an unfinished one said; null for
    others."""
    for folder in sorted((community.home / "runs").glob("*"), reverse=True)[:most]:
        lines = list(Journal(folder / "journal.jsonl").lines())
        state, troubles = outcome(lines)
        last = lines[-1] if lines and state == "unfinished" else None
        yield {
            "run": folder.name,
            "state": state,
            "started_at": _iso(lines[0].at) if lines else None,
            "seconds": round(lines[-1].at - lines[0].at, 1) if lines else None,
            "troubles": [{"step": line.step, "text": line.text} for line in troubles],
            "reached": {"step": last.step, "text": last.text} if last else None,
        }


def _published(community: Community, now: datetime) -> dict[str, Any] | None:
    folder = community.home / "published"
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        file = folder / manifest["community"]["name"]  # never written again, also by a rollback
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    return {
        "run": manifest["run"],
        "as_of": manifest["as_of"],
        "at": at.isoformat(timespec="seconds"),
        "age_h": round(max((now - at).total_seconds(), 0) / 3600, 2),  # `now` is when a verb began
        "rows": manifest["community"]["rows"] | manifest["restricted"]["rows"],
    }


def _newest(community: Community) -> list[dict[str, Any]]:
    """Each source with its number of messages and the newest of them, as published."""
    rows = _ask(
        community,
        "SELECT source, count(*), strftime(max(created_at), '%Y-%m-%dT%H:%M:%SZ')"
        " FROM marts.messages GROUP BY source",
    )
    known = {source: (messages, newest) for source, messages, newest in rows}
    found = []
    for name in community.sources:
        messages, newest = known.get(name, (0, None))
        found.append({"source": name, "messages": messages, "newest_at": newest})
    return found


def _streams(community: Community, now: datetime) -> Iterator[dict[str, Any]]:
    """Every stream of the newest plan of each source, with its last read that ran to its end.

    lag_h       hours since that read began; null where there was none
    share_used  requests a minute, as part of what we allow ourselves; null where the limit is the
                server's own secret
    """
    done = _last_reads(community)
    for name in community.sources:
        for planned in _last_plan(community, name):
            report = done.get((name, planned["stream"]))
            blind_spots = [*planned["blind_spots"], *(report.blind_spots if report else ())]
            yield {
                "source": name,
                "stream": planned["stream"],
                "unavailable": planned["unavailable"],
                "blind_spots": list(dict.fromkeys(blind_spots)),
                **(_cost(community, report, now) if report else {"lag_h": None}),
            }


def _cost(community: Community, report: landing.Report, now: datetime) -> dict[str, Any]:
    source = community.sources[report.source]
    share_used = None
    if isinstance(source, DiscourseSettings):
        allowed = source.requests_per_minute * source.share
        share_used = round(report.requests / max(1.0, report.seconds / 60) / allowed, 3)
    return {
        "via": report.via,
        "run": report.run,
        "read_at": _iso(report.started_at / 1e6),
        "lag_h": round((now.timestamp() - report.started_at / 1e6) / 3600, 2),
        "records": sum(report.brought.values()),
        "requests": report.requests,
        "share_used": share_used,
        "waited_s": report.waited_s,
        "seconds": report.seconds,
        "bytes": report.bytes,
    }


def _last_reads(community: Community) -> dict[tuple[str, str], landing.Report]:
    found = {}
    for read in landing_of(community).reads():
        report = landing.report(read)
        if report is not None and report.unavailable is None:
            found[report.source, report.stream] = report
    return found


def _last_plan(community: Community, source: str) -> list[dict[str, Any]]:
    files = sorted((community.home / "runs").glob(f"*/{source}.plan.json"))
    plan: list[dict[str, Any]] = json.loads(files[-1].read_text()) if files else []
    return plan


def _validation(community: Community) -> dict[str, Any] | None:
    files = sorted((community.home / "runs").glob("*/validation.json"))
    if not files:
        return None
    run = files[-1].parent.name
    has_docs = (community.home / "docs" / run / "index.html").exists()  # erasing removes them
    return {"run": run, "has_docs": has_docs, **json.loads(files[-1].read_text())}


def _digests(community: Community) -> list[dict[str, Any]]:
    """The last digest of each audience and channel; `items` are those that need a person."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in Ledger.of(community):
        last[entry.audience, entry.channel] = {
            "audience": entry.audience,
            "channel": entry.channel,
            "night": entry.night.isoformat(),
            "sent_at": entry.sent_at.isoformat(),
            "items": entry.size,
        }
    return [last[key] for key in sorted(last)]


def _sizes(community: Community) -> dict[str, int]:
    sizes = {name: sum(_bytes(community.home / name)) for name in _FOLDERS}
    home = community.home
    there = next(place for place in (home, *home.parents) if place.exists())
    return {**sizes, "free": shutil.disk_usage(there).free}


def _bytes(folder: Path) -> Iterator[int]:
    """Sizes of the files below a folder; one that vanishes meanwhile is left out."""
    for file in folder.rglob("*"):
        try:
            if file.is_file() and not file.is_symlink():
                yield file.stat().st_size
        except FileNotFoundError:
            continue


def _ask(community: Community, sql: str, file: str = "current.duckdb") -> list[tuple[Any, ...]]:
    """Rows of a published file; none before the first publish."""
    import duckdb

    published = community.home / "published" / file
    if not published.exists():
        return []
    with duckdb.connect(published.resolve(), read_only=True) as db:
        return db.execute(sql).fetchall()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _size(number: float) -> str:
    """Bytes for people: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def span(seconds: float | None) -> str:
    """Seconds for people: 42 s, 3 min, 5.0 h; a dash where unknown."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
