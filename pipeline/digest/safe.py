"""Text of members made harmless: first for eyes, then for the place where it is shown.

Everything a forum says is hostile. `plain` and `masked` run once, when an item enters an edition;
what they return holds no control, direction or invisible mark, no stack of accents, no line break
and no live link. The `for_...` functions then escape it for one place each.
"""

from __future__ import annotations

import re
import unicodedata

_JOINED_MARKS = 2  # accents one letter may carry; more is "zalgo", which paints over its neighbours
_LINK = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,15}:/{1,3}|www\.)\S+", re.IGNORECASE)
_ACTIVE = re.compile(r"\b(javascript|vbscript|data|mailto|tel|file):", re.IGNORECASE)
_HOST = re.compile(
    r"\b(?:[\w-]+\.)+(?:[a-z]{2}|com|net|org|info|biz|xyz|top|site|online|shop|club|live|link|click"
    r"|icu|vip|win|app|dev|store|work|space|website|tech|pro|mobi|name|tokyo|中国|网址|公司|рф)\b"
    r"(?=[/:?#]|\W|$)",
    re.IGNORECASE,
)
_FILES = (  # endings of file names that look like domains
    " c cc cs css csv go gz h hs htm html ini java jl js json kt log lua md ml pl png py rb rs sh"
    " sql so toml ts tsx txt vue xml yaml yml zip "
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_HARMLESS = (  # words that tell nothing and keep a masked sentence readable
    " a about all also am an and any are as at be been but by can do does for from had has have he"
    " her here him his how i if in is it its just me more my no not now of on one only or our out"
    " she so that the their them then there they this to too up us very was we were what when"
    " where which who why will with would you your yours yourself "
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$^=:\"'&;,/%?])")
_CHAT = str.maketrans("*_~`[]<>|#\\$()", "∗＿∼ˋ［］‹›¦＃＼＄（）")


def plain(text: object, most: int = 300) -> str:
    """One line of at most `most` visible characters, links de-fanged ("hxxp", "[.]")."""
    line = _visible(str(text))
    line = _LINK.sub(lambda link: _defanged(link[0]), line)
    line = _ACTIVE.sub(r"\1[:]", line)
    return _shortened(_HOST.sub(_defanged_host, line), most)


def masked(text: object, most: int = 300) -> str:
    """`plain`, with every telling word reduced to its first and last letter: "y*u" stays "you",
    but "idiot" is "i***t". Scripts without spaces are masked run by run."""
    return _WORD.sub(lambda word: _mask(word[0]), plain(text, most))


def masked_like(title: str, sentence: str) -> str:
    """The title with those words masked that the (unmasked, plain) sentence has too."""
    said = {word.casefold() for word in _WORD.findall(sentence)}
    return _WORD.sub(lambda word: _mask(word[0]) if word[0].casefold() in said else word[0], title)


def for_markdown(text: str) -> str:
    """Text as Discourse shows it literally: no formatting, HTML, mention, hashtag or onebox."""
    return _MARKDOWN.sub(r"\\\1", _without_calls(text).replace("#", "＃"))


def for_chat(text: str) -> str:
    """Text as Rocket.Chat shows it literally. Its parser honours only some backslashes, so that
    signs which format are replaced by their look-alikes."""
    return re.sub(r":(?=\S)", "：", _without_calls(text).translate(_CHAT))


def for_header(text: str) -> str:
    """Text for one mail header: one line, no control marks."""
    return _visible(text)[:200]


def web_address(url: object, sites: tuple[str, ...]) -> str | None:
    """The address if it leads into one of these sites and holds nothing unusual, otherwise null."""
    if not isinstance(url, str) or not re.fullmatch(r"https?://[\w.~:/?&=%+,@!#-]+", url, re.ASCII):
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
        elif kind[0] == "C":  # control, format (bidi, zero width), surrogate, private, unassigned
            continue
        elif kind[0] == "M":
            marks += 1
            if marks <= _JOINED_MARKS:
                kept.append(sign)
            continue
        else:
            kept.append(sign)
        marks = 0
    return " ".join("".join(kept).split())


def _shortened(line: str, most: int) -> str:
    if len(line) <= most:
        return line
    return line[: most - 1].rstrip() + "…"


def _defanged(link: str) -> str:
    scheme = re.sub(r"^(h)tt(ps?:)", r"\1xx\2", link, flags=re.IGNORECASE)
    if scheme == link and ":" in link and not link.lower().startswith("www."):
        scheme = link.replace(":", "[:]", 1)
    head, slashes, rest = scheme.partition("//")
    host, slash, path = rest.partition("/")
    if not slashes:
        return head.replace(".", "[.]", 2)
    return head + slashes + host.replace(".", "[.]") + slash + path


def _defanged_host(host: re.Match[str]) -> str:
    labels = host[0].split(".")
    return host[0] if f" {labels[-1].lower()} " in _FILES else "[.]".join(labels)


def _mask(word: str) -> str:
    if f" {word.casefold()} " in _HARMLESS or len(word) == 1:
        return word
    if len(word) == 2:
        return word[0] + "*"
    return word[0] + "*" * min(len(word) - 2, 8) + word[-1]


def _without_calls(text: str) -> str:
    """No mention, of a person or of all: both platforms look for the ASCII sign."""
    return text.replace("@", "＠")
