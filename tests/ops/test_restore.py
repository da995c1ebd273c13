"""The drill: what is lost is made again from what was fetched."""

import shutil

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.errors import FixSettings
from tests.test_night import NOW, World

BACKED_UP = ("landing", "digests", "runs")


@pytest.fixture
def held(world, unchecked):
    """A community after one night, and what it had published."""
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        yield world, world.content(), addresses


def hearth(*arguments):
    told = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 1000])
def test_a_damaged_work_file_says_what_to_do_and_that_helps(held, damage):
    world, content, _ = held
    file = world.folder / "work" / "warehouse.duckdb"
    whole = file.read_bytes()
    file.write_bytes(damage + whole[len(damage) : len(whole) // 2])
    with pytest.raises(FixSettings, match="hearth rebuild --from-landing"):
        world.night()
    hearth("rebuild", "--from-landing")
    hearth("publish")
    assert world.content() == content
    world.night()
    assert world.content() == content


def test_a_new_machine_goes_on_from_a_backup(held, tmp_path_factory, monkeypatch):
    world, content, addresses = held
    new = World.__new__(World)
    new.__dict__.update(world.__dict__)
    new.folder = tmp_path_factory.mktemp("new")
    for name in BACKED_UP:
        shutil.copytree(world.folder / name, new.folder / name)
    monkeypatch.setenv("HEARTH_SETTINGS", str(new.folder / "hearth.toml"))
    new.settings(addresses)
    hearth("rebuild", "--from-landing")
    hearth("publish")
    assert new.content() == content
    ledger = (new.folder / "digests" / "ledger.jsonl").read_bytes()
    new.night()  # and nothing is told twice
    assert new.content() == content
    assert (new.folder / "digests" / "ledger.jsonl").read_bytes().count(b"\n") <= ledger.count(
        b"\n"
    ) + 1
    assert NOW.date().isoformat() in ledger.decode()
