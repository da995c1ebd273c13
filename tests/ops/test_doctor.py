"""What operators get wrong, planted one by one: `hearth doctor` names each, with its mend."""

import shutil
import ssl
from collections import namedtuple
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from typer.testing import CliRunner

from pipeline import cli, doctor
from pipeline.sandbox import server
from pipeline.sandbox.discourse import ADMIN_KEY, READ_KEY, Key
from pipeline.sandbox.rocketchat.app import READER_TOKEN
from pipeline.sources.http import SANDBOX
from tests.conftest import running
from tests.test_night import World

HEAD = "[communities.ember]\n"
FORUM = "[communities.ember.sources.forum]\n"
CHAT = "[communities.ember.sources.chat]\n"
USAGE = namedtuple("usage", "total used free")


class Office:
    """A served community, its hearth.toml to spoil, and a mail server with a password."""

    def __init__(self, world, addresses, mail_port, monkeypatch):
        self.world, self.addresses, self.mail_port = world, addresses, mail_port
        self.monkeypatch = monkeypatch
        self.file = world.folder / "hearth.toml"
        world.clock.set(datetime.now(UTC))
        world.settings(addresses)
        monkeypatch.setenv("HEARTH_EMBER_PSEUDONYM_KEY", "p" * 64)

    def add(self, line, below=HEAD):
        text = self.file.read_text()
        assert below in text
        self.file.write_text(text.replace(below, f"{below}{line}\n"))

    def change(self, old, new):
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def mail(self, **changes):
        table = {
            "host": "127.0.0.1",
            "port": self.mail_port,
            "security": "none",
            "sender": "hearth@example.org",
            "timeout_s": 5,
            **changes,
        }
        lines = [f"{k} = {v!r}" for k, v in table.items()]
        with self.file.open("a") as out:
            out.write("\n[communities.ember.mail]\n" + "\n".join(lines) + "\n")

    def set(self, variable, value):
        self.monkeypatch.setenv(f"HEARTH_EMBER_{variable}", value)


@pytest.fixture
def office(tmp_path, monkeypatch, inbox):
    tmp_path.chmod(0o700)
    world = World(tmp_path, monkeypatch)
    world.site.keys[READ_KEY] = Key(READ_KEY, scopes=("read", "run_queries"))
    with world.serve() as addresses:
        yield Office(world, addresses, inbox.port, monkeypatch)


def diagnosis():
    told = CliRunner().invoke(cli.app, ["doctor"], catch_exceptions=True)
    if told.exit_code == 1:  # an error of ours, which `main` turns into its exit code and text
        return told.exception.exit_code, str(told.exception)
    return told.exit_code, told.output


def redirecting(app, target):
    """The server behind a proxy that wants another address."""

    async def answer(scope, receive, send):
        headers = [(b"location", (target + scope["path"]).encode())]
        await send({"type": "http.response.start", "status": 301, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return answer


def dated(app, at):
    async def answer(scope, receive, send):
        async def stamped(message):
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(at, usegmt=True).encode())
                message = {**message, "headers": [*message["headers"], date]}
            await send(message)

        await app(scope, receive, stamped)

    return answer


def test_the_clock_of_a_sandbox_may_stand_anywhere(office):
    then = datetime(2026, 3, 2, 2, tzinfo=UTC).timestamp()
    said_by_it = [("Server", SANDBOX)]
    with server.running(dated(office.world.site, then), headers=said_by_it) as there:
        office.change(office.addresses.forum, there.forum)
        ended, told = diagnosis()
    assert (ended, "clock is" in told) == (0, False), told


def behind_https(office):
    with server.running(redirecting(office.world.site, "https://127.0.0.1")) as there:
        office.change(office.addresses.forum, there.forum)
        return diagnosis()


def a_fast_clock(office):
    now = datetime.now(UTC).timestamp()
    with server.running(dated(office.world.site, now - 700)) as there:
        office.change(office.addresses.forum, there.forum)
        return diagnosis()


def nobody_answers(office):
    office.change(office.addresses.forum, "http://127.0.0.1:9")
    office.add("patience_s = 0", FORUM)


def role(office):
    return office.world.chat.roles["extractor"]


def in_one_home(office):
    text = office.file.read_text()
    office.file.write_text(text + text.replace("ember", "other"))
    for name in ("PSEUDONYM_KEY", "FORUM_KEY", "CHAT_USER_ID", "CHAT_TOKEN"):
        office.monkeypatch.setenv(f"HEARTH_OTHER_{name}", "x" * 32)


def without_https(office):
    office.mail(security="starttls")


# what was planted, the exit code, what is said of it, and of its mend
PLANTED = [
    # hearth.toml and the secrets
    (
        "an unknown key",
        lambda o: o.add("time_zome = 'UTC'"),
        78,
        "time_zome: unknown key",
        "did you mean 'time_zone'",
    ),
    (
        "a time zone that is none",
        lambda o: o.change('"UTC"', '"Berlin"'),
        78,
        "time_zone",
        "such as Europe/Berlin",
    ),
    (
        "a language without any model",
        lambda o: o.add("languages = ['fr']"),
        0,
        "'fr' is not judged by its tone nor by its questions",
        "docs/judgement.md",
    ),
    (
        "a secret that is not set",
        lambda o: o.monkeypatch.delenv("HEARTH_EMBER_CHAT_TOKEN"),
        78,
        "HEARTH_EMBER_CHAT_TOKEN is not set",
        "set them, then ask again",
    ),
    (
        "a secret in the file",
        lambda o: o.add("key = 'abcdefgh12345678'", FORUM),
        78,
        "secrets do not belong in this file",
        "set HEARTH_EMBER_FORUM_KEY instead",
    ),
    ("two communities in one home", in_one_home, 78, "share the folder", "a `home` of its own"),
    (
        "a pseudonym key to guess",
        lambda o: o.set("PSEUDONYM_KEY", "ember"),
        0,
        "the pseudonym key is short",
        "openssl rand",
    ),
    # the machine
    (
        "a home that cannot be made",
        lambda o: o.change(f'home = "{o.world.folder}"', "home = '/proc/hearth'"),
        78,
        "cannot make the folder",
        "choose another `home`",
    ),
    (
        "a home for all to see",
        lambda o: o.world.folder.chmod(0o755),
        0,
        "open to other users",
        "chmod 700",
    ),
    (
        "a disk that is full",
        lambda o: o.monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(9, 9, 10**8)),
        78,
        "0.1 GB are free",
        "free space, or keep less",
    ),
    (
        "more memory than there is",
        lambda o: o.add("memory = '90TB'"),
        78,
        "`memory` is 90TB",
        "lower it in hearth.toml",
    ),
    ("a clock that is off", a_fast_clock, 78, "clock is 12 minutes ahead of the server's", "NTP"),
    # the forum
    (
        "a wrong key",
        lambda o: o.set("FORUM_KEY", "0" * 64),
        77,
        "was refused (403)",
        "Check the key",
    ),
    (
        "a key without a scope",
        lambda o: o.world.site.keys.update({ADMIN_KEY: Key(ADMIN_KEY, scopes=("run_queries",))}),
        77,
        "was refused (403)",
        "the key's scopes",
    ),
    (
        "a user who is not there",
        lambda o: o.add("username = 'nobody'", FORUM),
        77,
        "the user name 'nobody'",
        "Check the key",
    ),
    (
        "a user who is no admin",
        lambda o: o.add("username = 'anna'\nway_in = 'rest'", FORUM),
        77,
        "anna may not read the admin's lists",
        "use an admin's key",
    ),
    (
        "a key that may too much",
        lambda o: None,
        0,
        "the key may also write",
        "global:read and run_queries",
    ),
    (
        "Data Explorer switched off",
        lambda o: setattr(o.world.forum.switches, "explorer", False),
        0,
        "plain REST is the way in, slower",
        "data_explorer_enabled",
    ),
    (
        "a key that may too much, where Data Explorer is off",
        lambda o: o.add("way_in = 'rest'", FORUM),
        0,
        "the key may also write",
        "a key with the scope global:read is enough for plain REST",
    ),
    (
        "a forum that is https by now",
        behind_https,
        78,
        "sends us to https://127.0.0.1",
        "put it into hearth.toml as `url`",
    ),
    (
        "a slip in the address",
        lambda o: o.change(o.addresses.forum, f"{o.addresses.forum}/forun"),
        78,
        "no Discourse answers at",
        "check `url`",
    ),
    (
        "the chat's address for the forum's",
        lambda o: o.change(o.addresses.forum, o.addresses.chat),
        78,
        "no Discourse answers at",
        "check `url`",
    ),
    (
        "a category that is not there",
        lambda o: o.add("private = ['Stafff']", FORUM),
        0,
        "no category 'Stafff'",
        "check `private`",
    ),
    (
        "a server that is down",
        nobody_answers,
        75,
        "the connection was refused",
        "it may work later",
    ),
    # the workspace
    (
        "a token that expired",
        lambda o: o.world.chat.tokens.pop(READER_TOKEN),
        77,
        "the token was refused (401)",
        "make a personal access token",
    ),
    (
        "an account that may not read",
        lambda o: role(o).discard("view-c-room"),
        77,
        "may not read public channels",
        "grant view-c-room",
    ),
    (
        "an account that may too much",
        lambda o: role(o).add("force-delete-message"),
        0,
        "has force-delete-message",
        "take it from the account's role",
    ),
    (
        "a rate limit that counts us",
        lambda o: role(o).discard("api-bypass-rate-limit"),
        0,
        "the rate limit counts our calls",
        "grant api-bypass-rate-limit",
    ),
    (
        "a server too old",
        lambda o: setattr(o.world.chat.switches, "version", "6.13.0"),
        77,
        "Rocket.Chat 6.13.0",
        "update the server",
    ),
    (
        "a group nobody invited us to",
        lambda o: o.add("private = ['staff']", CHAT),
        0,
        "no private group 'staff'",
        "invite the account",
    ),
    # the channels
    (
        "a mail server that is not there",
        lambda o: o.mail(port=9),
        75,
        "127.0.0.1:9 did not answer",
        "it may work later",
    ),
    ("a mail server without encryption", without_https, 78, "STARTTLS", "set `security`"),
    (
        "a group that is not there",
        lambda o: o.add("discourse = 'forum/moderatorz'", audience(o)),
        78,
        "sees no group 'moderatorz'",
        "change the name in hearth.toml",
    ),
    (
        "a room that is not there",
        lambda o: o.add("rocketchat = 'chat/moderatorz'", audience(o)),
        78,
        "sees no room 'moderatorz'",
        "invite it there",
    ),
    (
        "a watchdog that is not there",
        lambda o: o.add("ping = 'http://127.0.0.1:9/secret'"),
        75,
        "watchdog at 127.0.0.1 cannot",
        "check `ping`",
    ),
    (
        "nobody who hears of it",
        lambda o: None,
        0,
        "nobody hears of a night that failed",
        "set `operators`",
    ),
]


def audience(office):
    table = "[communities.ember.digest.audiences.moderators]\n"
    office.file.write_text(office.file.read_text() + f"\n{table}")
    return table


@pytest.mark.parametrize(
    ("plant", "code", "says", "mend"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED]
)
def test_what_operators_get_wrong_is_named_with_its_mend(office, plant, code, says, mend):
    planted = plant(office)
    ended, told = planted if isinstance(planted, tuple) else diagnosis()
    assert says in told
    assert mend in told
    assert ended == code, told
    for secret in (ADMIN_KEY, READER_TOKEN, "abcdefgh12345678", "/secret"):
        assert secret not in told


def test_a_sound_installation_ends_with_0_and_says_what_there_is(office):
    office.world.site.keys[ADMIN_KEY] = Key(ADMIN_KEY)
    diagnosis()  # stores the queries, which a key for reading may not
    office.set("FORUM_KEY", READ_KEY)
    office.add("operators = ['ops@example.org']\nlanguages = ['de', 'en', 'zh']")
    office.mail()
    office.world.chat.switches.version = "7.7.1"
    ended, told = diagnosis()
    assert ended == 0, told
    assert "0 to fix, 0 to think about" in told
    for said in (
        "every key is known",
        "can be written",
        "GB of memory",
        "the key only reads",
        "signed in as hearth",
        "127.0.0.1 takes our mail",
    ):
        assert said in told


def test_an_answer_nobody_foresaw_is_named_and_the_rest_is_told(office, monkeypatch):
    def surprised(*_):
        raise KeyError("version")

    monkeypatch.setattr("pipeline.sources.discourse.Discourse.probe", surprised)
    ended, told = diagnosis()
    assert ended == 76, told
    assert "forum: an answer of a form that Hearth does not know (KeyError)" in told
    assert f"see what answers at {office.addresses.forum}" in told
    assert "signed in as hearth" in told


def test_all_that_is_wrong_is_told_in_one_run(office):
    office.monkeypatch.delenv("HEARTH_EMBER_PSEUDONYM_KEY")
    office.add("memory = '90TB'\nping = 'http://127.0.0.1:9/x'")
    office.set("FORUM_KEY", "0" * 64)
    office.world.chat.tokens.pop(READER_TOKEN)
    office.add("discourse = 'forum/moderatorz'\nrocketchat = 'chat/moderators'", audience(office))
    office.mail(port=9)
    ended, told = diagnosis()
    assert ended == 78
    assert told.count("FAIL") == 8, told
    assert "8 to fix" in told


def test_a_refused_password_of_the_mail_server_is_named(office, certificate, monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    office.set("MAIL_PASSWORD", "not-the-passw0rd")
    controller = Controller(
        None,
        hostname="127.0.0.1",
        tls_context=context,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    with running(controller) as port:
        office.mail(host="localhost", port=port, security="starttls", username="hearth")
        ended, told = diagnosis()
    assert f"mail server localhost:{port}: the user name or the password was refused" in told
    assert ended == 77
    assert "not-the-passw0rd" not in told


LADDER = """
[communities.ember.digest.audiences.moderators.ladders.support]
lead_after_h = 1
lead_discourse = "forum/anna"
"""


@pytest.mark.parametrize("posts", ["to a person", "to the review queue"])
def test_a_key_that_writes_because_it_must_is_as_it_should_be(office, posts):
    if posts == "to a person":
        office.file.write_text(office.file.read_text() + LADDER)
    else:
        office.add("review_queue = true", FORUM)
    ended, told = diagnosis()
    assert ended == 0, told
    assert "the key may write, for digests" in told
    assert "may also write" not in told


def test_a_test_notice_reaches_the_operators(office, inbox):
    told = CliRunner().invoke(cli.app, ["doctor", "--send-test"])
    assert "nobody to send to; set `operators` and a table `mail`" in str(told.exception)
    office.add("operators = ['ops@example.org']")
    office.mail()
    told = CliRunner().invoke(cli.app, ["doctor", "--send-test"])
    assert told.exit_code == 0, told.output
    assert "Sent a test notice to ops@example.org" in told.output
    ((_, readers, mail),) = inbox.messages
    assert readers == ["ops@example.org"]
    assert b"Subject: Hearth, Ember: a test of the notices" in mail
    assert b"nothing is wrong with Ember" in mail


def test_a_network_file_system_is_recognised(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nnas:/x /srv/hearth nfs4 rw 0 0\ntmpfs /srv tmpfs rw 0 0\n"
    )
    kinds = {
        p: doctor.file_system(Path(p), mounts)
        for p in ("/srv/hearth/ember", "/srv/hearths", "/opt")
    }
    assert kinds == {"/srv/hearth/ember": "nfs4", "/srv/hearths": "tmpfs", "/opt": "ext4"}
    assert doctor.file_system(Path("/"), tmp_path / "none") == ""


def test_a_container_has_the_memory_it_is_given(tmp_path):
    whole = doctor.memory(tmp_path)
    assert whole > 2**28
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.memory(tmp_path) == whole
    (tmp_path / "memory.max").write_text("268435456\n")
    assert doctor.memory(tmp_path) == 2**28
