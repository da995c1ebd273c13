"""What Prometheus and OpenLineage hear of a night, through their own libraries and real files."""

import json
import re
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline import settings, status, telemetry
from pipeline.errors import Degraded, FixSettings
from pipeline.journal import Journal
from tests.conftest import make_community
from tests.ops.searching import holders


def switch_on(world, *lines):
    file = world.folder / "hearth.toml"
    head = "[communities.ember]\n"
    file.write_text(file.read_text().replace(head, head + "".join(f"{line}\n" for line in lines)))


def samples(file):
    return {
        (
            sample.name,
            *sorted(v for k, v in sample.labels.items() if k != "community"),
        ): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def test_a_degraded_night_as_metrics_and_events(world, unchecked, monkeypatch):
    monkeypatch.setenv("HEARTH_EMBER_CHAT_TOKEN", "planted-t0ken-" * 3)
    with world.serve() as addresses:
        world.settings(addresses)
        switch_on(world, 'prometheus = "ember.prom"', 'openlineage = "events.jsonl"')
        with pytest.raises(Degraded):
            world.night()
    found = samples(world.folder / "ops" / "ember.prom")
    assert [k for k, v in found.items() if k[0] == "hearth_night_state" and v] == [
        ("hearth_night_state", "stale")
    ]
    assert found["hearth_messages", "forum"] == 18
    assert found["hearth_messages", "chat"] == 0
    assert found["hearth_stream_lag_seconds", "forum", "forum"] < 3600
    assert ("hearth_stream_lag_seconds", "chat", "messages") not in found
    assert found["hearth_published_timestamp_seconds",] > 1.7e9
    assert ("hearth_digest_timestamp_seconds", "files", "moderators") in found
    assert found["hearth_size_bytes", "published"] > 0

    start, end = map(json.loads, (world.folder / "ops" / "events.jsonl").read_text().splitlines())
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["job"] == {"namespace": "hearth", "name": "ember.night", "facets": {}}
    assert [(i["namespace"], i["name"]) for i in end["inputs"]] == [(addresses.forum, "forum")]
    tables = {o["name"]: o for o in end["outputs"]}
    assert tables["marts.threads"]["outputFacets"]["outputStatistics"]["rowCount"] == 12
    assert "first_response_at" in {
        field["name"] for field in tables["marts.threads"]["facets"]["schema"]["fields"]
    }
    assert end["run"]["facets"]["errorMessage"]["message"] == "trouble in chat, conclude"
    for word in ("anna", "It broke", "planted-t0ken-"):
        assert not [
            f for f in holders(world.folder / "ops", word) if f.startswith(("ember", "events"))
        ]


def test_before_the_first_night_there_is_little_to_say(tmp_path):
    community = make_community(tmp_path).model_copy(
        update={"prometheus": "ember.prom", "openlineage": "e.jsonl"}
    )
    telemetry.tell(community, status.write_page(community, datetime.now(UTC)))
    assert {name for name, *_ in samples(tmp_path / "ops" / "ember.prom")} == {
        "hearth_messages",
        "hearth_size_bytes",
    }
    assert not (tmp_path / "ops" / "e.jsonl").exists()


class Listener(BaseHTTPRequestHandler):
    heard = []

    def do_POST(self):
        self.heard.append(
            (self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        )
        self.send_response(201)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def failed(tmp_path):
    """A community whose only night failed."""
    community = make_community(tmp_path)
    (tmp_path / "runs" / "20260302T020000000000Z").mkdir(parents=True)
    journal = Journal(tmp_path / "runs" / "20260302T020000000000Z" / "journal.jsonl")
    journal.trouble("plan", "the key was refused")
    return community


def test_events_go_to_an_address(failed):
    Listener.heard = []
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        there = {"openlineage": f"http://127.0.0.1:{server.server_address[1]}"}
        telemetry.tell(failed.model_copy(update=there), status.collect(failed, datetime.now(UTC)))
        server.shutdown()
    assert [(path, event["eventType"]) for path, event in Listener.heard] == [
        ("/api/v1/lineage", "START"),
        ("/api/v1/lineage", "FAIL"),
    ]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"openlineage": "http://127.0.0.1:9"}, "events could not be told .* see `openlineage`"),
        ({"prometheus": "/nowhere/at/all.prom"}, "cannot write /nowhere/at/all.prom: No such file"),
    ],
)
def test_who_cannot_be_told_is_named_and_spoils_no_night(world, unchecked, setting, says):
    with world.serve() as addresses:
        world.settings(addresses)
        ((name, value),) = setting.items()
        switch_on(world, f'{name} = "{value}"')
        night = world.night()
    lines = Journal(world.folder / "runs" / night["run"] / "journal.jsonl").lines()
    (told,) = [line.text for line in lines if line.step == "telemetry"]
    assert re.search(says, told)
    assert world.published("SELECT count(*) FROM marts.messages WHERE source = 'forum'") == [(18,)]


def test_a_metrics_file_no_collector_reads_is_a_mistake():
    with pytest.raises(FixSettings, match=r"must end in \.prom"):
        settings.parse(
            '[communities.ember]\nprometheus = "ember.txt"\n[communities.ember.sources.forum]\n'
            'platform = "discourse"\nurl = "http://x"\n',
            {"HEARTH_EMBER_PSEUDONYM_KEY": "k", "HEARTH_EMBER_FORUM_KEY": "k"},
        )
