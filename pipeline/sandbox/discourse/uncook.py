"""HTML of a post back to Markdown, for recordings that hold no Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser


def markdown(cooked: str) -> str:
    """Markdown that says what this cooked HTML says: quotes, code, lists, links, emphasis."""
    writer = _Markdown()
    writer.feed(cooked)
    writer.close()
    return writer.text()


class _Markdown(HTMLParser):
    """Writes Markdown while it reads HTML."""

    _MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}
    _BLOCKS = ("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "tr")

    def __init__(self) -> None:
        super().__init__()
        self._out: list[str] = []
        self._in_code_block = False
        self._code: list[str] = []  # code blocks, put in last so that nothing touches them
        self._title: str | None = None  # what a quote's head says, while we are in it
        self._quotes: list[dict[str, str]] = []
        self._links: list[str] = []

    def text(self) -> str:
        """What was written, without needless blank lines."""
        blocks = (block.strip("\n ") for block in "".join(self._out).split("\n\n"))
        text = "\n\n".join(block for block in blocks if block)
        return re.sub("\x00(\\d+)\x00", lambda match: self._code[int(match[1])], text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "aside":
            self._quotes.append(known)
        elif tag == "div" and known.get("class") == "title" and self._quotes:
            self._title = ""
        elif self._title is not None:
            return
        elif tag == "blockquote" and self._quotes:
            self._out.append(f"\n\n{self._quote_head(self._quotes[-1])}\n")
        elif tag == "pre":
            self._in_code_block = True
            self._code.append("")
        elif tag in self._MARKS and not self._in_code_block:
            self._out.append(self._MARKS[tag])
        elif tag == "img":
            self._out.append(known.get("title") or f"![{known.get('alt', '')}]({known.get('src')})")
        elif tag == "a":
            self._open_link(known)
        elif tag == "br":
            self._out.append("\n")
        elif tag == "li":
            self._out.append("* " if self._at_line_start() else "\n* ")
        elif tag in self._BLOCKS:
            self._out.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if self._title is not None:
            if tag == "div" and self._title:
                self._quotes[-1].setdefault("data-username", self._title.strip().removesuffix(":"))
                self._title = None
        elif tag == "pre":
            self._in_code_block = False
            self._out.append(f"\n\n\x00{len(self._code) - 1}\x00\n\n")
            self._code[-1] = "```\n" + self._code[-1].strip("\n") + "\n```"
        elif tag in self._MARKS and not self._in_code_block:
            self._out.append(self._MARKS[tag])
        elif tag == "blockquote" and self._quotes:
            self._out.append("\n[/quote]\n\n")
        elif tag == "aside" and self._quotes:
            self._quotes.pop()
        elif tag == "a" and self._links:
            self._out.append(self._links.pop())
        elif tag in self._BLOCKS:
            self._out.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title += data.strip()
        elif self._in_code_block:
            self._code[-1] += data
        elif not data.strip() and "\n" in data:
            if not self._at_line_start():
                self._out.append("\n")
        else:
            text = data.lstrip("\n") if self._at_line_start() else data
            self._out.append(text.replace("\n", " "))

    def _at_line_start(self) -> bool:
        return not self._out or self._out[-1].endswith("\n")

    def _quote_head(self, known: dict[str, str]) -> str:
        parts = [known.get("data-username", "")]
        parts += [
            f"{name}:{known[f'data-{name}']}"
            for name in ("post", "topic")
            if known.get(f"data-{name}")
        ]
        return f'[quote="{", ".join(parts)}"]'

    def _open_link(self, known: dict[str, str]) -> None:
        plain = known.get("class") in ("mention", "mention-group", "hashtag")
        href = "" if plain else known.get("href", "")
        self._out.append("[" if href else "")
        self._links.append(f"]({href})" if href else "")
