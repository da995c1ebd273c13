"""Bring a step of a ladder to whom it is for: a room, a mailbox, or one person's messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from pipeline.digest import safe
from pipeline.digest.forum import create, thread_of
from pipeline.digest.ladder import Step, text
from pipeline.digest.mail import POLICY, send_mail
from pipeline.digest.words import Words
from pipeline.errors import FixSettings
from pipeline.settings import Community


def take(
    community: Community,
    audience: str,
    step: Step,
    sent_at: datetime,
    open_client: Callable[[str], Any],
) -> str:
    """Send the step; returns where it went. A second time, after a kill, sends nothing new: chat
    messages and forum threads are found again by their keys, a mail keeps its Message-ID."""
    reader = community.digest.audiences[audience]
    ladder, language = reader.ladders[step.ladder], reader.language or community.digest.languages[0]
    if step.rung == "mention":
        source, _, room = str(reader.rocketchat).partition("/")
        said = text(step, Words(language, safe.for_chat), ladder.mention)
        open_client(source).post(room, said, key=f"{community.name}/{audience}/{step.key}")
        return room
    subject = Words(language, str)(
        "ladder.subject", community=safe.plain(community.title, 60), n=len(step.items)
    )
    if ladder.lead_mail:
        mail = community.mail
        if mail is None:
            raise FixSettings(f"{community.name}: `lead_mail` needs a table `mail`")
        message = _mail(community.name, mail.sender, step, sent_at)
        message["Subject"] = safe.for_header(subject)
        message["To"] = ladder.lead_mail
        message.set_content(text(step, Words(language, str)), cte="quoted-printable")
        if send_mail(message, mail, (ladder.lead_mail,)):
            raise FixSettings(f"the mail server took none for {ladder.lead_mail}")
        return "1 reader"
    source, _, name = str(ladder.lead_discourse).partition("/")
    said = text(step, Words(language, safe.for_markdown))
    return _message(open_client(source), name, subject, said, f"{audience}/{step.key}")


def _mail(community: str, sender: str, step: Step, sent_at: datetime) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["Date"] = format_datetime(sent_at.astimezone(UTC))
    domain = sender.partition("@")[2]
    message["Message-ID"] = f"<{step.key.replace('/', '.')}.{community}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    return message


def _message(client: Any, name: str, subject: str, said: str, key: str) -> str:
    external = f"hearth-{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"
    topic = thread_of(client, external)
    if topic is None:
        topic = create(
            client,
            said,
            archetype="private_message",
            target_recipients=name,
            title=safe.for_header(subject),
            external_id=external,
        )
    return f"{client.host}/t/{topic}"
