"""One night at a time, with room on the disk, and what is kept how long."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from pipeline import cli, housekeeping, settings, steps
from pipeline.errors import FixSettings, NightRuns
from pipeline.files import write_whole
from tests.conftest import make_community

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOLD = """
import sys, time
from pipeline import steps
with steps.at_work("ember", shared=sys.argv[1] == "shared"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(world):
    """Another process that is at work on the community, until it is killed."""
    with world.serve() as addresses:
        world.settings(addresses)
    processes = []

    def hold(how):
        process = subprocess.Popen([sys.executable, "-c", HOLD, how], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_a_second_night_is_refused_in_words(world, held, how):
    held(how)
    with pytest.raises(NightRuns, match="another night runs already"):
        world.night()
    assert not (world.folder / "runs").exists()


def test_tasks_of_one_night_work_side_by_side_and_next_to_no_other_night(world, held):
    held("shared")
    with steps.at_work("ember", shared=True):
        pass
    held("shared")


def test_no_verb_by_hand_comes_between_a_night(world, held):
    held("alone")
    night = {"community": "ember", "run": "1Z", "as_of": NOW.isoformat()}
    file = world.folder / "runs" / "1Z" / "night.json"
    file.parent.mkdir(parents=True)
    unit = {"source": "forum", "stream": "forum"}
    file.write_text(json.dumps({"night": night, "units": [unit]}))
    for verb in ("plan", "extract", "load", "build", "score", "validate", "publish", "digest"):
        ended = CliRunner().invoke(cli.app, [verb])
        assert isinstance(ended.exception, NightRuns), verb
    assert [f.name for f in file.parent.iterdir()] == ["night.json"]


def test_a_killed_night_lets_go(world, held):
    held("alone").send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            with steps.at_work("ember"):
                return
        except NightRuns:
            os.sched_yield()
    pytest.fail("the lock outlived its process")


def test_entering_twice_in_one_process_is_fine(tmp_path):
    community = make_community(tmp_path)
    with housekeeping.alone(community):
        with housekeeping.alone(community, shared=True):
            pass
        again = subprocess.run(
            ["flock", "-n", str(tmp_path / "work" / "night.lock"), "true"], check=False
        )
        assert again.returncode == 1  # still ours after the inner one ended


def test_a_disk_without_room_is_told_before_anything_is_fetched(world, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**8))
    with world.serve() as addresses:
        world.settings(addresses)
        with pytest.raises(FixSettings, match=r"0\.1 GB are free .* needs 0\.5; free space"):
            world.night()
    assert not (world.folder / "landing").exists()
    assert '"failed"' in (world.folder / "ops" / "status.json").read_text()


def make(home, *paths, old=False):
    for path in paths:
        place = home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x")
        if old:
            then = (NOW - timedelta(days=1)).timestamp()
            os.utime(place, (then, then))


def run_id(days):
    return (NOW - timedelta(days=days)).strftime("%Y%m%dT%H%M%S%fZ")


def files(home):
    return sorted(str(f.relative_to(home)) for f in home.rglob("*") if f.is_file())


def test_what_is_older_than_the_settings_keep_goes(tmp_path):
    community = make_community(tmp_path)
    kept = [
        f"runs/{run_id(89)}/journal.jsonl",
        f"docs/{run_id(1)}/index.html",
        "docs/notes/mine.txt",
        "digests/ledger.jsonl",
        "digests/verdicts.jsonl",
        "digests/2026-03-01-moderators/digest.html",
        f"landing/forum/{run_id(900)}/forum/000001.jsonl.gz",
        f"work/bookmarks/{run_id(0)}/forum/a.parquet",
        f"work/bookmarks/{run_id(1)}/forum/a.parquet",
        "work/bookmarks/estimate/forum/a.parquet",
        "work/warehouse.duckdb",
        f"damaged/forum/{run_id(9)}/forum/000001.jsonl.gz",
    ]
    gone = [
        f"runs/{run_id(91)}/journal.jsonl",
        f"docs/{run_id(91)}/index.html",
        "digests/2025-11-30-moderators/digest.html",
        f"work/bookmarks/{run_id(2)}/forum/a.parquet",
        f"damaged/forum/{run_id(91)}/forum/000001.jsonl.gz",
        "work/spill/duckdb_temp_storage-0.tmp",
    ]
    make(tmp_path, *kept, *gone)
    housekeeping.tidy(community, NOW)
    assert files(tmp_path) == sorted(kept)
    assert housekeeping.tidy(community, NOW) == []


def test_landing_goes_only_where_the_settings_say_so(tmp_path):
    community = make_community(tmp_path).model_copy(update={"keep_landing_days": 30})
    make(
        tmp_path, f"landing/forum/{run_id(31)}/forum/1.gz", f"landing/forum/{run_id(29)}/forum/1.gz"
    )
    housekeeping.tidy(community, NOW)
    assert files(tmp_path) == [f"landing/forum/{run_id(29)}/forum/1.gz"]


def test_what_a_kill_left_half_written_goes_when_it_is_cold(tmp_path):
    community = make_community(tmp_path)
    now = datetime.now(UTC)
    make(
        tmp_path, "published/.community-x.duckdb", "landing/forum/r/s/.000001.jsonl.gz.77", old=True
    )
    make(tmp_path, "published/.restricted-x.duckdb", ".hidden", "work/.keep")
    housekeeping.tidy(community, now)
    assert files(tmp_path) == [".hidden", "published/.restricted-x.duckdb", "work/.keep"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    community = make_community(tmp_path)
    (tmp_path / "work" / "night.lock").mkdir(parents=True)
    with (
        pytest.raises(FixSettings, match=r"cannot write .*night\.lock"),
        housekeeping.alone(community),
    ):
        pytest.fail("nobody is let in")
    (tmp_path / "file").write_text("")
    with pytest.raises(FixSettings, match=r"cannot write .*file/below"):
        write_whole(tmp_path / "file" / "below", b"")  # nor can what lies beside it be removed


def test_retention_is_checked_in_the_settings(tmp_path):
    text = (
        "[communities.ember]\nkeep_days = 0\nkeep_landing_days = 1\n"
        '[communities.ember.sources.forum]\nplatform = "discourse"\nurl = "http://x"\n'
    )
    with pytest.raises(FixSettings, match=r"keep_days(.|\n)*keep_landing_days"):
        settings.parse(text, {"HEARTH_EMBER_PSEUDONYM_KEY": "k", "HEARTH_EMBER_FORUM_KEY": "k"})


@pytest.mark.slow
def test_everything_a_night_leaves_is_ours_alone(world):
    """Whatever umask the scheduler gives."""
    before = os.umask(0)
    try:
        with world.serve() as addresses:
            world.settings(addresses)
            world.night()
    finally:
        os.umask(before)
    places = [p for p in world.folder.rglob("*") if not p.is_symlink() and p.name != "hearth.toml"]
    assert len(places) > 30
    wide = {
        str(p.relative_to(world.folder)): oct(p.stat().st_mode & 0o777)
        for p in places
        if p.stat().st_mode & 0o777 != (0o700 if p.is_dir() else 0o600)
    }
    assert wide == {}


def test_digests_may_be_kept_for_a_time_of_their_own(tmp_path):
    community = make_community(tmp_path).model_copy(update={"keep_digest_days": 3})
    kept = ["digests/2026-02-28-moderators/digest.html", f"runs/{run_id(80)}/journal.jsonl"]
    make(tmp_path, *kept, "digests/2026-02-27-moderators/digest.html")
    housekeeping.tidy(community, NOW)
    assert files(tmp_path) == sorted(kept)
