"""What stands around the verbs: who may run, with which secrets, and a night in one process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pipeline import housekeeping, redact, settings, tonight
from pipeline.errors import HearthError
from pipeline.steps.ending import conclude, wrap_up, write_reports
from pipeline.steps.meaning import build, publish, score, validate
from pipeline.steps.moderation import digest
from pipeline.steps.reading import extract, load, plan
from pipeline.tonight import Night

log = logging.getLogger("hearth")


def communities() -> dict[str, str]:
    """Name of each community in hearth.toml -> when its nights begin (cron, UTC); secrets are not
    needed to know them."""
    return settings.schedules()


def lend_secrets(connection: Callable[[str], tuple[str | None, str | None]]) -> list[str]:
    """Put secrets that the environment lacks there, from (login, password) of connections named
    `hearth_<community>_<source>`, and `hearth_<community>` for the pseudonym key: those of every
    community, for settings are read whole. From then on our logs hide them; returns them all, for
    the scheduler to hide in its own."""
    for variable, name, part in chain.from_iterable(map(settings.connections, communities())):
        if not os.environ.get(variable):
            login, password = connection(name)
            secret = login if part == "login" else password
            if secret:
                os.environ[variable] = secret
    redact.install()
    return redact.secrets()


def at_work(community: str, *, shared: bool = False) -> AbstractContextManager[None]:
    """Keep other nights out while a whole night is at work or, if `shared`, one task of a scheduled
    night; see `pipeline.housekeeping.alone`. Raises NightRuns where another night is at work."""
    return housekeeping.alone(settings.load().community(community), shared=shared)


def run_night(community: str | None = None, as_of: str | None = None) -> Night:
    """The whole night in this process, in the order the DAG has. Raises NightRuns where another
    one of this community runs."""
    name = settings.load().community(community).name
    with at_work(name):
        try:
            night = _run_night(name, as_of)
        except BaseException:
            _wrap_up_all_the_same(name)
            raise
        wrap_up(name)
        return night


def _wrap_up_all_the_same(community: str) -> None:
    """Wrap up a night that failed; what fails here too is logged, and hides none of the night."""
    try:
        wrap_up(community)
    except Exception:
        log.exception("the night's end could not be wrapped up")


def _run_night(community: str, as_of: str | None) -> Night:
    planned = plan(community, as_of)
    night = planned["night"]
    for unit in planned["units"]:
        with suppress(HearthError):  # the journal tells, and `conclude` raises for it
            extract(night, unit)
    for verb in (load, build, score, validate, publish, digest, write_reports, conclude):
        verb(night)
    return night


def last_night(community: str, as_of: str | None = None) -> Night:
    """The newest planned night of a community, as of its own moment or another."""
    night = tonight.latest(community)["night"]
    return {**night, "as_of": as_of or night["as_of"]}


def erase(source: str, account: str, community: str | None = None) -> dict[str, Any]:
    """Clear a person everywhere; see `pipeline.erase.erase`. Returns the certificate. Raises
    NightRuns while a night is at work here, or may be on other machines."""
    from pipeline import erase as erasing
    from pipeline import status

    home = settings.load().community(community)
    now = datetime.now(UTC)
    with at_work(home.name):
        tonight.check_read(home, now)
        told = erasing.erase(home, source, account, now)
        status.write_page(home, now)
    return told
