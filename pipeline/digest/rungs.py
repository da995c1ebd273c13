"""Bring a step of a ladder to whom it is for: a room, a mailbox, or one person's messages."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.digest import safe
from pipeline.digest.forum import create, thread_of
from pipeline.digest.ladder import Step, text
from pipeline.digest.mail import letter, send_mail
from pipeline.digest.words import Words
from pipeline.errors import FixSettings
from pipeline.settings import Community, MailSettings

if TYPE_CHECKING:
    from pipeline.sources import ForumWriter, Writers


def take(
    community: Community,
    audience: str,
    step: Step,
    sent_at: datetime,
    writers: Writers,
) -> str:
    """Send the step; returns where it went. A second time, after a kill, sends nothing new: chat
    messages and forum threads are found again by their keys, a mail keeps its Message-ID."""
    reader = community.digest.audiences[audience]
    ladder, language = reader.ladders[step.ladder], reader.language or community.digest.languages[0]
    if step.rung == "mention":
        source, _, room = str(reader.rocketchat).partition("/")
        said = text(step, Words(language, safe.for_chat), ladder.mention)
        writers.chat(source).post(room, said, key=f"{community.name}/{audience}/{step.key}")
        return room
    if ladder.lead_mail:
        return _mail(community, ladder.lead_mail, step, language, sent_at)
    source, _, name = str(ladder.lead_discourse).partition("/")
    said = text(step, Words(language, safe.for_markdown))
    subject = _subject(community, step, language)
    return _message(writers.forum(source), name, subject, said, f"{audience}/{step.key}")


def _subject(community: Community, step: Step, language: str) -> str:
    title = safe.plain(community.title, 60)
    return Words(language, str)("ladder.subject", community=title, n=len(step.items))


def _mail(community: Community, lead: str, step: Step, language: str, sent_at: datetime) -> str:
    mail = community.mail
    if mail is None:
        raise FixSettings(f"{community.name}: `lead_mail` needs a table `mail`")
    subject, said = _subject(community, step, language), text(step, Words(language, str))
    message = letter(mail, (lead,), subject, said, sent_at)
    message["Message-ID"] = _message_id(community.name, mail, step)
    if send_mail(message, mail, (lead,)):
        raise FixSettings(f"the mail server refused {lead}; check `lead_mail`")
    return "1 reader"


def _message_id(community: str, mail: MailSettings, step: Step) -> str:
    """The same for a step that is sent again, so that it is one message to most mailboxes."""
    return f"<{step.key.replace('/', '.')}.{community}@{mail.sender.partition('@')[2]}>"


def _message(client: ForumWriter, name: str, subject: str, said: str, key: str) -> str:
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
