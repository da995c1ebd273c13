"""What axe-core says of every page people get, in Chromium; skipped, visibly, without one."""

import html
import json
import re
import subprocess
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from pipeline import status
from pipeline.digest.render import render_html
from pipeline.report import render, select
from tests.digest.night import BUSY, HEALTH, edition
from tests.digest.test_browser import BROWSER, pytestmark  # noqa: F401 - slow, and needs a browser
from tests.report.test_report import WEEK, asked, publish

AXE = files("axe_core_python") / "axe.min.js"
RUN = """
<script>
axe.run(document).then(found => {
  const told = found.violations.map(v => [v.id, v.nodes.map(n => n.html)]);
  document.title = JSON.stringify({violations: told, passes: found.passes.length});
});
</script>
"""


def looked_at(page, tmp_path, *switches):
    """Violations that axe-core finds, as (rule, elements), and how many rules passed."""
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", f"<script>{AXE.read_text()}</script>{RUN}</body>"))
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=20000",
            "--dump-dom",
            *switches,
            f"--user-data-dir={tmp_path / 'profile'}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))
    return found["violations"], found["passes"]


SWITCHES = pytest.mark.parametrize("switches", [(), ("--force-dark-mode",)], ids=["light", "dark"])
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


@SWITCHES
@LANGUAGES
def test_a_digest_is_accessible(language, switches, tmp_path):
    page = render_html(edition(BUSY, HEALTH), language)
    violations, passes = looked_at(page, tmp_path, *switches)
    assert violations == []
    assert passes > 10


@SWITCHES
@LANGUAGES
def test_a_report_is_accessible(language, switches, tmp_path):
    waits = asked(30, WEEK.first, waited_h=3, happened=True)
    found = select.findings(publish(tmp_path, title="Ember", waits=waits), WEEK)
    violations, passes = looked_at(render.render_html(found, language), tmp_path, *switches)
    assert violations == []
    assert passes > 10


@SWITCHES
def test_the_operations_page_is_accessible(switches, tmp_path):
    community = publish(tmp_path, title="Ember")
    status.write_page(community, datetime(2026, 3, 2, 8, tzinfo=UTC))
    page = (tmp_path / "ops" / "index.html").read_text()
    violations, passes = looked_at(page, tmp_path, *switches)
    assert violations == []
    assert passes > 10


def test_what_is_wrong_is_seen(tmp_path):
    page = '<!DOCTYPE html><html><head><title>x</title></head><body><img src="a.png"></body></html>'
    violations, _ = looked_at(page, tmp_path)
    assert {"image-alt", "html-has-lang"} <= {rule for rule, _ in violations}
