"""What machines leave for each other through object storage, held against one machine's disk."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline import doctor, steps
from pipeline.errors import FixAccess, FixSettings, TryLater
from pipeline.journal import Journal
from pipeline.landing import Landing, Report, parts, report
from pipeline.records import Part, Record
from pipeline.settings import ClusterSettings
from pipeline.storage import ObjectStorage
from tests.conftest import make_community
from tests.ops.chaos import published
from tests.test_night import World

RUN = "20260302T020000000000Z"
RECORD = Record("posts", "1", {"raw": "hello"}, seen_at=5, at=4)


@pytest.fixture(params=["memory", "file"])
def machines(request, tmp_path):
    """Two machines with a disk each, and the storage between them."""
    address = f"memory://{tmp_path}" if request.param == "memory" else f"file://{tmp_path}/bucket"
    homes = tmp_path / "one", tmp_path / "two"
    for home in homes:
        home.mkdir()
    return [ObjectStorage(home, address) for home in homes]


def landing_on(disk):
    return Landing(disk.home / "landing", disk)


def test_what_one_machine_lands_another_loads(machines, tmp_path):
    extractor, owner = map(landing_on, machines)
    for _ in range(2):
        extractor.write("forum", RUN, "posts", Part((RECORD,)))
    extractor.finish(Report("forum", "posts", RUN, "rest", 3, parts=2))
    assert list(extractor.folder.rglob("*")) == []  # nothing stays on a machine that only extracts
    owner.disk.fetch(owner.folder)
    (read,) = owner.reads()
    assert [file.name for file in parts(read)] == ["000001.jsonl.gz", "000002.jsonl.gz"]
    assert report(read) == Report("forum", "posts", RUN, "rest", 3, parts=2)
    alone = Landing(tmp_path / "alone")
    same = alone.write("forum", RUN, "posts", Part((RECORD,)))
    assert same.read_bytes() == parts(read)[0].read_bytes()


def test_a_retry_elsewhere_goes_on_counting(machines):
    one, other = map(landing_on, machines)
    written = [m.write("forum", RUN, "posts", Part((RECORD,))).name for m in (one, other, one)]
    assert written == ["000001.jsonl.gz", "000002.jsonl.gz", "000003.jsonl.gz"]


def test_a_rewritten_file_is_never_fetched_in_its_old_form(machines):
    extractor, owner = map(landing_on, machines)
    extractor.write("forum", RUN, "posts", Part((RECORD,)))
    owner.disk.fetch(owner.folder)
    (file,) = parts(next(owner.reads()))
    owner.disk.rewrite(file, b"cleared")
    owner.disk.fetch(owner.folder)
    assert file.read_bytes() == b"cleared"
    file.unlink()
    owner.disk.fetch(owner.folder)
    assert file.read_bytes() == b"cleared"


def test_what_is_removed_or_set_aside_does_not_come_back(machines):
    extractor, owner = map(landing_on, machines)
    for stream in ("posts", "topics"):
        extractor.write("forum", RUN, stream, Part((RECORD,)))
    owner.disk.fetch(owner.folder)
    posts, topics = owner.reads()
    assert owner.set_aside(posts) == owner.folder.parent / "damaged" / "forum" / RUN / "posts"
    owner.disk.remove(topics)
    owner.disk.fetch(owner.folder)
    assert list(owner.reads()) == []
    assert extractor.disk.names(extractor.folder / "forum" / RUN / "posts") == []


def test_bookmarks_are_lent_and_leave_nothing_behind(machines):
    owner, extractor = machines
    folder = Path("work") / "bookmarks" / RUN / "forum"
    (owner.home / folder).mkdir(parents=True)
    (owner.home / folder / "posts.json").write_text("{}")
    owner.send(owner.home / folder)
    with extractor.borrowed(extractor.home / folder) as lent:
        assert {f.name: f.read_text() for f in lent.iterdir()} == {"posts.json": "{}"}
    assert not lent.exists()
    with extractor.borrowed(extractor.home / "work" / "bookmarks" / "none") as lent:
        assert list(lent.iterdir()) == []


def test_journals_of_machines_are_read_as_one(machines):
    journals = []
    for name, disk in zip(("one", "two"), machines, strict=True):
        folder = disk.home / "runs" / RUN
        folder.mkdir(parents=True)
        disk.journal = f"journal.{name}.jsonl"
        journals.append(Journal(folder / "journal.jsonl", disk))
    journals[0].done("plan", "two units")
    journals[1].trouble("forum/posts", "refused")
    journals[0].done("load", "nothing")
    machines[0].fetch(machines[0].home / "runs" / RUN)
    lines = list(journals[0].lines())
    assert {line.step for line in lines} == {"plan", "forum/posts", "load"}
    assert [line.at for line in lines] == sorted(line.at for line in lines)


@pytest.mark.parametrize(
    ("refusal", "error", "says"),
    [
        (PermissionError("403"), FixAccess, "check the credentials"),
        (FileNotFoundError("no bucket"), FixSettings, "no such place"),
        (OSError("SlowDown"), TryLater, "may work later"),
    ],
)
def test_what_a_storage_refuses_is_said_in_our_words(tmp_path, monkeypatch, refusal, error, says):
    def refuse(*args, **kwargs):
        raise refusal

    disk = ObjectStorage(tmp_path, "memory://refusing")
    monkeypatch.setattr(disk._files, "pipe_file", refuse)
    with pytest.raises(error, match=says):
        landing_on(disk).write("forum", RUN, "posts", Part((RECORD,)))


def test_a_storage_without_its_library_says_which(tmp_path):
    with pytest.raises(FixSettings, match=r"requirements/cluster\.in"):
        ObjectStorage(tmp_path, "gs://bucket/ember")


def test_a_night_through_storage_and_redis_is_a_night_of_one_machine(
    tmp_path, unchecked, monkeypatch, redis_address
):
    (tmp_path / "home").mkdir()
    world = World(tmp_path / "home", monkeypatch)
    bucket = tmp_path / "bucket"
    cluster = (
        f'\n[communities.ember.cluster]\nlanding = "file://{bucket}"\nbudget = "{redis_address}"\n'
    )
    with world.serve() as addresses:
        world.settings(addresses)
        alone = world.night()
        before = published(tmp_path / "home")
        shutil.rmtree(tmp_path / "home")
        (tmp_path / "home").mkdir()
        world.settings(addresses)
        file = tmp_path / "home" / "hearth.toml"
        file.write_text(file.read_text() + cluster)
        night = world.night()
    assert alone["run"] != night["run"]
    assert published(tmp_path / "home") == before
    assert {f.name for f in (bucket / "landing").glob("*")} == {"chat", "forum"}
    run = json.loads((tmp_path / "home" / "ops" / "status.json").read_text())["runs"][0]
    assert (run["run"], run["state"]) == (night["run"], "whole")
    shutil.rmtree(tmp_path / "home" / "landing")  # the disk was lost; the storage was not
    steps.rebuild(night, from_landing=True)
    steps.publish(night)
    assert published(tmp_path / "home") == before


def test_the_doctor_asks_what_machines_share(tmp_path, redis_address):
    def found(landing, budget):
        cluster = ClusterSettings(landing=landing, budget=budget)
        home = make_community(tmp_path / "home").model_copy(update={"cluster": cluster})
        return [(finding.level, finding.text) for finding in doctor.shared(home)]

    bucket = f"file://{tmp_path}/bucket"
    assert [level for level, _ in found(bucket, redis_address)] == ["ok", "ok"]
    assert list((tmp_path / "bucket" / "runs").iterdir()) == []
    (missing, silent) = found("gs://bucket/ember", "redis://127.0.0.1:1/1")
    assert missing[0] == silent[0] == "fail"
    assert "the library for this storage is missing" in missing[1]
    assert "does not answer" in silent[1]
