"""The sandbox community after one night, and empty tables to fill with random data."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipeline import build, steps, tonight, warehouse
from pipeline.sandbox import community as play
from pipeline.sandbox import demo, server
from pipeline.sandbox.discourse import Forum
from pipeline.sandbox.rocketchat.workspace import Workspace


@dataclass
class Emberfield:
    """The forum it came from, the published file and the work file."""

    forum: Forum
    address: str
    home: Path
    night: tonight.Night
    moment: datetime

    def published(self, sql):
        with duckdb.connect(
            (self.home / "published/current.duckdb").resolve(), read_only=True
        ) as db:
            return db.execute(sql).fetchall()


@pytest.fixture(scope="session")
def emberfield(tmp_path_factory):
    """One whole night of the sandbox community; Great Expectations has its own tests."""
    folder = tmp_path_factory.mktemp("emberfield")
    forum, chat, moment = Forum(), Workspace(), play.night(1)
    play.play(forum, chat, through=1)
    with (
        pytest.MonkeyPatch.context() as patch,
        server.running(*demo._apps(forum, chat, moment)) as at,
    ):
        (folder / "hearth.toml").write_text(demo.SETTINGS.format(forum=at.forum, chat=at.chat))
        patch.setenv("HEARTH_SETTINGS", str(folder / "hearth.toml"))
        for name, value in demo._secrets().items():
            patch.setenv(name, value)
        with patch.context() as quick:
            quick.setattr("pipeline.steps.running.validate", lambda night: {})
            night = steps.run_night(as_of=moment.isoformat())
        yield Emberfield(forum, at.forum, folder / demo.COMMUNITY, night, moment)


@pytest.fixture(scope="module")
def tables(community):
    """A warehouse without a row, for rows a test makes up."""
    with duckdb.connect() as db:
        warehouse.prepare(db)
        build.build(db, community, datetime(2026, 3, 2, 2, tzinfo=UTC))
        yield db
