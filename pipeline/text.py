"""What the author of a message wrote, with everything else set apart.

Both platforms deliver text in which other people's words, programs and machines speak too. A model
or a rule that reads all of it blames the wrong one, so a message is taken apart once, here.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Literal

from pipeline.lines import is_log, is_speech

Form = Literal["html", "markdown"]
HOLE = "…"  # what stands in a sentence where code, a link or a mention was taken out


@dataclass(frozen=True, slots=True)
class Authored:
    """A message taken apart.

    text      the author's own words, one paragraph or list item a line; emoji and :shortcodes:
              stay; an inline part that was taken out leaves "…"
    quotes    other people's words: quotes, e-mail trails, forwarded text; outermost first level
    code      programs, logs and stack traces, inline or in blocks
    links     addresses, in order, previews (oneboxes) included
    mentions  account names without "@"
    """

    text: str
    quotes: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


def authored(body: str, form: Form) -> Authored:
    """The author's words of a cooked HTML or Markdown body. Never raises; linear in its length."""
    found = _Found()
    text = body
    if form == "markdown":
        text = _unspan(_unmark(_unquote(body, found), found), found)
    text = _untag(text, found, strict=form == "html")
    text = _inline(_unlog(text, found), found)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    text = "\n".join(line for line in lines if line.strip(HOLE + " ") and not _RULE.match(line))
    return Authored(
        text, *(tuple(part) for part in (found.quotes, found.code, found.links, found.mentions))
    )


_RULE = re.compile(r"([-=_*#~+%])(?: ?\1){2,}$")  # a row of one mark parts text, and says nothing


def text_hash(text: str) -> str:
    """32 hex digits that stay the same when only white space, its kind or amount, changes."""
    return hashlib.blake2b(
        " ".join(text.split()).encode("utf-8", "replace"), digest_size=16
    ).hexdigest()


def sentences(text: str) -> list[str]:
    """The sentences of an authored text, in order, none empty. Lines end sentences."""
    if not text.isascii():
        text = _CJK_END.sub(r"\1\n", text)
    return [part for part in (s.strip() for s in _SENTENCE_END.split(text)) if part]


def holds_poll(body: str) -> bool:
    """Whether a cooked body holds a poll, whose choices are nobody's words."""
    return bool(_POLL.search(body))


_POLL = re.compile(r"""<div\b[^>]*\bclass=["'](?:[^"'>]*\s)?poll[\s"']""")
_CJK_END = re.compile("([。！？；])")
_SENTENCE_END = re.compile(r"\s(?:(?<=\n)|(?<=[.!?]\s))")  # begins with what is rare: fast


@dataclass(slots=True)
class _Found:
    quotes: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        text = text.strip().lstrip("@" if kind == "mentions" else "")
        if text and kind != "drop":
            getattr(self, kind).append(text)


# --- Markdown: blocks ------------------------------------------------------------------------

_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,}(?=[^~]*$))")
_QUOTE_TAG = re.compile(r"\[(/?)quote(?:=[^\]\n]{0,300})?\]", re.IGNORECASE)
_CODE_TAG = re.compile(r"\[code\](.*?)(?:\[/code\]|\Z)", re.IGNORECASE | re.DOTALL)
_LIST_ITEM = re.compile(r"^\s*([-*+]|\d{1,3}[.)])\s")
_TRAIL = re.compile(
    r"^\s*(?:On\b.{5,200}\bwrote:|Am\b.{3,60}(?:\d{4}|\d:\d\d).{0,40}\bschrieb\b[^,]{1,80}:|"
    r"在.{4,100}写道[:：]|.{1,60}于.{4,60}写道[:：]|"
    r"-{2,} ?(?:Original Message|Forwarded message|(?:Ursprüngliche|Weitergeleitete) Nachricht|"
    r"原始邮件|转发邮件) ?-{2,})\s*$",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(?<!`)(`{1,3})(?!`)([^\n]{1,1000}?)(?<!`)\1(?!`)")
_SIGNATURE = re.compile(
    r"^(?:-- ?|(?:Sent|Get|Gesendet) (?:from|via|von) (?:my|mein|Outlook|Gmail|Yahoo).{0,60}|"
    r"(?:发自|来自)我的.{1,30})$"
)


def _unquote(body: str, found: _Found) -> str:
    """Markdown without [quote] and [code] blocks, which may nest and may stay open."""
    if "[" not in body:
        return body
    kept, depth, start = [], 0, 0
    for tag in _QUOTE_TAG.finditer(body):
        closing = tag[1] == "/"
        if depth == 0 and not closing:
            kept.append(body[start : tag.start()])
            start = tag.end()
        depth = max(0, depth - 1) if closing else depth + 1
        if depth == 0 and closing and start <= tag.start():
            found.add("quotes", _QUOTE_TAG.sub(" ", body[start : tag.start()]))
            start = tag.end()
    if depth:
        found.add("quotes", _QUOTE_TAG.sub(" ", body[start:]))
    else:
        kept.append(body[start:])
    text = "\n".join(kept)
    if "[code]" in text.lower():
        for block in _CODE_TAG.finditer(text):
            found.add("code", block[1])
        text = _CODE_TAG.sub("\n", text)
    return text


def _unmark(text: str, found: _Found) -> str:
    """Markdown lines without fenced and indented code, quoted lines, trails and signatures."""
    kept: list[str] = []
    for kind, run in groupby(_kinds(text.split("\n")), key=itemgetter(0)):
        lines = [line for _, line in run]
        if kind == "text":
            kept.extend(lines)
        else:
            found.add(kind, "\n".join(lines))
            kept.append("")
    return "\n".join(kept)


def _kinds(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each line with what it is: "text", "quotes", "code" or "drop"."""
    fence, before, in_list = "", "", False
    for number, line in enumerate(lines):
        kind, shown = "text", line
        if fence:
            kind = "drop" if line.strip().startswith(fence) else "code"
            fence = "" if kind == "drop" else fence
        elif opened := _FENCE.match(line):
            kind, fence = "drop", opened[1]
        elif line.startswith(("    ", "\t")) and (before == "code" or not (in_list or before)):
            kind = "text" if is_speech(line) else "code"
        elif line.lstrip().startswith(">"):
            kind, shown = "quotes", line.lstrip("> ")
        elif _TRAIL.match(line) or _is_folded_trail(lines[number : number + 2]):
            yield from (("quotes", rest) for rest in lines[number:])
            return
        elif _SIGNATURE.match(line.rstrip("\r")) and len(lines) - number <= 10:
            return
        elif line.strip():
            in_list = bool(_LIST_ITEM.match(line))
        before = kind if line.strip() else before if kind == "code" else ""
        yield kind, shown


def _is_folded_trail(lines: list[str]) -> bool:
    """Whether two lines are the heading of a quoted e-mail, which mail programs fold."""
    return lines[-1].rstrip().endswith(("wrote:", ">:")) and bool(_TRAIL.match(" ".join(lines)))


def _unspan(text: str, found: _Found) -> str:
    """Markdown without `inline code`."""

    def code(m: re.Match[str]) -> str:
        if _is_in_word(text[max(0, m.start() - 1) : m.start()], m[2]) or is_speech(m[2]):
            return m[2]
        found.add("code", m[2])
        return HOLE

    return _SPAN.sub(code, text) if "`" in text else text


def _is_in_word(before: str, code: str) -> bool:
    """Whether what is marked as code goes on with a word: "fu`ck`" is spoken."""
    return before[-1:].isalpha() and code.rstrip(".,;:!?").isalpha()


# --- HTML ------------------------------------------------------------------------------------

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,30})(?:(?=[\s/])|(>))|<!--|<[!?]")
_ATTRIBUTE = re.compile(r"""\b(class|href|title|alt|src)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
_BLOCKS = frozenset(
    """p br div li ul ol tr td th table h1 h2 h3 h4 h5 h6 hr section article aside blockquote pre
    details summary dl dt dd figure""".split()  # noqa: SIM905
)
_INLINE = frozenset(
    """a abbr b big bdi bdo cite code del dfn em font i img ins kbd mark q s samp small span strike
    strong sub sup svg tt u var script style iframe video audio source center thead tbody""".split()  # noqa: SIM905
)
_APART = {
    "blockquote": "quotes",
    "q": "quotes",
    "pre": "code",
    "code": "code",
    "kbd": "code",
    "samp": "code",
    "tt": "code",
    "script": "drop",
    "style": "drop",
    "svg": "drop",
    "iframe": "drop",
    "video": "drop",
    "audio": "drop",
}
_APART_CLASSES = (
    ("quote", "quotes"),
    ("onebox", "drop"),
    ("elided", "drop"),
    ("email-elided", "drop"),
    ("lightbox-wrapper", "drop"),
    ("poll", "drop"),
    ("footnotes-sep", "drop"),
)


def _tags(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Text before a tag, then "/" of a closing tag, name and attributes; last, all are empty."""
    start = 0
    while tag := _TAG.search(text, start):
        if tag[3]:  # as most are: no attributes
            yield text[start : tag.start()], tag[1], tag[2].lower(), ""
            start = tag.end()
            continue
        if tag[0] == "<!--":
            end = text.find("-->", tag.end())
            end = len(text) if end < 0 else end + 2
        else:
            end = _end_of_tag(text, tag.end())
        if end < 0:
            break
        name = (tag[2] or "!").lower()
        yield text[start : tag.start()], tag[1] or "", name, text[tag.end() : end]
        start = end + 1
    yield text[start:], "", "", ""


def _end_of_tag(text: str, start: int) -> int:
    """Where the tag's ">" is, -1 if nowhere. An attribute may hold ">" between its marks."""
    end = text.find(">", start - 1)
    for _ in range(3):
        inside = text[start:end]
        further = text.find(">", end + 1)
        if end < 0 or further < 0 or inside.count('"') % 2 == 0:
            break
        end = further
    return end


def _untag(text: str, found: _Found, *, strict: bool) -> str:
    """Text of HTML. Unless strict, only tags that HTML knows count: `vector<int>` is text."""
    if "<" not in text:
        return html.unescape(text)
    kept: list[str] = []
    inside: list[str] = []
    kind = region = ""
    depth = 0
    for before, closing, name, attributes in _tags(text):
        (inside if region else kept).append(before)
        if not strict and name not in _BLOCKS | _INLINE | {"!", ""}:
            (inside if region else kept).append(f"<{closing}{name}{attributes}>")
            continue
        values = _attributes(attributes) if attributes and not closing else {}
        if href := values.get("href"):
            found.add("links", href)
        if region:
            depth += (name == region) * (-1 if closing else 1)
            if name in _BLOCKS:
                inside.append("\n")
            if depth == 0:
                held = html.unescape("".join(inside))
                is_inline = kind == "code" and region not in _BLOCKS
                if is_inline and (_is_in_word("".join(kept[-1:]), held) or is_speech(held)):
                    kept.append(held)
                else:
                    found.add(kind, held)
                    kept.append(_instead(kind, region))
                region, inside = "", []
            continue
        kind = "" if closing else _kind(name, values)
        if kind:
            region, depth = name, 1
        else:
            kept.append(_shown(closing, name, values))
    if region:
        found.add(kind, html.unescape("".join(inside)))
    return html.unescape("".join(kept))


def _instead(kind: str, region: str) -> str:
    """What stands in a text where a part was taken out."""
    return "\n" if region in _BLOCKS else HOLE if kind in {"code", "mentions"} else " "


def _attributes(text: str) -> dict[str, str]:
    return {
        m[1].lower(): html.unescape(m[2] or m[3] or m[4] or "") for m in _ATTRIBUTE.finditer(text)
    }


def _kind(name: str, values: dict[str, str]) -> str:
    """What an opening tag sets apart: "quotes", "code", "drop" or nothing."""
    if name in _APART or not values:
        return _APART.get(name, "")
    classes = values.get("class", "").split()
    if name == "a":  # Discourse writes mentions and bare addresses as links
        return "mentions" if {"mention", "mention-group"} & set(classes) else ""
    return next((kind for word, kind in _APART_CLASSES if word in classes), "")


def _shown(closing: str, name: str, values: dict[str, str]) -> str:
    if name == "img" and "emoji" in values.get("class", ""):
        return f" {values.get('title') or values.get('alt', '')} "
    if name == "img":
        return HOLE
    return "\n" if name in _BLOCKS else ""


# --- what both forms share -------------------------------------------------------------------


def _unlog(text: str, found: _Found) -> str:
    """Lines without those a program wrote."""
    kept, log = [], []
    for line in text.split("\n"):
        if is_log(line):
            log.append(line[:2000])
            continue
        kept.append(line)
    found.add("code", "\n".join(log))
    return "\n".join(kept)


_TARGET = re.compile(
    r"!?\[([^\[\]\n]{0,500})\]\(\s*<?([^\s()<>]{1,2000}(?:\([^\s()]{0,200}\))?)"
    r"[^()\n]{0,200}\)"
)
_ADDRESS = re.compile(
    r"<?\b(?:(?:https?|ftp|mailto):/{0,2}|www\.)[^\s<>\"'）】，。]{2,2000}>?", re.I
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_MENTION = re.compile(
    r"<@!?(\w{1,60})(?:\|[^>\n]{0,60})?>|(?<![\w/.@])@([A-Za-z0-9_](?:[\w.-]{0,58}\w)?)"
)


def _inline(text: str, found: _Found) -> str:
    """Text without addresses and mentions; the words of a link stay."""

    def target(m: re.Match[str]) -> str:
        found.add("links", m[2])
        return HOLE if m[0][0] == "!" or m[1].startswith(("http", "www.")) else m[1]

    def address(m: re.Match[str]) -> str:
        link = m[0].rstrip(".,;:!?)")
        found.add("links", link.strip("<>"))
        return HOLE + m[0][len(link) :]

    def mention(m: re.Match[str]) -> str:
        found.add("mentions", m[1] or m[2])
        return HOLE

    if "](" in text:
        text = _TARGET.sub(target, text)
    if "://" in text or "www." in text or "mailto:" in text:
        text = _ADDRESS.sub(address, text)
    if "@" in text:
        text = _MENTION.sub(mention, _MAIL.sub(address, text))
    return text
