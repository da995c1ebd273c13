"""One made-up night for the digest's tests: rows as marts.digest_items has them."""

from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from pipeline.digest.edition import Edition, Health
from pipeline.digest.selection import Opinions, select
from pipeline.settings import Community

NIGHT = date(2026, 3, 3)
AS_OF = datetime(2026, 3, 3, 2, 10, tzinfo=UTC)
SITE = "https://forum.example.org"

_PLAIN: dict[str, Any] = {
    "source": "forum",
    "platform": "discourse",
    "thread_id": "1",
    "message_id": "10",
    "kind": "unanswered",
    "title": "How do I load a scene?",
    "channel": "Help",
    "url": f"{SITE}/t/1",
    "person": "Ada",
    "is_newcomer": False,
    "created_at": datetime(2026, 3, 1, 20, 0, tzinfo=UTC),
    "age_h": 30.0,
    "target_h": 24.0,
    "older_than_rate": None,
    "level": "L0",
    "severity": 1,
    "evidence": ["question_mark"],
    "reasons": [],
    "sentence": None,
    "score": None,
    "model": None,
    "model_version": None,
    "text_hash": "aa",
    "replies": 0,
    "people": 1,
    "views": 40,
    "is_private": False,
    "is_hidden": False,
    "context": None,
    "curve": None,
    "turn": None,
    "who_might_know": None,
    "confirmed_before": None,
}


class Writers:
    """In place of those of a community: what writes to a source, whatever its platform."""

    def __init__(self, find: Any) -> None:
        self.forum = self.chat = find


def row(thread_id: str, kind: str = "unanswered", **changes: Any) -> dict[str, Any]:
    """A row of marts.digest_items."""
    url = f"{SITE}/t/{thread_id}"
    return {**_PLAIN, "thread_id": thread_id, "kind": kind, "url": url, **changes}


def thanked(person: str, **deeds: Any) -> dict[str, Any]:
    """A row of marts.thanks."""
    none = {"accepted": 0, "liked": 0, "newcomers": 0, "is_first_accepted": False}
    return {"source": "forum", "person": person, "answers": 1, **none, **deeds}


def community(mail: dict[str, Any] | None = None, **digest: Any) -> Community:
    """A community with a forum and a chat."""
    sources = {
        "forum": {"platform": "discourse", "url": SITE, "key": "k"},
        "chat": {
            "platform": "rocketchat",
            "url": "https://chat.example.org",
            "user_id": "u",
            "token": "t",
        },
    }
    return Community.model_validate(
        {
            "name": "demo",
            "title": "Ember users",
            "home": "/nowhere",
            "time_zone": "Europe/Berlin",
            "pseudonym_key": "p",
            "sources": sources,
            "digest": digest,
            "mail": mail,
        }
    )


def edition(
    rows: list[dict[str, Any]],
    health: Health | None = None,
    told: Any = (),
    judged: Any = (),
    shadow: Any = (),
    claims: Any = MappingProxyType({}),
    **digest: Any,
) -> Edition:
    """The moderators' edition of the night; `digest` are settings."""
    return select(
        rows,
        health or Health(),
        told,
        community(**digest),
        "moderators",
        as_of=AS_OF,
        night=NIGHT,
        opinions=Opinions(judged, shadow, claims),
    )


BUSY = [
    row(
        "1",
        "newcomer_waiting",
        title="Where do I start with shaders?",
        is_newcomer=True,
        age_h=26.4,
        target_h=4.0,
        person="Priya",
        views=132,
        channel="Getting started",
        who_might_know=[
            {"person": "Tom", "answers": 4, "words": []},
            {"person": "Ines", "answers": 0, "words": ["shader"]},
        ],
    ),
    row(
        "2",
        "newcomer_waiting",
        title="场景加载后全是黑屏，请问怎么排查？",
        is_newcomer=True,
        age_h=9.0,
        target_h=4.0,
        person="小林",
        views=18,
        channel="新手求助",
    ),
    row(
        "3",
        title="Crash in physics step on Android 14 after the last update",
        age_h=75.0,
        views=480,
        person="Marek",
    ),
    row(
        "4",
        title="Which licence do the sample assets have?",
        age_h=31.0,
        replies=2,
        level="L1",
        views=12,
        person="Noor",
    ),
    row(
        "5",
        "sour",
        title="Remove the old renderer already",
        age_h=14.0,
        replies=23,
        people=4,
        severity=3,
        score=0.71,
        model="uncivil-en",
        model_version="1.2",
        person=None,
        evidence=["tone", "pace", "pingpong"],
        sentence="You clearly never read a single issue before you answer, stop wasting our time.",
        reasons=[{"code": "heat_turn", "message": 17}, {"code": "ping_pong", "people": 2}],
        context="Please read the bloody thread before you answer.",
        curve=[0.0, 0.1, 0.1, 0.5, 0.7],
        turn=4,
        confirmed_before=2,
    ),
    row(
        "6",
        "toxic",
        title="Bug reports are being ignored",
        age_h=6.0,
        severity=1,
        score=0.93,
        model="uncivil-en",
        model_version="1.2",
        person="grumpy_dev",
        channel="General",
        evidence=["model"],
        sentence="This maintainer is a useless idiot, see http://evil.example/x",
        reasons=[{"code": "model", "word": "idiot"}],
    ),
    row(
        "7",
        "answered",
        title="Exporter writes empty meshes",
        age_h=5.2,
        person="Ines",
        is_newcomer=True,
        replies=3,
    ),
]
HEALTH = Health(
    waiting=14,
    newcomers_waiting=3,
    answered_yesterday=9,
    p50_h=5.4,
    p90_h=61.0,
    flagged=2,
    unscored=7,
    p50_low_h=4.1,
    p50_high_h=6.3,
    coverage_rate=0.994,
    stale_sources=(
        {
            "source": "chat",
            "since": datetime(2026, 3, 1, 2, 4, tzinfo=UTC),
            "why": "503 from the server",
        },
    ),
    thanks=(
        thanked("Ines", newcomers=2, accepted=1, is_first_accepted=True),
        thanked("Tom", accepted=2, liked=1),
    ),
    precision=(
        {
            "rule": "uncivil-en",
            "agreed": 21,
            "judged": 26,
            "low": 0.62,
            "high": 0.91,
            "is_shadow": False,
        },
    ),
    waiting_before=(8, 9, 12, 11, 9, 13, 16, 15),
)
