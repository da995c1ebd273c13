"""What is wrong with an installation, found without a night: settings, machine, sites, channels.

Nothing is told to anybody, and nothing is changed at a site beyond the stored queries a night would
make. Every finding says how to fix what it found.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import housekeeping, settings
from pipeline.classify import questions
from pipeline.classify.community import in_use
from pipeline.classify.judge import tone_models
from pipeline.digest.forum import check_group, may_write
from pipeline.digest.mail import check_login
from pipeline.errors import FixSettings, HearthError, SourceDown
from pipeline.files import make_folder, write_whole
from pipeline.settings import AT_A_PROMPT_S, Community, DiscourseSettings
from pipeline.sources import Finding, Source, Writers, budgets, open_source, understood
from pipeline.sources.discourse import Discourse
from pipeline.storage import disk_of

_SHORTEST_KEY = 16  # characters of a pseudonym key that nobody guesses
_REMOTE = ("nfs", "cifs", "smb", "fuse.sshfs", "9p")  # file systems whose locks do not hold
_UNIT = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}

Section = tuple[str, list[Finding]]


def examine(name: str | None) -> Iterator[Section]:
    """(what was looked at, what was found) of a community, one after the other.

    Raises FixSettings where hearth.toml itself cannot be used; secrets that are not set are
    findings, and what needs them is left out."""
    home, found = _settings(name)
    yield "hearth.toml", found
    yield "this machine", list(_machine(home))
    if home.cluster is not None:
        yield "what machines share", list(shared(home))
    home = home.at_a_prompt()
    for source, chosen in home.sources.items():
        yield f"{source} ({chosen.platform}, {chosen.url})", list(_source(home, source))
    yield "what is told to whom", list(_channels(home))


def exit_code(found: list[Finding]) -> int:
    """What the command ends with: 0, or the code of the worst that fails."""
    return max((f.exit_code for f in found if f.level == "fail"), default=0)


def _settings(name: str | None) -> tuple[Community, list[Finding]]:
    try:
        home = settings.load().community(name)
    except FixSettings as error:
        with suppress(FixSettings):  # secrets alone are missing: all else can be looked at
            home = settings.load(secrets=False).community(name)
            unset = [line.strip() for line in str(error).splitlines()[1:]]
            return home, [_fail(*what.partition("; ")[::2]) for what in unset]
        raise
    found = [Finding("ok", "every key is known and every secret is set")]
    if len(home.pseudonym_key.get_secret_value()) < _SHORTEST_KEY:
        weak = "the pseudonym key is short: whoever guesses it knows everybody"
        fix = "`openssl rand -hex 32` makes one; change it before the first night"
        found.append(Finding("warn", weak, fix))
    return home, [*found, *_languages(home)]


def _languages(home: Community) -> Iterator[Finding]:
    """Languages of the community in which something is left unscored."""
    known = {
        "its tone": tone_models(own=in_use(home.home)),
        "its questions": questions.LANGUAGES,
    }
    for language in home.languages:
        unscored = [what for what, languages in known.items() if language not in languages]
        if unscored:
            yield Finding(
                "warn",
                f"what is written in '{language}' is not judged by {' nor by '.join(unscored)}",
                "nothing to fix: digests count it as not scored, docs/judgement.md says why",
            )


def _machine(home: Community) -> Iterator[Finding]:
    yield from _asked(lambda: _write(home.home), f"{home.home} can be written")
    if not home.home.is_dir():
        return
    mode = home.home.stat().st_mode & 0o777
    if mode & 0o077:
        yield Finding(
            "warn",
            f"{home.home} is open to other users of this machine ({mode:04o})",
            f"chmod 700 {home.home}, unless you mean it",
        )
    kind = file_system(home.home, Path("/proc/self/mounts"))
    if kind.startswith(_REMOTE):
        yield _fail(
            f"{home.home} lies on a network file system ({kind}), whose locks do not hold",
            "keep `home` on a disk of this machine",
        )
    yield from _asked(lambda: housekeeping.check_room(home), "the disk has room for a night")
    most, wanted = memory(Path("/sys/fs/cgroup")), _bytes(home.memory)
    if wanted > most:
        yield _fail(
            f"`memory` is {home.memory}, this machine gives us {most / 1e9:.1f} GB",
            "lower it in hearth.toml, to half of that at most",
        )
    else:
        yield Finding("ok", f"{home.memory} of {most / 1e9:.1f} GB of memory")


def shared(home: Community) -> Iterator[Finding]:
    """What was found out about the storage and the Redis of a cluster."""
    yield from _asked(lambda: _leave(home), "the storage of `landing` takes and gives files")
    budget = budgets(home, "doctor")
    yield from _asked(lambda: budget(1, 60).pause(0), "the Redis of `budget` answers")


def _leave(home: Community) -> None:
    disk, file = disk_of(home), home.home / "runs" / "doctor"
    disk.put(file, b"")
    disk.fetch(file)
    disk.remove(file)


def _write(home: Path) -> None:
    make_folder(home)
    file = home / ".doctor"
    write_whole(file, b"")
    file.unlink()


def file_system(place: Path, mounts: Path) -> str:
    """Kind of the file system a place lies on, by the kernel's list; empty where there is none."""
    best = ("", "")
    for line in mounts.read_text().splitlines() if mounts.exists() else ():
        _, point, kind, *_ = line.split()
        if place.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def memory(cgroup: Path) -> int:
    """Bytes of memory we may use: the machine's, or what its container is given."""
    given = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # another version of cgroups; "max": no limit
            given.append(int(file.read_text()))
    return min(given)


def _bytes(text: str) -> int:
    """Bytes of a size as hearth.toml has it: 2GB, 512 MiB."""
    match = re.fullmatch(r"([\d.]+)\s*([KMGT])(i?)B", text)
    if match is None:
        raise FixSettings(f"memory: {text!r} is no size; write it as 2GB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _UNIT[match[2]])


def _source(home: Community, name: str) -> list[Finding]:
    chosen = home.sources[name]
    if not settings.has_secrets(chosen):
        return [Finding("warn", "not asked: its secrets are not set", "set them, then ask again")]
    found: list[Finding] = []
    try:
        with understood(home, name):
            source = open_source(home, name)
            found += source.probe()
            if isinstance(chosen, DiscourseSettings) and exit_code(found) == 0:
                found.append(_key_rights(home, name, source, reports=chosen.review_queue))
    except HearthError as error:
        found.append(Finding.of(error))
    return found


def _key_rights(home: Community, name: str, source: Source, *, reports: bool) -> Finding:
    """Whether the key may write if something is posted with it, and only then. The source's own
    probe checks whether a key that `reports` may write."""
    posts = any(place.startswith(f"{name}/") for place in _forum_places(home))
    writes = may_write(Writers(home).forum(name))
    if writes and not (posts or reports):
        return Finding(
            "warn",
            "the key may also write, and no digest is posted with it",
            _least_scopes(source),
        )
    if posts and not writes:
        return Finding(
            "fail",
            "the key may not write, and a digest is to be posted with it",
            "give it the scope topics:write beside those for reading",
        )
    return Finding("ok", "the key may write, for digests" if writes else "the key only reads")


def _least_scopes(source: Source) -> str:
    if isinstance(source, Discourse) and not source.explores:
        return (
            "a key with the scope global:read is enough for plain REST; switch Data Explorer on "
            "first if you mean to, for it takes a key that may write until its queries are stored"
        )
    return (
        "now that its queries are stored, a key with the scopes global:read and run_queries (Data "
        "Explorer) is enough"
    )


def _forum_places(home: Community) -> Iterator[str]:
    """Groups and people of forums, "source/name", that are sent a message."""
    for audience in home.digest.audiences.values():
        places = [
            audience.discourse,
            *(rungs.lead_discourse for rungs in audience.ladders.values()),
        ]
        yield from (place for place in places if place)


def _channels(home: Community) -> Iterator[Finding]:
    if home.mail is not None:
        mail = home.mail
        if mail.username and not (mail.password and mail.password.get_secret_value()):
            yield Finding(
                "warn",
                "the mail server was not asked: its password is not set",
                "set it, then ask again",
            )
        else:
            yield from _asked(lambda: check_login(mail), f"{mail.host} takes our mail")
    if not home.operators and home.ping is None:
        yield Finding(
            "warn",
            "nobody hears of a night that failed or never began",
            "set `operators`, `ping`, or watch `hearth status --check 26`",
        )
    if home.ping is not None:
        yield from _asked(lambda: _reach(str(home.ping)), "the watchdog of `ping` can be reached")
    for name, audience in home.digest.audiences.items():
        for kind in ("discourse", "rocketchat"):
            place = getattr(audience, kind)
            if place and settings.has_secrets(home.sources[place.partition("/")[0]]):
                yield from _asked(_look(home, kind, place), f"{name}: {place} is there")
        for place in audience.private:
            source, _, channel = place.partition("/")
            if source not in home.sources or channel not in home.sources[source].private:
                yield Finding(
                    "warn",
                    f"{name} may see {place}, which is not read",
                    f"add it to `private` of source {source}, or drop it",
                )


def _look(home: Community, kind: str, place: str) -> Callable[[], None]:
    """A question whether the group or room of an audience is there."""
    source, _, channel = place.partition("/")

    def ask() -> None:
        with understood(home, source):
            if kind == "discourse":
                check_group(Writers(home).forum(source), channel)
            else:
                Writers(home).chat(source).check(channel)

    return ask


def _reach(address: str) -> None:
    """Open a connection and ask nothing: a request would say that a night was published."""
    url = urlsplit(address)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=AT_A_PROMPT_S).close()
    except OSError:
        raise SourceDown(
            f"the watchdog at {url.hostname} cannot be reached; check `ping`, and whether a "
            "firewall lets this machine out"
        ) from None


def _asked(question: Callable[[], None], well: str) -> Iterator[Finding]:
    """A finding: `well` where the question raises nothing, or else its error."""
    try:
        question()
    except HearthError as error:
        yield Finding.of(error)
    else:
        yield Finding("ok", well)


def _fail(text: str, fix: str) -> Finding:
    return Finding("fail", text, fix, FixSettings.exit_code)
