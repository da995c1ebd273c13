"""What many tests share: a community in a temporary folder, and where real recordings lie."""

import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import redis
from aiosmtpd.controller import Controller
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from pipeline import settings
from pipeline.sandbox.discourse import ADMIN_KEY
from pipeline.sandbox.rocketchat.app import READER_ID, READER_TOKEN

hypothesis.settings.register_profile("hearth", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("hearth")

SHARED = Path(__file__).parents[2] / "shared" / "data"
TOML = """
[communities.ember]
time_zone = "UTC"
home = "{home}"
bots = ["helper_bot"]
unnamed = ["shy"]

[communities.ember.sources.forum]
platform = "discourse"
url = "{forum}"
share = 1
requests_per_minute = 6000
explorer_runs_per_10_s = 1000

[communities.ember.sources.chat]
platform = "rocketchat"
url = "{chat}"
share = 1
"""
ONE_SOURCE = """
[communities.ember]
home = "{home}"

[communities.ember.sources.{name}]
url = "{url}"
platform = "{platform}"
share = 1
{extra}
"""
MAIL = """
[communities.ember.mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "hearth@example.org"
"""
SECRETS = {
    "HEARTH_EMBER_PSEUDONYM_KEY": "test pseudonym key",
    "HEARTH_EMBER_FORUM_KEY": ADMIN_KEY,
    "HEARTH_EMBER_CHAT_USER_ID": READER_ID,
    "HEARTH_EMBER_CHAT_TOKEN": READER_TOKEN,
}


def environment(settings_file):
    """The variables of whoever reads the sandbox's servers by this hearth.toml."""
    return {**SECRETS, "HEARTH_SETTINGS": str(settings_file)}


def make_community(folder, forum="http://127.0.0.1:1", chat="http://127.0.0.1:1", **secrets):
    text = TOML.format(home=folder, forum=forum, chat=chat)
    return settings.parse(text, {**SECRETS, **secrets}, Path(folder) / "hearth.toml").community()


@pytest.fixture(scope="session")
def community(tmp_path_factory):
    """A community nobody reads from; its home is empty."""
    return make_community(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def shared_data():
    """Real recordings beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"no recordings at {SHARED}")
    return SHARED


@pytest.fixture
def unchecked(monkeypatch):
    """Nights without their validation: Great Expectations takes seconds and has its own tests."""
    monkeypatch.setattr("pipeline.steps.running.validate", lambda night: {})


class Mail(NamedTuple):
    sender: str
    readers: list
    content: bytes

    @property
    def text(self):
        return self.content.decode()


class Inbox:
    """Keeps what it is given; refuses what it is told to."""

    def __init__(self):
        self.messages: list[Mail] = []
        self.refuse_reader = None
        self.refuse_message = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuse_reader in (address, "all"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse_message:
            return self.refuse_message
        self.messages.append(Mail(envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def inbox():
    """What a mail server at `port` was given; it asks for no login and knows no encryption."""
    inbox = Inbox()
    with running(Controller(inbox, hostname="127.0.0.1", port=0)) as inbox.port:
        yield inbox


@contextmanager
def running(controller):
    """A mail server on a free port of its own: the port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        controller.port = probe.getsockname()[1]
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) files of a server on localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory):
    """A Redis of our own that keeps nothing; its user `hearth` has the password `right`."""
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server here (Debian: apt-get install redis-server)")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(
        ["redis-server", *options], cwd=folder, stdout=subprocess.DEVNULL
    ) as process:
        client = redis.Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100))
        client.execute_command("ACL", "SETUSER", "hearth", "on", ">right", "~*", "+@all")
        yield f"redis://127.0.0.1:{port}/1"
        process.terminate()
