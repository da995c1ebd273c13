"""What moderators are told, when, and what they say of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline import settings
from pipeline.errors import Degraded, FixSettings
from pipeline.housekeeping import alone
from pipeline.settings import Community, MailSettings
from pipeline.tonight import (
    Night,
    home_of,
    in_journal,
    journal_of,
    last_published,
    moment_of,
    stale_places,
    warnings,
)

if TYPE_CHECKING:
    import duckdb

    from pipeline.digest.edition import Edition, Health, ItemKey
    from pipeline.digest.tell import Place, Teller, Told


@in_journal
def digest(night: Night) -> dict[str, Any]:
    """Write each audience's digest of this night, and send what may be sent now, once: a rerun
    sends nothing again. What waits for its readers' hour is sent by `send_due`.

    A channel in trouble keeps no other waiting; its items come another night."""
    from pipeline import warehouse

    home = home_of(night)
    journal = journal_of(home, night)
    teller = _teller(home, night)
    sent = _tell(home, night, teller, teller.due(), warehouse.opened(home))
    for (audience, channel), at in teller.later():
        journal.done(f"digest/{audience}/{channel}", f"waits until {at:%Y-%m-%d %H:%M} UTC")
    return {"sent": [told.channel for told in sent if told.where]}


def send_due(community: str | None = None) -> list[str]:
    """Send what of the last published night has become due, once; to be called every hour.
    Returns a sentence for each channel. Raises NightRuns, and WarehouseBusy, while a night is at
    work, and Degraded where a channel was in trouble: the next call finds what is left."""
    from pipeline import warehouse

    home = settings.load().community(community)
    night = last_published(home)
    if night is None:
        return []
    teller = _teller(home, night)

    def due() -> list[Place]:
        return [place for place in teller.due() if place[1] != "files"]

    if not due():
        return []
    with alone(home):  # another process may have been faster: what is due now is asked again
        sent = _tell(home, night, teller, due(), warehouse.read_only(home))
    troubles = [f"{t.audience}/{t.channel}: {t.trouble}" for t in sent if t.trouble]
    if troubles:
        raise Degraded(f"{home.name}: not all was told; {'; '.join(troubles)}")
    return [f"{t.audience}/{t.channel}: {t}" for t in sent]


def preview(community: str | None = None) -> list[Path]:
    """Write what each audience would be told of the last published night on its first channel, and
    its mail, below `digests/preview/`; returns the pages and mails. Nothing is sent, noted, or
    asked of a source, so no secret is needed. Raises WarehouseBusy while a night is at work."""
    from pipeline import warehouse
    from pipeline.digest.files import deliver_files
    from pipeline.digest.heard import known_verdicts
    from pipeline.digest.tell import channels

    home = settings.load(secrets=False).community(community)
    night = last_published(home)
    if night is None:
        raise FixSettings(f"{home.name}: no night was published yet; `hearth nightly` makes one")
    folder = home.home / "digests" / "preview"
    places = [(name, (channels(r) or ["files"])[0]) for name, r in home.digest.audiences.items()]
    with warehouse.read_only(home) as db:
        found = (*_items_and_numbers(db, home, night), known_verdicts(home))
    shutil.rmtree(folder, ignore_errors=True)
    written = []
    for edition, _ in _teller(home, night).editions(places, *found):
        reader = home.digest.audiences[edition.audience]
        language = reader.language or home.digest.languages[0]
        page, *_ = deliver_files(edition, folder, (language,))
        written.append(page)
        if home.mail and reader.mail_to:
            written.append(_write_mail(page.with_name("digest.eml"), edition, language, home.mail))
    return written


def _write_mail(file: Path, edition: Edition, language: str, mail: MailSettings) -> Path:
    from pipeline.digest.mail import build_mail
    from pipeline.files import write_whole

    write_whole(file, build_mail(edition, language, mail, edition.as_of).as_bytes())
    return file


def _teller(home: Community, night: Night) -> Teller:
    from pipeline.digest.ledger import Ledger
    from pipeline.digest.tell import Teller
    from pipeline.sources import Writers

    return Teller(
        home,
        Ledger.of(home),
        home.home / "digests",
        Writers(home),
        as_of=moment_of(night["as_of"]),
        sent_at=_now(),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _tell(
    home: Community,
    night: Night,
    teller: Teller,
    places: Iterable[Place],
    warehouse: AbstractContextManager[duckdb.DuckDBPyConnection],
) -> list[Told]:
    from pipeline.digest.heard import hear
    from pipeline.digest.ledger import Ledger
    from pipeline.sources import Writers

    journal = journal_of(home, night)
    with warehouse as db:
        found = _items_and_numbers(db, home, night)
        said, silent = hear(db, home, Ledger.of(home), Writers(home), teller.night)
    for source, error in silent.items():
        journal.trouble(f"digest/{source}", f"what moderators said was not heard: {error}")
    sent = list(teller.tell(places, *found, said))
    sent += teller.climb(found[0], said)
    sent += teller.report(found[0], said)
    for told in sent:
        step = f"digest/{told.audience}/{told.channel}"
        if told.where:
            journal.done(step, str(told))
        if told.trouble:
            journal.trouble(step, told.trouble)
    return sent


def _items_and_numbers(
    db: duckdb.DuckDBPyConnection, home: Community, night: Night
) -> tuple[list[dict[str, Any]], Health]:
    from pipeline.build import built_as_of
    from pipeline.digest.numbers import health, items

    built, published = built_as_of(db), moment_of(night["as_of"])
    if built and built != published:
        raise FixSettings(
            f"{home.name}: the work file speaks of {built:%Y-%m-%d %H:%M} UTC, the published night "
            f"of {published:%Y-%m-%d %H:%M}; nothing is told until a night is published again"
        )
    return items(db), health(db, stale_places(home, night), warnings(home, night))


def give_verdict(
    ref: str, choice: str, who: str, community: str | None = None, days: int | None = None
) -> int:
    """Note what a person says of an item of a digest, by its reference; returns how many findings
    it is about. Raises FixSettings for a reference or choice nobody knows."""
    from pipeline.digest.heard import Verdicts
    from pipeline.digest.verdicts import CHOICES, SNOOZE_DAYS, Verdict, snoozed

    home = settings.load(secrets=False).community(community)
    keys = _keys_of(home, ref)
    if choice not in CHOICES:
        raise FixSettings(f"{choice!r} is no verdict; it is one of {', '.join(CHOICES)}")
    now = _now()
    verdict = Verdict(keys, who, choice, now)
    if choice == "snooze":
        today = now.astimezone(ZoneInfo(home.time_zone)).date()
        verdict = snoozed(verdict, today, days or SNOOZE_DAYS)
    Verdicts.of(home).add(verdict)
    return len(keys)


def _keys_of(home: Community, ref: str) -> tuple[ItemKey, ...]:
    from pipeline.digest.ledger import Ledger

    keys = Ledger.of(home).keys_of(ref.lower())
    if not keys:
        raise FixSettings(
            f"no digest of {home.name} had an item {ref!r}; each shows its own reference"
        )
    return keys


def case_file(about: str, community: str | None = None) -> list[Path]:
    """Write the case file of a thread, named by the reference of an item of a digest or as
    "source/thread"; returns its files. Raises FixSettings for what nobody knows, WarehouseBusy
    while a night is at work."""
    from pipeline import warehouse
    from pipeline.digest import case

    home = settings.load(secrets=False).community(community)
    source, _, thread = about.partition("/")
    if not thread:
        source, thread, *_ = _keys_of(home, about)[0]
    with warehouse.read_only(home) as db:
        found = case.collect(db, home, source, thread, _now())
    return case.write(found, home, home.digest.languages[0])
