"""What happens at three in the morning, each fault in a night of its own.

Kills, full disks and sick servers are in test_chaos, two nights at once in test_housekeeping, memory
and work files of older versions in test_migrations, damaged ones in test_restore.
"""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import Degraded, FixSettings
from pipeline.journal import Journal
from pipeline.sandbox import server
from pipeline.sandbox.rocketchat.app import READER_ID, READER_TOKEN
from tests.conftest import TOML
from tests.test_night import NOW

DAY_NS = 86_400 * 10**9


def after(app, requests, do):
    """The server, to which something happens after so many requests."""
    left = [requests]

    async def answer(scope, receive, send):
        left[0] -= scope["type"] == "http"
        if left[0] == -1:
            do()
        await app(scope, receive, send)

    return answer


def altered(app, alter):
    """The server of another version: `alter` gets the path and the JSON of an answer; null: 404."""

    async def answer(scope, receive, send):
        head, body = {}, []

        async def keep(message):
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                body.append(message.get("body", b""))

        plain = [h for h in scope["headers"] if h[0] != b"accept-encoding"]
        await app({**scope, "headers": plain}, receive, keep)
        text, status = b"".join(body), head["status"]
        if status == 200:
            found = alter(scope["path"], json.loads(text))
            status = 404 if found is None else 200
            text = json.dumps(found or {"success": False}).encode()
        headers = [h for h in head["headers"] if h[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(text)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    return answer


def said(world, night_folder=-1):
    folder = sorted((world.folder / "runs").glob("*Z"))[night_folder]
    return {
        line.step: line.text
        for line in Journal(folder / "journal.jsonl").lines()
        if line.level == "trouble"
    }


def test_a_token_revoked_half_way_is_named_and_the_next_night_has_it_all(world, unchecked):
    chat = after(world.room, 5, lambda: world.chat.tokens.pop(READER_TOKEN))
    with server.running(world.site, chat) as addresses:
        world.settings(addresses)
        with pytest.raises(Degraded, match="chat/"):
            world.night()
        assert any("the token was refused (401)" in text for text in said(world).values())
        assert world.published("SELECT count(*) FROM marts.messages WHERE source = 'forum'") == [
            (18,)
        ]
        world.chat.tokens[READER_TOKEN] = READER_ID
        world.night()
    assert world.published("SELECT count(*) FROM marts.messages WHERE source = 'chat'") == [(9,)]


def test_a_server_that_was_upgraded_says_more_and_nothing_is_lost(world, unchecked):
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        before = world.content()

    def more(_path, value):
        for name in ("messages", "users", "update"):
            for row in value.get(name) or () if isinstance(value.get(name), list) else ():
                row["federation"] = {"v": 2, "peers": [None, "é"]}
        return {**value, "apiVersion": 9}

    world.chat.switches.version = "8.8.0"
    with server.running(world.site, altered(world.room, more)) as new:
        text = (world.folder / "hearth.toml").read_text()
        (world.folder / "hearth.toml").write_text(
            text.replace(addresses.chat, new.chat).replace(addresses.forum, new.forum)
        )
        world.night()
    assert {name for name, rows in world.content().items() if rows != before[name]} == set()


def test_an_endpoint_that_went_away_costs_its_stream_alone(world, unchecked):
    def without(path, value):
        return None if "/moderation." in path else value

    with server.running(world.site, altered(world.room, without)) as addresses:
        world.settings(addresses)
        with pytest.raises(Degraded, match="stale: chat/reports"):
            world.night()
    assert set(said(world)) == {"chat/reports", "conclude"}
    assert world.published("SELECT count(*) FROM marts.messages WHERE source = 'chat'") == [(9,)]


def test_a_clock_that_was_set_back_is_told_before_anything_is_read(world, unchecked, monkeypatch):
    real = time.time_ns
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        world.chat.delete(world.messages[0], None, NOW + timedelta(hours=3))
        world.clock.set(NOW + timedelta(days=1))
        with monkeypatch.context() as slow:
            slow.setattr(time, "time_ns", lambda: real() - 3 * DAY_NS)
            with pytest.raises(
                FixSettings, match=r"clock is 72\.0 h behind the last read.*set it .NTP"
            ):
                world.night(day=1)
        assert len(list((world.folder / "landing").glob("*/*"))) == 2
        world.night(day=1)
    assert world.published("SELECT count(*) FROM marts.messages WHERE is_deleted") == [(1,)]


@pytest.mark.parametrize(
    ("morning", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)], ids=["spring", "autumn"]
)
def test_the_days_of_daylight_saving_are_days_like_others(world, unchecked, morning, hours):
    """Nights at 02:30 UTC of the day itself and of the next one: no hour is missed or told twice."""
    day = datetime.fromisoformat(f"{morning}T02:30:00+00:00").astimezone(UTC)
    midnight = datetime.fromisoformat(f"{morning}T00:00:00").replace(tzinfo=UTC)
    start = midnight - timedelta(hours=1 if hours == 23 else 2)  # 00:00 in Berlin
    room = world.chat.add_room("berlin", NOW - timedelta(hours=900))
    dora = world.chat.add_user("dora", "Dora", NOW - timedelta(hours=900))
    early = [start - timedelta(hours=1), *(start + timedelta(hours=n) for n in range(3))]
    late = [start + timedelta(hours=n) for n in range(3, hours + 1)]
    with world.serve() as addresses:
        text = TOML.format(home=world.folder, forum=addresses.forum, chat=addresses.chat)
        (world.folder / "hearth.toml").write_text(text.replace('"UTC"', '"Europe/Berlin"'))
        for moment, written in ((day, early), (day + timedelta(days=1), late)):
            for at in written:
                world.chat.post(room, dora, f"at {at}", at)
            world.clock.set(moment)
            world.night(day=(moment - NOW) / timedelta(days=1))
            assert (world.folder / "digests" / f"{moment:%Y-%m-%d}-moderators").is_dir()
    found = world.published(
        f"SELECT CAST(created_day AS VARCHAR), count(*) FROM marts.messages WHERE channel_id = '{room}'"
        " GROUP BY 1 ORDER BY 1"
    )
    assert [count for _, count in found] == [1, hours, 1]
    assert found[1][0] == morning
