"""The operations page as a browser shows it; skipped, visibly, without Chromium."""

from datetime import UTC, datetime

from pipeline import status
from pipeline.journal import Journal
from tests.digest.test_browser import measured, pytestmark  # noqa: F401 - slow, and needs a browser
from tests.report.test_report import publish


def test_what_a_phone_has_no_room_for_is_hinted_at(tmp_path):
    community = publish(tmp_path, title="Ember")
    run = tmp_path / "runs" / "20260302T020000000000Z"
    run.mkdir(parents=True)
    Journal(run / "journal.jsonl").trouble("forum", "it could not be read, for a long reason")
    status.write_page(community, datetime(2026, 3, 2, 8, tzinfo=UTC))
    seen = measured((tmp_path / "ops" / "index.html").read_text(), tmp_path)
    assert seen["width"] <= 390
    assert seen["goOn"]
    assert all("gradient" in shade for shade in seen["goOn"])
    assert seen["contrast"] >= 4.5
