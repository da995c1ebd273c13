"""Real recordings through real HTTP: what arrives equals what was recorded, counted independently."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime

import duckdb
import pytest

from pipeline import steps
from pipeline.sandbox import server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import Limits, app
from pipeline.sandbox.recordings import forum_from_topics, workspace_from_messages
from pipeline.sandbox.rocketchat.app import chat_app
from tests.conftest import ONE_SOURCE, environment

pytestmark = [pytest.mark.requires_shared_data, pytest.mark.slow]

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def read(folder, monkeypatch, name, platform, url, extra=""):
    """One night without validation and digest; the work file's path."""
    file = folder / "hearth.toml"
    file.write_text(
        ONE_SOURCE.format(home=folder, name=name, platform=platform, url=url, extra=extra)
    )
    for variable, value in environment(file).items():
        monkeypatch.setenv(variable, value)
    planned = steps.plan(as_of=NOW.isoformat())
    for unit in planned["units"]:
        steps.extract(planned["night"], unit)
    steps.load(planned["night"])
    steps.build(planned["night"], judged=True)
    steps.conclude(planned["night"])
    return folder / "work" / "warehouse.duckdb"


@pytest.fixture(scope="module")
def recorded(shared_data):
    """The recorded topics as plain JSON."""
    file = shared_data / "urho3d" / "topics.jsonl.zst"
    with duckdb.connect() as db:
        lines = db.execute(
            "SELECT json::VARCHAR FROM read_json_objects(?, maximum_object_size = 67108864)",
            [str(file)],
        ).fetchall()
    return [json.loads(line) for (line,) in lines]


def counts(recorded, kinds):
    """Posts per day, per category and per author, straight from the recording."""
    days, places, people = Counter(), Counter(), Counter()
    for topic in recorded:
        for post in topic["post_stream"]["posts"]:
            if post["post_type"] in kinds:
                days[post["created_at"][:10]] += 1
                places[str(topic["category_id"])] += 1
                people[post["user_id"] and str(post["user_id"])] += 1
    return days, places, people


def unanswered(recorded):
    """Topics in which nobody but the asker wrote: the ten-line script."""
    waiting = set()
    for topic in recorded:
        posts = topic["post_stream"]["posts"]
        asker = next((p["user_id"] for p in posts if p["post_number"] == 1), None)
        others = {
            p["user_id"]
            for p in posts
            if p["post_type"] == 1 and p["post_number"] > 1 and (p["user_id"] or 0) >= 0
        }
        if not others - {asker}:
            waiting.add(str(topic["id"]))
    return waiting


def totals(recorded):
    """Regular posts, their authors, topics, those nobody else answered, and solved ones."""
    spoken = [p for t in recorded for p in t["post_stream"]["posts"] if p["post_type"] == 1]
    return {
        "messages": len(spoken),
        "newcomers": len({post["user_id"] for post in spoken if post["user_id"]}),
        "topics": len(recorded),
        "waiting": len(unanswered(recorded)),
        "solved": sum(bool(topic.get("accepted_answer")) for topic in recorded),
    }


def metrics(db):
    """The same as the marts have it, each by another way."""
    asked = {
        "messages": "sum(messages + bot_messages) FROM marts.daily_activity",
        "newcomers": "sum(newcomers) FROM marts.newcomers",
        "topics": "sum(asked) FROM marts.outcomes WHERE population = 'topics'",
        "waiting": "count(*) FROM marts.waits WHERE population = 'topics' AND event = 'response'"
        " AND NOT has_happened",  # some of their askers found the solution alone
        "solved": "sum(value) FROM marts.platform_reports WHERE report = 'accepted_solutions'",
    }
    return {name: int(db.execute(f"SELECT {sql}").fetchone()[0]) for name, sql in asked.items()}


@pytest.mark.parametrize("way_in", ["data_explorer", "rest"])
def test_a_recorded_forum_arrives_whole(way_in, recorded, shared_data, tmp_path, monkeypatch):
    forum = forum_from_topics(shared_data / "urho3d" / "topics.jsonl.zst")
    forum.switches.limits = Limits.off()
    fast = "requests_per_minute = 60000\nexplorer_runs_per_10_s = 1000\nwho_liked = false"
    with server.running(app(forum, clock=Clock(NOW))) as (url, _):
        extra = f'way_in = "{way_in}"\n{fast}'
        file = read(tmp_path, monkeypatch, "forum", "discourse", url, extra)
    # REST shows neither small actions nor moderators' notices outside the topics it reads
    kinds = {1} if way_in == "rest" else {1, 2, 3}
    days, places, people = counts(recorded, kinds)
    spoken = "kind = 'regular'" if way_in == "rest" else "true"
    with duckdb.connect(file, read_only=True) as db:

        def found(what):
            sql = (
                f"SELECT {what}, count(*) FROM staging.messages AS m JOIN staging.threads AS t"
                f" USING (source, thread_id) WHERE {spoken} GROUP BY 1"
            )
            return Counter(dict(db.execute(sql).fetchall()))

        assert found("strftime(m.created_at, '%Y-%m-%d')") == days
        assert found("t.channel_id") == places
        assert found("m.account_id") == people
        if way_in == "data_explorer":
            assert days.total() == 14_994
        assert db.execute("SELECT count(*) FROM staging.threads").fetchone() == (1_995,)
        waiting = db.execute("SELECT thread_id FROM marts.threads WHERE NOT has_response")
        assert {thread for (thread,) in waiting.fetchall()} == unanswered(recorded)
        if way_in == "data_explorer":  # plain REST does not tell when an answer was accepted
            assert metrics(db) == totals(recorded)


def test_a_recorded_chat_arrives_whole(shared_data, tmp_path, monkeypatch):
    file = shared_data / "devchat" / "messages.parquet"
    chat = workspace_from_messages(file)
    with server.running(None, chat_app(chat, Clock(NOW))) as (_, url):
        work = read(tmp_path, monkeypatch, "chat", "rocketchat", url)
    with duckdb.connect() as plain:
        texts = plain.execute("SELECT text FROM read_parquet(?)", [str(file)]).fetchall()
    with duckdb.connect(work, read_only=True) as db:
        bodies = db.execute("SELECT body FROM staging.messages WHERE kind = 'regular'").fetchall()
    assert len(bodies) == 22_172
    lost = defaultdict(int)
    for (text,), sign in [*((t, 1) for t in texts), *((b, -1) for b in bodies)]:
        lost[text] += sign
    assert not {text for text, n in lost.items() if n}
