"""A report as one page, and as a PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pipeline.digest.render import templates
from pipeline.errors import FixSettings
from pipeline.report.page import page
from pipeline.report.select import Findings

_TEMPLATES = Path(__file__).parent / "templates"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LONGEST_S = 300  # to print a page


def render_html(found: Findings, language: str) -> str:
    """One self-contained page, without a script or a remote part; pure."""
    template = templates(_TEMPLATES).get_template("report.html")
    return str(template.render(page=page(found, language)))


def browser() -> str | None:
    """The browser that prints, if this machine has one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_pdf(html: Path, pdf: Path) -> None:
    """The page printed by Chromium. Raises FixSettings where there is none, it fails or hangs."""
    program = browser()
    if program is None:
        raise FixSettings("a PDF needs Chromium (`apt-get install chromium`); a page does not")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
    with tempfile.TemporaryDirectory() as profile:
        command = [
            program,
            "--headless=new",
            "--disable-gpu",
            *as_root,
            f"--user-data-dir={profile}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={pdf}",
            html.resolve().as_uri(),
        ]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=_LONGEST_S
            )
        except subprocess.TimeoutExpired:
            raise FixSettings(
                f"{program} did not print {html} within {_LONGEST_S} s; see whether it prints "
                "by hand, or set `pdf = false`"
            ) from None
    if done.returncode or not pdf.exists():
        raise FixSettings(f"{program} could not print {html}: {done.stderr.strip()[-300:]}")
