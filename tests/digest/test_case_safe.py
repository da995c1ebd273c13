"""A case file of hostile people: what they wrote stays text in each of its forms."""

import json
import re
from datetime import UTC, datetime

import duckdb
import pytest

from pipeline import build, warehouse
from pipeline.digest import case
from tests.conftest import make_community
from tests.digest.hostile import BATTERY
from tests.digest.test_safe import assert_no_live_link

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
AT = "2026-03-01 08:00:00"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_community(tmp_path_factory.mktemp("home"), forum="https://forum.example.org")


@pytest.fixture(scope="module")
def tables(home):
    with duckdb.connect() as db:
        warehouse.prepare(db)
        build.build(db, home, NOW)
        message = {"source": "forum", "thread_id": "1", "message_id": "7"}
        warehouse.insert(db, "staging.messages", [{**message, "body": "words"}])
        warehouse.insert(db, "marts.messages", [{**message, "person_id": "p", "created_at": AT}])
        yield db


def written(db, home, language, text):
    """The three forms of the case file of a thread whose title and author are this text."""
    for table in ("staging.threads", "marts.accounts"):
        db.execute(f"DELETE FROM {table}")
    thread = {"source": "forum", "thread_id": "1", "title": text, "url": text}
    warehouse.insert(db, "staging.threads", [thread])
    warehouse.insert(db, "marts.accounts", [{"source": "forum", "person_id": "p", "name": text}])
    files = case.write(case.collect(db, home, "forum", "1", NOW), home, language)
    return [file.read_text() for file in files]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_people_wrote_stays_text(tables, home, language):
    _, meek, _ = written(tables, home, language, "words")
    tags = sorted(re.findall(r"<(/?\w+)", meek))
    for text in BATTERY:
        markdown, page, tree = written(tables, home, language, text)
        assert sorted(re.findall(r"<(/?\w+)", page)) == tags, text
        assert not re.search(r"@\w", markdown), text
        assert json.loads(tree)["thread_id"] == "1"
        for form in (markdown, page):
            assert_no_live_link(form)
