"""Markdown to HTML as Discourse cooks it, as far as forum posts of the sandbox need it."""

from __future__ import annotations

import html
import re

QUOTE = re.compile(
    r'^\[quote="(?P<who>[^",\]]*)(?:, post:(?P<post>\d+))?(?:, topic:(?P<topic>\d+))?[^\]]*\]\n?'
    r"(?P<text>.*?)\n?\[/quote\]\s*$",
    re.M | re.S,
)
MENTION = re.compile(r"(?<![\w@/`])@(\w[\w.-]*\w|\w)")
LINK = re.compile(r"""(?<!["'=\w>])https?://[^\s<>()\]"']+""")
_FENCE = re.compile(r"^```([\w+-]*)\n(.*?)^```\s*$", re.M | re.S)
_KEEP = "\x00{}\x00"


def cook(raw: str) -> str:
    """HTML of a post: code blocks, quotes, lists, links, mentions, emphasis and paragraphs."""
    kept: list[str] = []

    def keep(block: str) -> str:
        kept.append(block)
        return f"\n\n{_KEEP.format(len(kept) - 1)}\n\n"

    text = _FENCE.sub(lambda m: keep(_code_block(m[1], m[2])), raw.strip())
    text = QUOTE.sub(lambda m: keep(_quote(m)), text)
    cooked = "\n".join(_block(block) for block in re.split(r"\n{2,}", text) if block.strip())
    while "\x00" in cooked:
        cooked = re.sub("\x00(\\d+)\x00", lambda m: kept[int(m[1])], cooked)
    return cooked


def excerpt(cooked: str, length: int = 220) -> str:
    """Plain beginning of a cooked text, HTML-escaped, as lists and solved answers show it."""
    bare = re.sub(r"<aside.*?</aside>|<pre.*?</pre>", " ", cooked, flags=re.S)
    plain = html.unescape(" ".join(re.sub(r"<[^>]+>", " ", bare).split()))
    return html.escape(plain[:length], quote=False) + ("&hellip;" if len(plain) > length else "")


def _code_block(language: str, text: str) -> str:
    escaped = html.escape(text, quote=False)
    return f'<pre><code class="lang-{language or "auto"}">{escaped}</code></pre>'


def _quote(match: re.Match[str]) -> str:
    who = html.escape(match["who"])
    attributes = f'class="quote no-group" data-username="{who}"'
    for name in ("post", "topic"):
        if match[name]:
            attributes += f' data-{name}="{match[name]}"'
    return (
        f'<aside {attributes}>\n<div class="title">\n<div class="quote-controls"></div>\n {who}:'
        f"</div>\n<blockquote>\n{cook(match['text'])}\n</blockquote>\n</aside>"
    )


def _block(block: str) -> str:
    block = block.strip("\n")
    if re.fullmatch("\x00\\d+\x00", block):
        return block
    lines = block.split("\n")
    if heading := re.fullmatch(r"(#{1,6}) (.+)", block):
        level = len(heading[1])
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    for tag, bullet in (("ul", r"\s*[-*] "), ("ol", r"\s*\d+\. ")):
        if all(re.match(bullet, line) for line in lines):
            items = [f"<li>{_inline(re.sub(bullet, '', line, count=1))}</li>" for line in lines]
            return "\n".join((f"<{tag}>", *items, f"</{tag}>"))
    if all(line.startswith(">") for line in lines):
        inner = cook("\n".join(line[1:].lstrip() for line in lines))
        return f"<blockquote>\n{inner}\n</blockquote>"
    return "<p>" + "<br>\n".join(_inline(line) for line in lines) + "</p>"


def _inline(text: str) -> str:
    pieces = re.split(r"`([^`]+)`", text)
    return "".join(
        f"<code>{html.escape(piece, quote=False)}</code>" if odd else _words(piece)
        for odd, piece in ((n % 2, piece) for n, piece in enumerate(pieces))
    )


def _words(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"\[([^\]]+)\]\((https?://[^\s)]+)\)", r'<a href="\2">\1</a>', text)
    text = LINK.sub(lambda m: f'<a href="{m[0]}">{m[0]}</a>', text)
    text = MENTION.sub(lambda m: f'<a class="mention" href="/u/{m[1].lower()}">@{m[1]}</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)", r"<em>\1</em>", text)
