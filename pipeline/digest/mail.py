"""A digest as mail: one message, text and HTML, to all readers of an audience at once."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pipeline.digest.edition import Edition
from pipeline.digest.page import page
from pipeline.digest.render import render_html, render_text
from pipeline.digest.safe import for_header
from pipeline.digest.words import LANGUAGE_TAGS
from pipeline.errors import FixAccess, FixSettings, SourceDown
from pipeline.settings import MailSettings

# Lines of 200 characters, where 998 are allowed: Python 3.13.0 folds a shorter header so that a
# space between two encoded words is doubled.
POLICY = SMTP.clone(max_line_length=200)


def build_mail(
    edition: Edition, language: str, mail: MailSettings, sent_at: datetime
) -> EmailMessage:
    """A digest as a message."""
    message = addressed(
        mail,
        community=edition.community,
        title=edition.title,
        audience=edition.audience,
        subject=page(edition, language, str).subject,
        number=f"{edition.night:%Y%m%d}",
        sent_at=sent_at,
    )
    message.set_content(render_text(edition, language), cte="quoted-printable")
    message.add_alternative(render_html(edition, language), subtype="html", cte="quoted-printable")
    message["Content-Language"] = LANGUAGE_TAGS[language]
    return message


def addressed(
    mail: MailSettings,
    *,
    community: str,
    title: str,
    audience: str,
    subject: str,
    number: str,
    sent_at: datetime,
) -> EmailMessage:
    """A message without a body. It names no reader: addresses stand in the envelope alone, so that
    readers do not learn of each other.

    The Message-ID follows from community, audience and `number` (which edition it is), so that a
    message that was sent twice, by a kill between sending and noting it, is one message to most
    mailboxes.
    """
    domain = mail.sender.partition("@")[2]
    readers = f"{audience}.{community}"
    name = for_header(title)
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(display_name=name, addr_spec=mail.sender)
    message["To"] = Group(f"{name} {audience}")
    message["Subject"] = for_header(subject)
    message["Date"] = format_datetime(sent_at.astimezone(UTC))
    message["Message-ID"] = f"<{number}.{readers}@{domain}>"
    message["List-Id"] = f"<{readers.replace('_', '-')}.hearth.{domain}>"
    leave = mail.unsubscribe or f"mailto:{mail.sender}?subject=unsubscribe%20{audience}"
    message["List-Unsubscribe"] = f"<{leave}>"
    if leave.startswith("https://"):
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    return message


def letter(
    mail: MailSettings, readers: Sequence[str], subject: str, text: str, sent_at: datetime
) -> EmailMessage:
    """A message of plain text, whose readers see each other's addresses."""
    message = EmailMessage(policy=POLICY)
    message["From"] = mail.sender
    message["To"] = ", ".join(readers)
    message["Subject"] = for_header(subject)
    message["Date"] = format_datetime(sent_at.astimezone(UTC))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    return message


def send_mail(message: EmailMessage, mail: MailSettings, readers: Sequence[str]) -> tuple[str, ...]:
    """Send to every reader; returns the addresses the server refused, if it took any.

    Raises SourceDown where waiting may help, FixAccess for a refused login, FixSettings where the
    server lacks encryption or takes neither sender nor readers.
    """
    with _in_words(mail), _connected(mail) as server:
        return tuple(server.send_message(message, mail.sender, list(readers)))


def check_login(mail: MailSettings) -> None:
    """Sign in and send nothing. Raises what `send_mail` raises."""
    with _in_words(mail), _connected(mail) as server:
        server.noop()


@contextmanager
def _in_words(mail: MailSettings) -> Iterator[None]:
    """What a mail server refuses, told so that an operator can act."""
    where = f"mail server {mail.host}:{mail.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError:
        raise FixAccess(
            f"{where}: the user name or the password was refused; check `username`, and the "
            "environment variable of the password"
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise FixSettings(
            f'{where}: {error}; set `security` to "tls" or "none" if that is right'
        ) from None
    except ssl.SSLError as error:
        raise FixSettings(
            f"{where}: no safe connection: {error.reason}; check `host`, `port` and `security`, "
            "and the server's certificate"
        ) from None
    except smtplib.SMTPRecipientsRefused:
        raise FixSettings(f"{where} took none of the readers; check `mail_to`") from None
    except smtplib.SMTPResponseException as error:
        if error.smtp_code < 500:
            raise SourceDown(f"{where} answered {error.smtp_code}; it may work later") from None
        raise FixSettings(
            f"{where} refused the message ({error.smtp_code}); check `sender`"
        ) from None
    except (OSError, smtplib.SMTPException):
        raise SourceDown(f"{where} did not answer; it may work later") from None


def _connected(mail: MailSettings) -> smtplib.SMTP:
    """An open, encrypted and signed-in connection."""
    context = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=mail.timeout_s, context=context
        )
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout_s)
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.username and mail.password:
            server.login(mail.username, mail.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server
