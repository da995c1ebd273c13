"""Night after night: every channel once, nothing twice, everything in the end."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from pipeline.contracts import contracts
from pipeline.digest import heard as hearing
from pipeline.digest.edition import Health
from pipeline.digest.ledger import Ledger
from pipeline.digest.tell import Teller, Told
from pipeline.digest.verdicts import Verdict, from_reactions
from pipeline.errors import SourceDown
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.rocketchat import READER_ID, READER_TOKEN, Workspace, chat_app
from pipeline.sandbox.server import running
from pipeline.settings import Community
from pipeline.sources.http import Budget, Transport
from pipeline.sources.rocketchat.client import Client
from pipeline.sources.rocketchat.posting import Poster
from tests.digest.night import Writers, community, row

FIRST = date(2026, 3, 2)  # a Monday


@pytest.fixture
def chat():
    workspace, clock = Workspace(), Clock(datetime(2026, 3, 2, 3, tzinfo=UTC), frozen=True)
    ann = workspace.add_user("ann", "Ann", clock.now())
    workspace.add_room("mods", clock.now(), id="mods", members=[ann])
    workspace.ann = ann
    with running(chat_app=chat_app(workspace, clock)) as addresses:
        headers = {"X-User-Id": READER_ID, "X-Auth-Token": READER_TOKEN}
        transport = Transport(
            addresses.chat,
            headers,
            source="chat",
            budget=Budget(None, 10_000, 60),
            timeout_s=5,
            patience_s=5,
            sleep=lambda _: None,
        )
        workspace.poster = Poster(Client(transport, share=1.0))
        yield workspace


def said(workspace):
    messages = workspace.by_room["mods"].values()
    return [message for message in messages if "t" not in message]


def usage(workspace):
    return workspace.poster._client.transport.usage.requests


class Nights:
    """Tells the same audiences night after night from one ledger."""

    def __init__(self, home: Community, folder, find=None):
        self.home, self.folder, self.writers = home, folder, Writers(find)
        self.ledger = Ledger(folder / "sent.jsonl")

    def tell(self, night, rows, verdicts=(), health=None):
        as_of = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=2)
        teller = Teller(
            self.home,
            self.ledger,
            self.folder / "digests",
            self.writers,
            as_of=as_of,
            sent_at=as_of,
        )
        return list(teller.tell(teller.due(), rows, health or Health(), verdicts))

    def page(self, night):
        name = f"{night:%Y-%m-%d}-moderators"
        return (self.folder / "digests" / name / "digest.txt").read_text()


def with_mail(inbox, **audience):
    mail = {"host": "127.0.0.1", "port": inbox.port, "security": "none", "sender": "h@example.org"}
    reader = {"mail_to": ["mods@example.org"], **audience}
    return community(mail, audiences={"moderators": reader})


def test_a_rerun_sends_nothing_again_but_writes_the_files(inbox, tmp_path):
    nights = Nights(with_mail(inbox), tmp_path)
    first = nights.tell(FIRST, [row("1"), row("2")])
    page = nights.page(FIRST)
    again = nights.tell(FIRST, [row("1"), row("2")])
    files = Told("moderators", "files", 2, first[0].where)
    assert first == [files, Told("moderators", "mail", 2, "1 of 1 readers")]
    assert again == [files]
    assert nights.page(FIRST) == page
    assert len(inbox.messages) == 1


def test_items_are_counted_as_the_list_shows_them(tmp_path):
    rows = [row("1"), row("1", "toxic"), row("2", "sour"), row("3", "answered")]
    nights = Nights(community(), tmp_path)
    [told] = nights.tell(FIRST, rows)
    assert (told.items, str(told)) == (2, f"2 items; {told.where}")
    assert nights.page(FIRST).count("Ref ") == 2
    assert [entry.size for entry in nights.ledger] == [2]
    [told] = nights.tell(FIRST + timedelta(1), [*rows, row("4")])
    assert str(told) == f"1 item; {told.where}"


def test_a_kill_after_sending_repeats_the_same_message_id(inbox, tmp_path):
    nights = Nights(with_mail(inbox), tmp_path)
    nights.tell(FIRST, [row("1")])
    (tmp_path / "sent.jsonl").unlink()
    nights.tell(FIRST, [row("1")])
    ids = [line for m in inbox.messages for line in m.text.splitlines() if "Message-ID" in line]
    assert ids == ["Message-ID: <20260302.moderators.demo@example.org>"] * 2


def test_what_mail_missed_comes_in_one_digest_when_mail_is_back(inbox, tmp_path):
    nights = Nights(with_mail(inbox), tmp_path)
    down = nights.home.mail.model_copy(update={"port": 1})
    nights.home = nights.home.model_copy(update={"mail": down})
    told = [nights.tell(FIRST + timedelta(n), [row(str(i)) for i in range(n + 1)]) for n in (0, 1)]
    assert [t.trouble for _, t in told] == [
        "mail server 127.0.0.1:1 did not answer; it may work later"
    ] * 2
    assert [files.items for files, _ in told] == [1, 1]
    up = nights.home.mail.model_copy(update={"port": inbox.port})
    nights.home = nights.home.model_copy(update={"mail": up})
    files, mail = nights.tell(FIRST + timedelta(2), [row(str(i)) for i in range(3)])
    assert (files.items, mail.items) == (1, 3)


def test_a_weekly_audience_gets_the_week_in_one(inbox, tmp_path):
    nights = Nights(with_mail(inbox, days=[5]), tmp_path)
    mailed = {
        night: told.items
        for night in (FIRST + timedelta(n) for n in range(7))
        for told in nights.tell(night, [row(str(i)) for i in range((night - FIRST).days + 1)])
        if told.channel == "mail"
    }
    assert mailed == {date(2026, 3, 6): 5}


def test_a_quiet_night_is_told_too(inbox, tmp_path):
    Nights(with_mail(inbox), tmp_path).tell(FIRST, [])
    assert "quiet night" in inbox.messages[0].text


def in_chat(workspace, tmp_path):
    home = community(audiences={"moderators": {"rocketchat": "chat/mods"}})
    return Nights(home, tmp_path, lambda source: {"chat": workspace.poster}[source])


def test_chat_gets_a_head_and_a_thread_of_items_once(chat, tmp_path):
    nights = in_chat(chat, tmp_path)
    nights.tell(FIRST, [row("1"), row("2", "newcomer_waiting")])
    (tmp_path / "sent.jsonl").unlink()  # killed between sending and noting it
    _, told = nights.tell(FIRST, [row("1"), row("2", "newcomer_waiting")])
    head, *items = said(chat)
    assert told == Told("moderators", "rocketchat", 2, "mods, 1 + 2 messages")
    assert head["msg"].startswith("*Ember users: the morning list*")
    assert [message["msg"].split(":")[0] for message in items] == [
        "*Newcomers waiting*",
        "*Open questions*",
    ]
    assert {message["tmid"] for message in items} == {head["_id"]}


def test_reactions_in_chat_come_back_as_verdicts(chat, tmp_path):
    nights = in_chat(chat, tmp_path)
    nights.tell(FIRST, [row("1"), row("2")])
    first, second = (message["_id"] for message in said(chat)[1:])
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    chat.react(first, chat.ann, ":x:", now)
    chat.react(second, chat.ann, ":heart:", now)
    reactions = [
        (message, emoji, name, "chat")
        for message in (first, second)
        for emoji, names in chat.poster.reactions(message).items()
        for name in names
    ]
    verdicts = from_reactions(nights.ledger.posted(), reactions)
    assert [(v.item[1], v.who, v.via, v.choice) for v in verdicts] == [
        ("1", "ann", "chat", "disagree")
    ]


def test_each_item_is_asked_for_where_it_was_posted_and_who_we_are_once(chat, tmp_path):
    nights = in_chat(chat, tmp_path)
    nights.tell(FIRST, [row("1"), row("2")])
    items = [message["_id"] for message in said(chat)[1:]]
    for item in items:
        chat.react(item, chat.ann, ":x:", datetime(2026, 3, 2, 9, tzinfo=UTC))
    asked_before = usage(chat)
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA staging")
        for table in ("messages", "reactions"):
            db.execute(contracts()[f"staging.{table}"].ddl())
        heard = [
            reaction
            for source in ("chat", "second")
            for reaction in hearing._reactions_asked(
                db, nights.ledger, nights.writers, source, FIRST
            )
        ]
    assert heard == [(item, ":x:", "ann", "chat") for item in items]
    assert usage(chat) - asked_before == len(items) + 1


def test_trouble_in_one_channel_keeps_no_other_waiting(inbox, tmp_path):
    def closed_office(source):
        raise SourceDown(f"{source}: down")

    home = with_mail(inbox, rocketchat="chat/mods")
    told = Nights(home, tmp_path, closed_office).tell(FIRST, [row("1")])
    assert [(t.channel, t.items, t.trouble) for t in told] == [
        ("files", 1, None),
        ("mail", 1, None),
        ("rocketchat", 0, "chat: down"),
    ]


def test_a_reader_who_is_refused_is_trouble_and_the_others_are_told_once(inbox, tmp_path):
    readers = ["ada@example.org", "bob@example.org"]
    nights = Nights(with_mail(inbox, mail_to=readers), tmp_path)
    inbox.refuse_reader = "bob@example.org"
    [files, mail] = nights.tell(FIRST, [row("1")])
    trouble = "the mail server refused bob@example.org, the others have it; check `mail_to`"
    assert mail == Told("moderators", "mail", 1, "1 of 2 readers", trouble)
    assert nights.tell(FIRST, [row("1")]) == [files]
    assert [message.readers for message in inbox.messages] == [["ada@example.org"]]


def test_ten_nights_of_verdicts(tmp_path):
    nights = Nights(community(), tmp_path)
    verdicts, shown = [], {}
    for n in range(10):
        night = FIRST + timedelta(n)
        rows = [row("q", text_hash="edited" if n >= 6 else "first"), row("sleepy")]
        rows += [
            row(f"{n}-{i}", "toxic", evidence=["noisy"], sentence="x", score=0.5) for i in range(6)
        ]
        rows += [row(f"{n}-sure", "toxic", evidence=["noisy", "sound"], severity=2, sentence="x")]
        nights.tell(night, rows, verdicts)
        told = nights.ledger.told("moderators", night + timedelta(1))
        shown[n] = {key.thread_id for key, last in told.items() if last == night}
        at = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=9)
        for key in [key for key, last in told.items() if last == night]:
            if key.thread_id == "sleepy":
                until = night + timedelta(3)
                verdicts.append(Verdict((key,), "ada", "snooze", at, until))
            elif key.kind == "toxic":
                choice = "agree" if key.thread_id.endswith("sure") else "disagree"
                verdicts.append(Verdict((key,), "ada", choice, at))
            else:
                verdicts.append(Verdict((key,), "ada", "handled", at))
    noisy = {n: {f"{n}-{i}" for i in range(6)} for n in range(10)}
    sure = {n: {f"{n}-sure"} for n in range(10)}
    # 7 verdicts a night: after three nights the noisy rule is known well enough to be demoted
    assert shown == {
        0: noisy[0] | sure[0] | {"q", "sleepy"},
        1: noisy[1] | sure[1],
        2: noisy[2] | sure[2],
        3: sure[3] | {"sleepy"},
        4: sure[4],
        5: sure[5],
        6: sure[6] | {"q", "sleepy"},
        7: sure[7],
        8: sure[8],
        9: sure[9] | {"sleepy"},
    }
    last = nights.page(FIRST + timedelta(9))
    assert "toxic/sound: moderators agreed with 9 of 9 (70 to 100 %)" in last
    assert "toxic/noisy was wrong too often and now only watches" in last
