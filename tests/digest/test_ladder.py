"""What nobody takes up climbs: to the room, then to one person; each step once."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from pipeline.digest.edition import Health
from pipeline.digest.ledger import Ledger
from pipeline.digest.tell import Teller
from pipeline.digest.verdicts import Verdict, snoozed
from pipeline.settings import Ladder
from tests.digest.night import Writers, community, row
from tests.digest.test_forum import world  # noqa: F401 - a fixture
from tests.digest.test_tell import chat, said  # noqa: F401 - fixtures, but for `said`

FIRST = datetime(2026, 3, 2, 2, tzinfo=UTC)
ROWS = [row("1", title="Who can @all help?"), row("2", channel="Off topic"), row("3", "answered")]


class Climbing:
    """The same items night after night, before the same readers."""

    def __init__(self, folder, ladder, mail=None, clients=None, **audience):
        reader = {"ladders": {"support": ladder}, **audience}
        self.home = community(mail, audiences={"moderators": reader})
        self.folder, self.clients = folder, clients or {}
        self.ledger = Ledger(folder / "sent.jsonl")

    def night(self, number, verdicts=(), rows=ROWS):
        now = FIRST + timedelta(days=number)
        teller = Teller(
            self.home,
            self.ledger,
            self.folder,
            Writers(self.clients.__getitem__),
            as_of=now,
            sent_at=now,
        )
        list(teller.tell([("moderators", "files")], rows, Health()))
        climbed = teller.climb(rows, verdicts)
        return [(told.channel, told.items, told.trouble) for told in climbed]


def test_a_room_is_called_once_then_one_person_by_mail(tmp_path, chat, inbox):  # noqa: F811
    ladder = {
        "places": ["forum/Help"],
        "mention_after_h": 24,
        "mention": ["ann"],
        "lead_after_h": 72,
        "lead_mail": "lead@example.org",
    }
    mail = {"host": "127.0.0.1", "port": inbox.port, "security": "none", "sender": "h@example.org"}
    clients = {"chat": chat.poster}
    climbing = Climbing(tmp_path, ladder, mail, clients, rocketchat="chat/mods")
    assert [climbing.night(n) for n in (0, 1, 1, 2, 3, 4)] == [
        [],
        [("support/mention", 1, None)],
        [],
        [],
        [("support/lead", 1, None)],
        [],
    ]
    [message] = [m["msg"] for m in said(chat)]
    assert message.startswith(
        "@ann Nobody has taken this up since it was on the list:\n\n- Who can ＠all"
    )
    [mailed] = [mail.text for mail in inbox.messages]
    assert "Subject: [Ember users] 1 item nobody has taken up" in mailed
    assert "To: lead@example.org" in mailed
    assert "Who can @all help?" in mailed


def test_a_lead_in_the_forum_gets_one_message(tmp_path, world):  # noqa: F811
    world.forum.add_user("anna", "Anna", FIRST - timedelta(days=9))
    ladder = {"lead_after_h": 24, "lead_discourse": "forum/anna"}
    climbing = Climbing(tmp_path, ladder, clients={"forum": world.client})
    climbing.night(0)
    assert climbing.night(1) == [("support/lead", 2, None)]
    (tmp_path / "sent.jsonl").write_text(
        "".join(
            line
            for line in (tmp_path / "sent.jsonl").read_text().splitlines(True)
            if "lead" not in line
        )
    )
    assert climbing.night(1) == [("support/lead", 2, None)]  # killed before it was noted
    [[text]] = world.threads().values()
    assert text.startswith("These 2 have waited a long time, and nobody has taken them up.")


@pytest.mark.parametrize("choice", ["agree", "disagree", "handled", "claim", "snooze"])
def test_who_says_something_of_an_item_stops_it(tmp_path, choice):
    climbing = Climbing(
        tmp_path,
        {"lead_after_h": 24, "lead_mail": "l@example.org"},
        {"host": "127.0.0.1", "port": 1, "sender": "h@example.org"},
    )
    climbing.night(0)
    keys = tuple(climbing.ledger.told("moderators", FIRST.date() + timedelta(days=1)))
    at = FIRST + timedelta(hours=20)
    verdicts = [Verdict((key,), "ada", choice, at) for key in keys]
    if choice == "snooze":
        verdicts = [snoozed(verdict, at.date()) for verdict in verdicts]
    assert climbing.night(1, verdicts) == []
    [(channel, items, trouble)] = climbing.night(1)
    assert (channel, items, "did not answer" in trouble) == ("support/lead", 0, True)


def test_what_readers_may_not_see_never_climbs(tmp_path):
    secret = [row("9", channel="Staff", is_private=True)]
    climbing = Climbing(
        tmp_path,
        {"lead_after_h": 0, "lead_mail": "l@example.org"},
        {"host": "127.0.0.1", "port": 1, "sender": "h@example.org"},
    )
    assert [climbing.night(n, rows=secret) for n in (0, 1)] == [[], []]


@pytest.mark.parametrize(
    "ladder",
    [
        {},
        {"lead_after_h": 1},
        {"lead_mail": "a@b.c", "mention_after_h": 1},
        {"mention_after_h": 5, "lead_after_h": 1, "lead_mail": "a@b.c"},
    ],
)
def test_a_ladder_without_rungs_in_order_is_refused(ladder):
    with pytest.raises(ValidationError):
        Ladder.model_validate(ladder)
