"""Mail through a real SMTP server: what arrives, and what a refusal tells the operator."""

import email
import socket
import ssl
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest.mail import build_mail, send_mail
from pipeline.errors import FixAccess, FixSettings, SourceDown
from pipeline.settings import MailSettings
from tests.conftest import running
from tests.digest.hostile import BATTERY
from tests.digest.night import AS_OF, BUSY, HEALTH, community, edition

READERS = ("ada@example.org", "bob@example.org")


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"hearth", b"sesame")
    return AuthResult(success=good, handled=good)


@pytest.fixture
def tls_server(inbox, certificate, monkeypatch):
    cert, key = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        authenticator=login,
        auth_required=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with running(controller) as port:
        yield port


def settings(port, **changes):
    plain = {"host": "localhost", "port": port, "security": "none", "sender": "hearth@example.org"}
    return MailSettings.model_validate({**plain, "timeout_s": 10, **changes})


def sent(mail, inbox, made=None, language="en"):
    message = build_mail(made or edition(BUSY, HEALTH), language, mail, AS_OF)
    refused = send_mail(message, mail, READERS)
    [(sender, readers, content)] = inbox.messages
    return sender, readers, email.message_from_bytes(content, policy=default), refused


def test_one_message_reaches_all_readers_and_names_none(inbox):
    sender, readers, message, refused = sent(settings(inbox.port), inbox)
    assert (sender, readers, refused) == ("hearth@example.org", list(READERS), ())
    assert {name: str(value) for name, value in message.items()} == {
        "From": "Ember users <hearth@example.org>",
        "To": "Ember users moderators:;",
        "Subject": "[Ember users] 2 newcomers waiting · 2 open questions · 1 thread warming · "
        "1 to judge · incomplete — Tue 3 Mar",
        "Date": "Tue, 03 Mar 2026 02:10:00 +0000",
        "Message-ID": "<20260303.moderators.demo@example.org>",
        "List-Id": "<moderators.demo.hearth.example.org>",
        "List-Unsubscribe": "<mailto:hearth@example.org?subject=unsubscribe%20moderators>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (part.get_content() for part in message.iter_parts())
    assert "1. Where do I start with shaders?" in text
    assert "场景加载后全是黑屏" in text
    assert 'href="https://forum.example.org/t/1"' in html
    assert len(message.as_bytes()) < 100_000


def test_lines_and_characters_suit_any_server(inbox):
    _, _, message, _ = sent(settings(inbox.port), inbox, language="zh")
    raw = inbox.messages[0][2]
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) < 998
    assert message["Content-Language"] == "zh-Hans"


def test_a_web_address_to_unsubscribe_takes_one_click(inbox):
    mail = settings(inbox.port, unsubscribe="https://lists.example.org/leave?x=1")
    _, _, message, _ = sent(mail, inbox)
    assert message["List-Unsubscribe"] == "<https://lists.example.org/leave?x=1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_same_edition_is_the_same_message():
    made = [
        build_mail(edition(BUSY, HEALTH), "en", settings(25), AS_OF)["Message-ID"] for _ in "12"
    ]
    assert made[0] == made[1]


def test_starttls_and_login(inbox, tls_server):
    mail = settings(tls_server, security="starttls", username="hearth", password="sesame")
    assert sent(mail, inbox)[3] == ()


def test_a_refused_login_is_a_matter_of_access(inbox, tls_server):
    mail = settings(tls_server, security="starttls", username="hearth", password="wrong-one")
    with pytest.raises(FixAccess, match="password was refused") as caught:
        sent(mail, inbox)
    assert "wrong-one" not in str(caught.value)
    assert inbox.messages == []


def test_a_certificate_nobody_vouches_for_is_refused(inbox, tls_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(FixSettings, match="no safe connection: CERTIFICATE_VERIFY_FAILED"):
        sent(settings(tls_server, security="starttls"), inbox)
    assert inbox.messages == []


def test_a_server_without_encryption_gets_nothing(inbox):
    with pytest.raises(FixSettings, match="STARTTLS extension not supported by server"):
        sent(settings(inbox.port, security="starttls"), inbox)
    assert inbox.messages == []


def test_a_reader_the_server_does_not_know_is_named_and_the_others_get_it(inbox):
    inbox.refuse_reader = "bob@example.org"
    _, readers, _, refused = sent(settings(inbox.port), inbox)
    assert (readers, refused) == (["ada@example.org"], ("bob@example.org",))


@pytest.mark.parametrize(
    ("reader", "message", "error", "said"),
    [
        ("all", None, FixSettings, "took none of the readers"),
        (None, "451 try later", SourceDown, "answered 451; it may work later"),
        (None, "554 spam", FixSettings, r"refused the message \(554\)"),
    ],
)
def test_refusals_say_what_to_do(inbox, reader, message, error, said):
    inbox.refuse_reader, inbox.refuse_message = reader, message
    with pytest.raises(error, match=said):
        sent(settings(inbox.port), inbox)
    assert inbox.messages == []


def test_a_server_that_is_down_is_tried_later(inbox):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(SourceDown, match=rf"localhost:{port} did not answer"):
        sent(settings(port), inbox)


@given(st.one_of(st.sampled_from(BATTERY), st.text(max_size=60)))
def test_no_text_can_add_a_header(text):
    made = edition([{**BUSY[0], "title": text, "person": text, "channel": text}], HEALTH)
    message = build_mail(made, "en", settings(25), AS_OF)
    read = email.message_from_bytes(message.as_bytes(), policy=default)
    assert list(read.keys()) == list(message.keys())
    assert read["Subject"] == message["Subject"]


def test_a_community_title_cannot_either():
    title = "Ember\r\nBcc: victim@example.org\r\n\r\n<script>"
    made = community().model_copy(update={"title": title})
    from pipeline.digest.edition import Health
    from pipeline.digest.selection import select

    chosen = select([], Health(), (), made, "moderators", as_of=AS_OF, night=AS_OF.date())
    message = build_mail(chosen, "en", settings(25), AS_OF)
    read = email.message_from_bytes(message.as_bytes(), policy=default)
    assert "Bcc" not in read
    assert str(read["From"]).endswith("<hearth@example.org>")


def test_the_password_is_in_no_repr():
    mail = settings(587, security="starttls", username="hearth", password="sesame")
    assert "sesame" not in repr(mail)
    assert "sesame" not in mail.model_dump_json()
