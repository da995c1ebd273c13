"""Great Expectations' site of a night, made to be read without a network.

Its pages load styles, scripts and a logo from other people's servers, and come with 4 MB of files
that they never show. All of that goes; what was promised and what was broken stays.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pipeline.files import write_whole

_LOADED = re.compile(r"<(script|style|footer)\b.*?</\1>|<(link|img)\b[^>]*>", re.DOTALL)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; }
table { border-collapse: collapse; }
td { border-top: 1px solid #ccc; padding: .3rem .6rem; vertical-align: top; }
.navbar, .sticky, .btn { display: none; }  /* they work by script alone */
.fa-check-circle::before { content: "\\2714"; color: #1a7f37; }
.fa-exclamation-triangle::before { content: "\\26A0"; color: #9a6700; }
.fa-times::before { content: "\\2718"; color: #cf222e; }
</style>"""
_FRONT = '<meta http-equiv="refresh" content="0; url={0}"><a href="{0}">Results</a>\n'


def bring_home(docs: Path) -> None:
    """Rid the site in this folder of all it loads; its front page leads to the newest results."""
    shutil.rmtree(docs / "static", ignore_errors=True)
    for page in docs.rglob("*.html"):
        plain = _LOADED.sub("", page.read_text(encoding="utf-8"))
        write_whole(page, plain.replace("</head>", f"{_STYLE}</head>").encode())
    newest = max((docs / "validations").rglob("*.html"))
    write_whole(docs / "index.html", _FRONT.format(newest.relative_to(docs)).encode())
