"""Text of members made harmless: first for eyes, then for the place where it is shown.

Everything a forum says is hostile. `plain` and `masked` run once, when an item enters an edition;
what they return holds no control, direction or invisible mark, no stack of accents, no line break
and no live link. The `for_...` functions then escape it for one place each.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

_JOINED_MARKS = 2  # accents one letter may carry; more is "zalgo", which paints over its neighbours
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that show nothing
_WEB = re.compile(r"h(?:tt)(ps?:)", re.IGNORECASE)
_SCHEME = re.compile(r"(?<!hxxp)(?<!hxxps):(?=/)", re.IGNORECASE)
_ACTIVE = re.compile(r"\b(javascript|vbscript|data|mailto|tel|file):", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:hxxps?:/*|\bwww\.)[^\s/]*", re.IGNORECASE)
_HOST = re.compile(
    r"(?:[\w-]+\.)+(?:[a-z]{2}|com|net|org|info|biz|xyz|top|site|online|shop|club|live|link|click"
    r"|icu|vip|win|app|dev|store|work|space|website|tech|pro|mobi|name|tokyo|中国|网址|公司|рф)"
    r"(?![A-Za-z0-9-])",
    re.IGNORECASE,
)
_FILES = (  # endings of file names that look like domains
    " c cc cs css csv go gz h hs htm html ini java jl js json kt log lua md ml pl png py rb rs sh"
    " sql so toml ts tsx txt vue xml yaml yml zip "
)
_DOT = re.compile(r"(?<!\[)\.")
_HAN = r"\u3400-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])[^\W_])+(?:['’][^\W_]+)*")
_EVERYDAY = Path(__file__).parent / "words" / "everyday.txt"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$^=:\"'&;,/%?])")
_CHAT = str.maketrans("*_~`[]<>|#\\$:", "∗＿∼ˋ［］‹›¦＃＼＄：")


def plain(text: object, room: int = 300) -> str:
    """One visible line, links in it de-fanged ("hxxp", "[.]"), cut to `room` Latin letters or a
    third as many Chinese ones."""
    line = _shortened(_visible(str(text)), room)
    line = _SCHEME.sub("[:]", _WEB.sub(r"hxx\1", line))
    line = _ACTIVE.sub(r"\1[:]", line)
    line = _AUTHORITY.sub(lambda link: _DOT.sub("[.]", link[0]), line)
    return _HOST.sub(_defanged_host, line)


def masked(line: str) -> str:
    """A plain line with every word that is not an everyday one reduced to its first and last
    letter, so that "you idiot" reads "you i***t". A Chinese character is a word of its own."""
    return _WORD.sub(lambda word: _mask(word[0]), line)


def masked_like(title: str, sentence: str) -> str:
    """The plain title with those words masked that the plain, unmasked sentence has too."""
    said = {word.casefold() for word in _WORD.findall(sentence)}
    return _WORD.sub(lambda word: _mask(word[0]) if word[0].casefold() in said else word[0], title)


def for_markdown(text: str) -> str:
    """Text as Discourse shows it literally: no formatting, HTML, mention, hashtag or onebox."""
    return _MARKDOWN.sub(r"\\\1", _without_calls(text).replace("#", "＃"))


def for_chat(text: str) -> str:
    """Text as Rocket.Chat shows it literally. Its parser honours only some backslashes, so that
    signs which format are replaced by their look-alikes."""
    return _without_calls(text).translate(_CHAT)


def for_header(text: str) -> str:
    """Text for one mail header: one line, no control marks."""
    return _visible(text)[:200]


def web_address(url: object, sites: tuple[str, ...]) -> str | None:
    """The address if it leads into one of these sites and holds nothing unusual, otherwise null."""
    if not isinstance(url, str) or not re.fullmatch(r"https?://[\w.~:/?&=%+,#-]+", url, re.ASCII):
        return None
    inside = any(url == site or url.startswith(site.rstrip("/") + "/") for site in sites)
    return url if inside else None


def _visible(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for sign in unicodedata.normalize("NFC", text[:20_000]):
        kind = unicodedata.category(sign)
        if kind[0] == "Z" or sign in "\t\n\r\v\f\x85":
            kept.append(" ")
        elif kind[0] == "C" or sign in _BLANK:
            continue  # control, format (bidi, zero width), surrogate, private, unassigned
        elif kind[0] == "M":
            marks += 1
            if marks <= _JOINED_MARKS:
                kept.append(sign)
            continue
        else:
            kept.append(sign)
        marks = 0
    return " ".join("".join(kept).split())


def _shortened(line: str, room: int) -> str:
    """The beginning of a line that fills this room, or all of it. Signs other than ASCII letters,
    digits and spaces take the room of three: they are wide, or long once escaped, or both."""
    used = 0
    for place, sign in enumerate(line):
        used += 1 if sign.isascii() and (sign.isalnum() or sign == " ") else 3
        if used > room:
            return line[: max(place - 1, 0)].rstrip() + "…"
    return line


def _defanged_host(host: re.Match[str]) -> str:
    labels = host[0].split(".")
    return host[0] if f" {labels[-1].lower()} " in _FILES else "[.]".join(labels)


def _mask(word: str) -> str:
    if word.isdecimal() or re.split("['’]", word.casefold())[0] in _everyday():
        return word
    if len(word) < 3:
        return "*" * len(word)
    return word[0] + "*" * min(len(word) - 2, 8) + word[-1]


@cache
def _everyday() -> frozenset[str]:
    return frozenset(_EVERYDAY.read_text(encoding="utf-8").split())


def _without_calls(text: str) -> str:
    """No mention, of a person or of all: both platforms look for the ASCII sign."""
    return text.replace("@", "＠")
