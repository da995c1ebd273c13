"""The page as a browser shows it: readable in light and dark, and on a phone.

Needs Chromium (`apt-get install chromium fonts-noto-cjk`); skipped, visibly, without it.
"""

import html
import json
import re
import shutil
import subprocess

import pytest

from pipeline.digest.edition import Health
from pipeline.digest.render import render_html
from tests.digest.hostile import BATTERY
from tests.digest.night import BUSY, HEALTH, edition, row

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium; apt-get install chromium"),
]

MEASURE = """
<script>
addEventListener('load', () => {
  const page = document.querySelector('iframe').contentDocument;
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = parts(page.defaultView.getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = node => {
    const style = page.defaultView.getComputedStyle(node);
    const [a, b] = [light(parts(style.color)), light(ground(node))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const told = [...page.querySelectorAll('body *')].filter(node =>
    [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && node.offsetHeight);
  document.title = JSON.stringify({
    width: page.documentElement.scrollWidth,
    contrast: Math.min(...told.map(contrast)),
    ground: ground(page.body),
    texts: told.length,
    sources: page.querySelectorAll('[src], link, script').length,
    nameless: [...page.links].filter(a => !a.textContent.trim()).length,
    captions: [...page.querySelectorAll('caption, .caption')].map(n => n.getBoundingClientRect().right),
    goOn: [...page.querySelectorAll('*')].filter(n => n.clientWidth && n.scrollWidth > n.clientWidth)
      .map(n => page.defaultView.getComputedStyle(n).backgroundImage),
    headings: [...page.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1]),
  });
});
</script>
"""


def measured(page, tmp_path, *switches):
    """What a browser makes of a page that is 390 pixels wide."""
    frame = f'<iframe srcdoc="{html.escape(page)}" width="390" height="3000" frameborder="0">'
    file = tmp_path / "frame.html"
    file.write_text(f"<!DOCTYPE html><title></title>{frame}</iframe>{MEASURE}")
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
            *switches,
            f"--user-data-dir={tmp_path / 'profile'}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    return json.loads(html.unescape(title[1]))


def longest():
    rows = [
        row(str(n), kind, title=text, sentence=text, channel=text, person=text)
        for n, (kind, text) in enumerate(
            zip(["newcomer_waiting", "toxic", "sour"] * 5, BATTERY[-17:], strict=False)
        )
    ]
    return edition(rows, Health(warnings=tuple(BATTERY[-17:])))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("switches", [(), ("--force-dark-mode",)], ids=["light", "dark"])
def test_every_text_is_readable_and_nothing_is_wider_than_a_phone(language, switches, tmp_path):
    seen = measured(render_html(edition(BUSY, HEALTH), language), tmp_path, *switches)
    assert seen["contrast"] >= 4.5
    assert seen["width"] <= 390
    assert (sum(seen["ground"][:3]) < 300) == bool(switches)
    assert seen["texts"] > 50
    assert (seen["sources"], seen["nameless"]) == (0, 0)
    steps = zip(seen["headings"], seen["headings"][1:], strict=False)
    assert seen["headings"][0] == 1
    assert all(after - before <= 1 for before, after in steps)


def test_long_words_break_instead_of_widening_the_page(tmp_path):
    assert measured(render_html(longest(), "en"), tmp_path)["width"] <= 390
