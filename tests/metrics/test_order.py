"""The same rows make the same table to the last digit, in whatever order they lie: sums of fractions
are added up in an order of their own, and two builds of one night are one file."""

import random
from datetime import datetime, timedelta

import pytest

from pipeline import build
from pipeline.contracts import contracts
from tests.test_sql import insert

NIGHT = datetime(2026, 3, 2, 2)
SHUFFLED = random.Random(7)


def moments(n):
    return [NIGHT - timedelta(seconds=SHUFFLED.uniform(3600, 80 * 86400)) for _ in range(n)]


def waits(n):
    return [
        {
            "source": ("forum", "chat")[i % 2],
            "thread_id": str(i),
            "population": "topics",
            "event": "response",
            "asker": ("newcomer", "regular")[i % 3 % 2],
            "created_at": at,
            "created_day": at.date(),
            "has_happened": i % 4 > 0,
            "waited_h": SHUFFLED.uniform(0.1, 90),
            "age_h": 100.0,
        }
        for i, at in enumerate(moments(n))
    ]


def texts(n):
    """First messages of forum and chat threads that share words rare and common."""
    words = [f"word{i}" for i in range(70)]
    for i in range(n):
        thread = {"source": ("forum", "chat")[i % 2], "thread_id": str(i)}
        message = {**thread, "message_id": str(i)}
        body = " ".join(SHUFFLED.sample(words, 25))
        yield {**message, "is_first": True}, {**message, "body": body}, thread


WAITS = waits(300)
MESSAGES, BODIES, THREADS = zip(*texts(40), strict=True)
GIVEN = {
    "marts.response_gaps": {"marts.waits": WAITS},
    "marts.twin_threads": {
        "marts.waits": WAITS[:40],
        "marts.messages": MESSAGES,
        "staging.messages": BODIES,
        "marts.threads": THREADS,
    },
    "marts.burstiness": {
        "marts.messages": [
            {"source": "forum", "message_id": str(i), "channel_id": str(i % 2), "created_at": at}
            for i, at in enumerate(moments(300))
        ]
    },
    "marts.change_points": {
        "marts.series": [
            {
                "metric": metric,
                "source": "forum",
                "day": (NIGHT - timedelta(days)).date(),
                "value": SHUFFLED.randrange(9) + (40 if days < 60 else 0),
            }
            for days in range(1, 130)
            for metric in ("messages", "threads")
        ]
    },
    "marts.platform_reports": {
        "staging.threads": [
            {
                "source": "forum",
                "thread_id": str(i),
                "account_id": "a",
                "created_at": datetime(2026, 2, 1, 0, i % 60),
            }
            for i in range(300)
        ],
        "staging.messages": [
            {
                "source": "forum",
                "message_id": str(i),
                "thread_id": str(i),
                "account_id": "b",
                "position": 2,
                "created_at": at + timedelta(days=60),
            }
            for i, at in enumerate(moments(300))
            if at + timedelta(days=60) < NIGHT
        ],
    },
}


def made(db, table, given):
    db.begin()
    try:
        for name, rows in given.items():
            insert(db, contracts()[name], rows)
        build.make(db, contracts()[table])
        return db.execute(f"FROM {table} ORDER BY ALL").fetchall()
    finally:
        db.rollback()


@pytest.mark.parametrize("table", GIVEN)
def test_rows_in_another_order_make_the_same_table(tables, table):
    first = made(tables, table, GIVEN[table])
    assert first
    for _ in range(4):
        mixed = {name: SHUFFLED.sample(rows, len(rows)) for name, rows in GIVEN[table].items()}
        assert made(tables, table, mixed) == first
