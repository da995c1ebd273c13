"""How far a read has come, in words, and whether it may still go on; what the night before had."""

import errno
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from pipeline import tonight
from pipeline.errors import FixSettings, NightRuns
from pipeline.journal import Journal
from pipeline.settings.models import ClusterSettings
from pipeline.steps.reading import how_far
from pipeline.tonight import rows_last_published
from tests.conftest import make_community

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "expected", "seconds", "told"),
    [
        (0, 100, 0.0, "5 records, 0 requests, 0.0 a second"),
        (10, None, 5.0, "5 records, 10 requests, 2.0 a second"),
        (10, 100, 20.0, "5 records, 10 requests, 0.5 a second; about 90 left, 3 min to go"),
        (120, 100, 60.0, "5 records, 120 requests, 2.0 a second; about 0 left, 0 min to go"),
    ],
)
def test_how_far(asked, expected, seconds, told):
    assert how_far(5, asked, expected, seconds) == told


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T02:00", NOW),
        ("2026-03-02T03:00:00+01:00", NOW),
    ],
)
def test_a_moment_without_an_offset_is_utc(written, moment):
    assert tonight.moment_of(written) == moment


def test_the_rows_before_are_those_of_the_last_published_night(tmp_path):
    community = make_community(tmp_path)
    assert rows_last_published(community) == {}
    for run, is_published, rows in (("1Z", True, 10), ("2Z", True, 12), ("3Z", False, 0)):
        folder = community.home / "runs" / run
        folder.mkdir(parents=True)
        night = {"community": community.name, "run": run, "as_of": "2026-03-02T02:00:00+00:00"}
        (folder / "night.json").write_text(json.dumps({"night": night, "units": []}))
        said = {"checked": 1, "broken": [], "rows": {"marts.messages": {"forum": rows}}}
        (folder / "validation.json").write_text(json.dumps(said))
        if is_published:
            Journal(folder / "journal.jsonl").done("publish", "published")
    assert rows_last_published(community) == {"marts.messages": {"forum": 12}}
    (community.home / "runs/2Z/validation.json").write_text('{"checked": 1, "broken": []}')
    assert rows_last_published(community) == {}  # written before there were bands


def test_what_other_machines_may_still_read_is_waited_for(tmp_path):
    alone = make_community(tmp_path)
    shared = ClusterSettings(landing="s3://bucket/ember", budget="redis://redis")
    many = alone.model_copy(update={"cluster": shared})
    tonight.check_read(many, NOW)  # no night yet
    for day in (1, 0):
        run = tmp_path / "runs" / f"{NOW - timedelta(days=day):%Y%m%dT%H%M%S%fZ}"
        run.mkdir(parents=True)
        (run / "night.json").write_text("{}")
    tonight.check_read(alone, NOW)  # the lock of the one machine tells
    with pytest.raises(NightRuns, match="waited for until 2026-03-02 12:00 UTC"):
        tonight.check_read(many, NOW)
    tonight.check_read(many, NOW + tonight.LONGEST_TASK)  # given up
    journal = Journal(run / "journal.jsonl")
    journal.trouble("forum/forum", "silent")
    with pytest.raises(NightRuns):
        tonight.check_read(many, NOW)
    journal.done("load", "1 files")
    tonight.check_read(many, NOW)


@pytest.mark.parametrize("named", ["/data/night.json", None])
def test_a_full_disk_is_told_with_its_place(tmp_path, named):
    """A write names no file, an open does."""
    journal = Journal(tmp_path / "journal.jsonl")
    said = f"plan: no room to write {named or f'on the disk of {tmp_path}'}; free space"
    with pytest.raises(FixSettings, match=re.escape(said)), journal.telling("plan"):
        raise OSError(errno.ENOSPC, "No space left on device", named)
    assert [line.level for line in journal.lines()] == ["trouble"]
