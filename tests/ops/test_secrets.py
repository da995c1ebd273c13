"""Planted secrets are looked for in every byte that a night leaves behind."""

import io
import json
import logging
import subprocess
import sys

import pytest

from pipeline import redact, settings
from pipeline.errors import Degraded
from pipeline.journal import Journal
from pipeline.sandbox import server
from tests.conftest import make_community
from tests.ops.searching import every_byte, holders
from tests.test_night import World

KEY = "c0ffee5ecre7" * 5
TOKEN = "tok/en+W1th=signs_" * 2
PSEUDONYM = "pseudonym-5ecret-of-ember"
PLANTED = {
    "HEARTH_EMBER_FORUM_KEY": KEY,
    "HEARTH_EMBER_CHAT_TOKEN": TOKEN,
    "HEARTH_EMBER_CHAT_USER_ID": "us3rIdThatIsSecret",
    "HEARTH_EMBER_PSEUDONYM_KEY": PSEUDONYM,
}


@pytest.fixture
def planted(monkeypatch):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "text",
    [
        f"HTTPSConnectionPool: /posts.json?api_key={KEY}&page=1",
        f"Invalid header value: b'{TOKEN}'",
        "/api/v1/me?token=tok%2Fen%2BW1th%3Dsigns_tok%2Fen%2BW1th%3Dsigns_",
        f"{{'X-Auth-Token': '{TOKEN}', 'X-User-Id': 'us3rIdThatIsSecret'}}",
    ],
)
def test_known_secrets_are_hidden_in_every_spelling(planted, text):
    said = redact.clean(text)
    assert redact.HIDDEN in said
    assert not any(secret in said for secret in PLANTED.values())
    assert "%2FenW" not in said
    assert "W1th" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [hidden]"),
        ('{"Api-Key": "0123456789abcdef"}', '{"Api-Key": "[hidden]"}'),
        ("smtp://bot:hunter22@mail.example.org", "smtp://[hidden]@mail.example.org"),
        ("password=correct1horse&x=1", "password=[hidden]&x=1"),
        ("the key was refused (403); it needs an admin user", None),
        ("the token: it expired yesterday", None),
        ("https://forum.example.org/t/5?page=2", None),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_prose_is_not(text, said):
    assert redact.clean(text) == (said or text)


def test_log_records_of_any_library_are_clean(planted):
    redact.install()
    redact.install()
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    other = logging.getLogger("some.library")
    other.addHandler(handler)
    try:
        other.warning("sent %s to %d", {"Api-Key": KEY}, 5)
        other.warning("wrong %d arguments %s", TOKEN)
        try:
            raise ValueError(f"bad header {TOKEN}")
        except ValueError:
            other.exception("it broke")
    finally:
        other.removeHandler(handler)
    said = heard.getvalue()
    assert "ValueError: bad header [hidden]" in said
    assert "sent {'Api-Key': '[hidden]'} to 5" in said
    assert not any(secret in said for secret in PLANTED.values())


BROKEN = """
import os, sys
from pipeline import cli, redact, settings

def broken(**_):
    raise RuntimeError("with " + os.environ["HEARTH_EMBER_FORUM_KEY"])
"""
AS_LIBRARY = "redact.install(); broken()"
AT_A_PROMPT = "settings.load = broken; sys.argv = ['hearth', 'status']; cli.main()"


@pytest.mark.parametrize("how", [AS_LIBRARY, AT_A_PROMPT])
def test_a_defect_ends_the_process_with_a_clean_traceback(planted, how):
    code = f"{BROKEN}\n{how}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "RuntimeError: with [hidden]" in told.stderr
    assert KEY not in told.stderr


def test_the_journal_is_clean(planted, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.trouble("forum", f"{KEY} was refused")
    assert [line.text for line in journal.lines()] == ["[hidden] was refused"]


def test_settings_never_show_a_secret(tmp_path):
    community = make_community(tmp_path, **PLANTED)
    shown = f"{community!r} {community} {community.model_dump()} {community.model_dump_json()}"
    assert not any(secret in shown for secret in PLANTED.values())
    with pytest.raises(settings.FixSettings) as told:
        settings.parse(
            f'[communities.ember.sources.forum]\nplatform = "discourse"\nurl = "http://x"\nkey = "{KEY}"',
            {},
        )
    assert KEY not in str(told.value)


def echoing(app):
    """The server, but every refusal repeats the request's headers, as debug pages do."""

    async def answer(scope, receive, send):
        if scope["type"] != "http" or "session" in scope["path"] or "about" in scope["path"]:
            await app(scope, receive, send)
            return
        told = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = json.dumps({"errors": [f"debug: {told}"], "error": f"debug: {told}"}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def assert_clean(folder, *said):
    assert every_byte(folder)
    for secret in PLANTED.values():
        assert holders(folder, secret) == []
        assert not any(secret in text for text in said)


def test_a_night_with_a_refused_key_that_the_server_repeats_leaves_no_secret(
    tmp_path, monkeypatch, unchecked, caplog
):
    world = World(tmp_path, monkeypatch)
    for name in ("HEARTH_EMBER_FORUM_KEY", "HEARTH_EMBER_PSEUDONYM_KEY"):
        monkeypatch.setenv(name, PLANTED[name])
    caplog.set_level(logging.DEBUG)
    redact.install()
    with server.running(echoing(world.site), world.room) as addresses:
        world.settings(addresses)
        with pytest.raises(Degraded) as told:
            world.night()
    assert "403" in (tmp_path / "ops" / "status.json").read_text()
    assert_clean(tmp_path, caplog.text, str(told.value))


def test_a_whole_night_leaves_no_secret(world, unchecked, monkeypatch):
    monkeypatch.setenv("HEARTH_EMBER_PSEUDONYM_KEY", PSEUDONYM)
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
    assert_clean(world.folder)
