"""A word to those who run Hearth: a mail when a night was not whole or somebody was not told of it,
a ping when one was published.

The ping is the dead man's switch: a watchdog elsewhere raises the alarm when it stays away, which
also covers a machine that is off. Nothing a forum said is in either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pipeline.digest.mail import letter, send_mail
from pipeline.errors import FixSettings, SourceDown
from pipeline.redact import clean
from pipeline.settings import Community, MailSettings

_ENDED = {
    "whole": "was published, but not everybody was told",
    "stale": "was published, but something in it is stale",
    "failed": "failed; readers keep the last published night",
    "unfinished": "did not end",
}


def ping(community: Community) -> None:
    """Tell the watchdog that a night was published. Raises SourceDown, without the address's path:
    it may be a secret."""
    import requests

    if community.ping is None:
        return
    host = urlsplit(community.ping).hostname
    try:
        answer = requests.get(community.ping, timeout=10, allow_redirects=False)
    except requests.RequestException:
        raise SourceDown(f"the watchdog at {host} could not be reached; see `ping`") from None
    if not answer.ok:
        raise SourceDown(f"the watchdog at {host} answered {answer.status_code}; see `ping`")


def tell_operators(community: Community, run: Mapping[str, Any], now: datetime) -> bool:
    """Mail `operators` about a run (see `pipeline.status`) that was not whole, or of which somebody
    was not told; whether one went.

    Raises what `send_mail` raises."""
    if run["state"] == "whole" and not any(map(_is_untold, run["troubles"])):
        return False
    return _tell(community, f"the night {_ENDED[run['state']]}", words(community, run), now)


def _is_untold(trouble: Mapping[str, str]) -> bool:
    """Whether it kept a digest or a report from readers."""
    return trouble["step"].partition("/")[0] in {"digest", "report"}


def tell_failure(community: Community, what: str, why: str, now: datetime) -> bool:
    """The same about something else that failed: `why` says what to do next."""
    return _tell(community, f"{what} failed", f"{what} failed:\n\n- {clean(why)}\n", now)


def send_test(community: Community, now: datetime) -> tuple[str, ...]:
    """Mail `operators` what a notice looks like, and that nothing is wrong; returns who got it.

    Raises FixSettings where there is nobody to tell, and what `send_mail` raises."""
    if not community.operators or community.mail is None:
        raise FixSettings(
            f"{community.name}: nobody to send to; set `operators` and a table `mail`"
        )
    text = (
        f"This is a test: nothing is wrong with {community.title}. A notice like this comes when a "
        "night was not whole; it names each trouble and what to do.\n"
    )
    _send(community, community.mail, "a test of the notices", text, now)
    return community.operators


def _tell(community: Community, subject: str, text: str, now: datetime) -> bool:
    if not community.operators or community.mail is None:
        return False
    _send(community, community.mail, subject, text, now)
    return True


def _send(community: Community, mail: MailSettings, subject: str, text: str, now: datetime) -> None:
    about = f"Hearth, {community.title}: {subject}"
    message = letter(mail, community.operators, about, text, now)
    refused = send_mail(message, mail, community.operators)
    if refused:
        raise FixSettings(f"the mail server refused {', '.join(refused)}; check `operators`")


def words(community: Community, run: Mapping[str, Any]) -> str:
    """What happened and what to look at, as plain text: each trouble says what to do next."""
    lines = [f"Night {run['run']} of {community.title} {_ENDED[run['state']]}.", ""]
    lines += [f"- {trouble['step']}: {trouble['text']}" for trouble in run["troubles"]]
    page = community.home / "ops" / "index.html"
    return "\n".join([*lines, "", f"Everything at a glance: {page} or `hearth status`.", ""])
