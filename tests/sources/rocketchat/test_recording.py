"""A real team's chat, through HTTP: every message arrives, by day, channel and author."""

from collections import Counter
from datetime import timedelta

import duckdb
import pytest

from pipeline.sandbox.recordings import workspace_from_messages

pytestmark = [pytest.mark.requires_shared_data, pytest.mark.slow]


def test_every_recorded_message_arrives(tmp_path, open_world, shared_data):
    file = str(shared_data / "devchat" / "messages.parquet")
    recorded = duckdb.execute(f"SELECT ts, team, user FROM '{file}'").fetchall()
    assert len(recorded) == 22_172
    chat = workspace_from_messages(shared_data / "devchat" / "messages.parquet")
    with open_world(tmp_path, chat) as world:
        world.clock.set(max(m["ts"] for m in chat.messages.values()) + timedelta(days=1))
        calls = world.night()
        held = world.store.live("messages")
        assert held == world.truth()
    assert len(held) == len(recorded)
    assert Counter(str(ts)[:10] for ts, _, _ in recorded) == Counter(
        message["ts"][:10] for message in held.values()
    )
    authors = Counter(message["u"]["_id"] for message in held.values())
    assert sorted(authors.values()) == sorted(Counter((t, u) for _, t, u in recorded).values())
    assert len(calls) <= 60
