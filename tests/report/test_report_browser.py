"""The report as a browser shows and prints it; skipped, visibly, without Chromium."""

import pytest

from pipeline.report import render, select, write
from tests.digest.test_browser import measured, pytestmark  # noqa: F401 - slow, and needs a browser
from tests.report.test_report import WEEK, asked, publish


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("switches", [(), ("--force-dark-mode",)], ids=["light", "dark"])
def test_every_text_is_readable_and_nothing_is_wider_than_a_phone(language, switches, tmp_path):
    retention = [
        {
            "source": "forum",
            "cohort_month": "2025-12-01",
            "months_later": n,
            "people": 20,
            "active_rate": 1 - n / 10,
        }
        for n in range(10)
    ]
    waits = asked(30, WEEK.first, waited_h=3, happened=True)
    community = publish(tmp_path, title="Ember", retention=retention, waits=waits)
    text = render.render_html(select.findings(community, WEEK), language)
    seen = measured(text, tmp_path, *switches)
    assert seen["contrast"] >= 4.5
    assert seen["width"] <= 390
    assert seen["captions"]
    assert max(seen["captions"]) <= 390  # they do not lie in what goes on beside the screen
    assert seen["goOn"]
    assert all("gradient" in shade for shade in seen["goOn"])
    assert (sum(seen["ground"][:3]) < 300) == bool(switches)
    assert (seen["sources"], seen["nameless"]) == (0, 0)
    assert seen["headings"][0] == 1


def test_it_is_printed_beside_the_page(tmp_path):
    html, pdf = write(publish(tmp_path), WEEK, ["en"], pdf=True)
    assert pdf == html.with_suffix(".pdf")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_mode & 0o777 == 0o600
