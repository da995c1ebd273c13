"""Rough words behind disguises: letters that look alike, figures and marks for letters, gaps, words
run together, Chinese in pinyin or other characters. `cues/<language>_disguise.toml` list them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import product

from pipeline.classify.cues import ROUGH, either, load, read
from pipeline.classify.readable import readable
from pipeline.lines import FIGURES

# Letters of other scripts that look like Latin ones.
_ALIKE = "аеорсухкіјѕԁһвнмтгαεικνορτυχωβ"
_LOOKALIKE = str.maketrans(_ALIKE, "aeopcyxkijsdhbhmtraeiknoptuxwb")
_MIXED = re.compile(r"\w*[a-z]\w*")
_LOOKS_LATIN = re.compile(rf"\b[{_ALIKE}]+\b")
_RUN_OF_HAN = re.compile("[\u3400-\u9fff]")
_MARKS = r"[*_~.\-/|\\()\[\]{}#@%$&+\U0001f300-\U0001faff]"
_MARKED = re.compile(rf"{_MARKS}(?<=[^\W_].){_MARKS}{{0,3}}[^\W_]")
_SPELT = re.compile(r" [^\W\d_] [^\W\d_](?![^\W_])")
_BROKEN = re.compile(  # letters with spaces between, or a word with marks between its parts
    rf"(?<![^\W_])(?:[^\W\d_](?: [^\W\d_]){{2,}}+(?![^\W_])|[^\W_]++(?:{_MARKS}{{1,4}}[^\W_]++)+)"
)
_LONG = re.compile(r"(?<![^\W_])[^\W\d_]{9,80}(?![^\W_])")


def unmasked(text: str) -> str:
    """Readable text as it is meant, to tell its language by: "уou" with a Cyrillic letter is "you",
    and with it words all of such letters; other words all Cyrillic stay. "你个shabi" is Chinese."""
    text = readable(text)
    if text.isascii():
        return text
    latin = _MIXED.sub(lambda m: m[0].translate(_LOOKALIKE), text)
    if latin != text:
        latin = _LOOKS_LATIN.sub(lambda m: m[0].translate(_LOOKALIKE), latin)
    return plain_han(latin) if _RUN_OF_HAN.search(latin) else latin


@cache
def _undisguise_han() -> tuple[re.Pattern[str], dict[str, str]]:
    lists = read("zh_disguise")
    behind = {each.lower(): word for word, text in lists.items() for each in text.split()}
    parts = []
    for each in sorted(behind, key=len, reverse=True):
        escaped = re.escape(each)
        parts.append(rf"(?<![a-z0-9]){escaped}(?![a-z0-9])" if each[-1].isascii() else escaped)
    return re.compile("|".join(parts)), behind


def plain_han(text: str) -> str:
    """Readable Chinese with disguised rough words put back: other characters, pinyin, initials."""
    pattern, behind = _undisguise_han()
    text = _HAN_GAP.sub("", text)
    return pattern.sub(lambda m: behind[m[0]], text)


def hidden_han(text: str) -> tuple[str, ...]:
    """The rough words behind disguises in readable Chinese, in order."""
    pattern, behind = _undisguise_han()
    return tuple(behind[found] for found in pattern.findall(_HAN_GAP.sub("", text)))


_HAN_GAP = re.compile(
    r"(?<=[\u3400-\u9fff])[ .*_\-|/~·、]{1,3}(?=[\u3400-\u9fff](?:[ .*_\-|/~·]|$))"
)


def joined(text: str, language: str) -> str:
    """Text with words that were s p e l l e d out, bro**ken** by marks or runtogether as words of
    their own, all of them if one hides what the lists name. "class-ass.cpp" and "f*ck" hide
    nothing."""
    if any(map(_words_of, _LONG.findall(text))):
        text = _LONG.sub(lambda word: " ".join(_words_of(word[0])) or word[0], text)
    if not (_MARKED.search(text) or _SPELT.search(text)):
        return text  # most texts, in a tenth of the time
    broken = _BROKEN.findall(text)
    if not any(_hides(each, language) for each in broken):
        return text
    return _BROKEN.sub(lambda word: _whole(word[0], language), text)


def _whole(broken: str, language: str) -> str:
    """The word, or words, that a broken one is."""
    letters = _NO_WORD.sub("", broken)
    return " ".join(_words_of(letters)) or _masked(broken, language) or letters


_NO_WORD = re.compile(r"[\W_]+")


@lru_cache(maxsize=100_000)
def _hides(broken: str, language: str) -> bool:
    """Whether the whole is a rough word, or one for a group of people, and no part of it is."""
    cues = load(language)

    def named(word: str) -> bool:
        word = undisguised(word, language)
        return cues.rough(word) or "group" in cues.kinds(word)

    parts = _NO_WORD.split(broken)
    whole = "".join(parts)
    if not (named(whole) or _words_of(whole) or _masked(broken, language)):
        return False
    return not any(part.isdigit() or named(part) for part in (*parts, broken))


def _masked(broken: str, language: str) -> str:
    """The rough word some of whose letters are marks: "f-ck", "sh%t"; empty where there is none."""
    starred = re.sub(r"[-#@%$&]", "*", broken)
    word = undisguised(starred, language)
    return "" if word == starred else word


@cache
def _disguised() -> dict[str, frozenset[str]]:
    """The lists of `cues/en_disguise.toml`."""
    return {name: frozenset(words.split()) for name, words in read("en_disguise").items()}


@cache
def _rough_inside() -> re.Pattern[str]:
    return re.compile(either(sorted(_disguised()["masked"])))


@lru_cache(maxsize=100_000)
def _words_of(letters: str) -> tuple[str, ...]:
    """The English words that stand in these letters without a gap, if one of them is rough and all
    are known: what people run together to insult is made of few words."""
    rough, around = _disguised()["masked"], _disguised()["around"]
    if not _rough_inside().search(letters) or load("en").rough(letters):
        return ()
    best: list[tuple[str, ...] | None] = [(), *([None] * len(letters))]
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - _LONGEST_WORD), end):
            words, word = best[start], letters[start:end]
            if words is not None and (word in rough or word in around):
                best[end] = (*words, word)
                break
    words = best[-1] or ()
    return words if len(words) > 1 and not rough.isdisjoint(words) else ()


_LONGEST_WORD = 11


@lru_cache(maxsize=100_000)
def undisguised(word: str, language: str) -> str:
    """The rough word behind this one, or the "you"; the word itself where there is none.

    Sees look-alike letters, figures for letters, stars in place of letters, and stretched letters.
    """
    if not word.isascii():
        latin = word.translate(_LOOKALIKE)
        word = latin if latin.isascii() else word
    cues = load(language)
    if len(word) < 3 or len(word) > 40 or cues.rough(word):
        return word
    hidden = ROUGH | {"you"}
    return next((w for w in _readings(word) if not hidden.isdisjoint(cues.kinds(w))), word)


def _readings(word: str) -> Iterable[str]:
    """What a disguised word may stand for, likeliest first."""
    short = _STRETCHED.sub(r"\1", word)
    if short != word:
        yield re.sub(r"(.)\1{2,}", r"\1\1", word)
        yield short
    if not word.isalpha():
        choices = [FIGURES.get(c, c) for c in word]
        if sum(len(c) > 1 for c in choices) <= 4:
            yield from ("".join(letters) for letters in product(*choices))
    if "*" in word and len(word) > 3 and word[0] != "*":
        pattern = re.compile(re.escape(word).replace(r"\*", "[a-z]") + r"\Z")
        yield from (whole for whole in sorted(_disguised()["masked"]) if pattern.match(whole))
    if word in _mistyped():
        yield _mistyped()[word]


@cache
def _mistyped() -> dict[str, str]:
    """What the rough words people mask are with two letters swapped, one left out or all from last
    to first -> the word. None is an ordinary word of any large language."""
    found = {"uoy": "you", "ruoy": "your", "kcuf": "fuck", "fcuk": "fuck", "idot": "idiot"}
    for word in sorted(each for each in _disguised()["masked"] if len(each) > 4):
        inner = range(1, len(word) - 1)
        mistyped = {word[:n] + word[n + 1] + word[n] + word[n + 2 :] for n in inner}
        if len(word) > 5:
            mistyped |= {word[:n] + word[n + 1 :] for n in inner}
        found |= dict.fromkeys({*mistyped, word[::-1]} - _disguised()["ordinary"], word)
    return found


_STRETCHED = re.compile(r"(.)\1+")
