"""A digest in each form it is read in. Pure: the same edition gives the same bytes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.digest import safe
from pipeline.digest.edition import Edition
from pipeline.digest.page import Page, brief, page

_TEMPLATES = Path(__file__).parent / "templates"
LARGEST = 98_000  # bytes of a page: Gmail hides what comes after 102 kB
_JSON_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def render_html(edition: Edition, language: str) -> str:
    """A self-contained page that is also the HTML part of a mail: no script, no remote part.

    Where it would be too large for mail, much of what explains an item stays behind its link.
    """
    words = page(edition, language, str)
    html = _inlined(words, edition)
    return html if len(html.encode()) <= LARGEST else _inlined(brief(words), edition)


def _inlined(words: Page, edition: Edition) -> str:
    import css_inline

    inline = css_inline.CSSInliner(
        keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False
    )
    return inline.inline(_laid_out("digest.html", words, edition))


def render_text(edition: Edition, language: str) -> str:
    """Plain text, for terminals and the text part of a mail."""
    return _laid_out("digest.txt", page(edition, language, str), edition)


def render_markdown(edition: Edition, language: str) -> str:
    """Discourse Markdown."""
    return _laid_out("digest.md", page(edition, language, safe.for_markdown), edition)


def posts(markdown: str, most: int = 32_000) -> list[str]:
    """The Markdown in as few posts as a forum's limit of characters allows, cut between items."""
    found = [""]
    for paragraph in re.split(r"\n{2,}", markdown):
        if found[-1] and len(found[-1]) + len(paragraph) + 2 > most:
            found.append("")
        found[-1] += "\n\n" * bool(found[-1]) + paragraph
    return found


def render_chat(edition: Edition, language: str) -> tuple[str, list[tuple[str, str]]]:
    """Rocket.Chat messages, each below 5,000 characters: the head, then (ref, text) per item.

    Items are replies in the head's thread, so that each collects its own reactions."""
    words = page(edition, language, safe.for_chat)
    head = _laid_out("chat.txt", words, edition, card=None).strip()
    return head, [
        (card.ref, _laid_out("chat.txt", words, edition, card=card, block=block).strip())
        for block in words.blocks
        for card in block.cards
    ]


def render_json(edition: Edition) -> str:
    """The edition as JSON, for programs; flagged text is masked here too."""
    tree = asdict(edition)
    for section, shown in zip(tree["sections"], edition.sections, strict=True):
        for item, original in zip(section["items"], shown.items, strict=True):
            item["ref"] = original.ref
            del item["keys"]
    text = json.dumps(tree, ensure_ascii=False, indent=1, default=_iso)
    return text.translate(_JSON_ESCAPES) + "\n"


def render_rss(edition: Edition, language: str) -> str:
    """An RSS 2.0 feed of this night's items; an item's id stays the same from night to night."""
    words = page(edition, language, str)
    first = next((c.url for block in words.blocks for c in block.cards if c.url), "")
    home = "/".join(first.split("/")[:3])
    return _laid_out("feed.xml", words, edition, home=home)


def _laid_out(template: str, words: Page, edition: Edition, **more: Any) -> str:
    built = format_datetime(edition.as_of.astimezone(UTC))
    values = {"page": words, "say": words.say, "edition": edition, "built": built, **more}
    return str(templates().get_template(template).render(values))


@cache
def templates(folder: Path = _TEMPLATES) -> Any:
    """The templates of a folder: strict, and escaping in HTML and XML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(["html", "xml"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["tongue"] = jinja2.pass_context(_tongue)
    return environment


def _tongue(context: Any, text: str) -> str | None:
    """The `lang` of a member's text where its script is not the page's: "zh", or "" for unknown."""
    is_han = bool(re.search(r"[\u4e00-\u9fff]", text)) and not re.search(r"[\u3040-\u30ff]", text)
    if is_han == context["page"].language.startswith("zh"):
        return None
    return "zh" if is_han else ""


def _iso(value: Any) -> str:
    return str(value.isoformat())
