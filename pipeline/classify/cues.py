"""Words and phrases that carry tone, and the disguises they come in.

The lists are `cues/<language>.toml`: kind -> words. They are features of a model and the words of
its reasons; no list decides alone. Beside them lie what hides behind disguises
(`<language>_disguise.toml`), how words are aimed at somebody (`aimed.toml`, a number that a model
weighs), curses aimed at nobody (`exclaimed.toml`) and the plain rules that stand outside every
model (`rules.toml`).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.lines import FIGURES

_LISTS = Path(__file__).parent / "cues"
_ENTRY = re.compile(r'"([^"]+)"|(\S+)')
_ROUGH = frozenset({"vulgar", "insult", "dismissive", "threat", "coarse"})

# Letters of other scripts that look like Latin ones.
_ALIKE = "аеорсухкіјѕԁһвнмтгαεικνορτυχωβ"
_LOOKALIKE = str.maketrans(_ALIKE, "aeopcyxkijsdhbhmtraeiknoptuxwb")
_DRAWN = str.maketrans(  # letters drawn small, or in boxes, that Unicode does not call Latin
    dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
    | {chr(first + n): chr(97 + n) for first in (0x1F150, 0x1F170) for n in range(26)}
)


_TURNED = str.maketrans("ɐqɔpǝɟƃɥıɾʞɯuodbɹʇnʌʍʎ¡¿", "abcdefghijkmnopqrtuvwy!?")  # upside down
_IS_TURNED = re.compile("[ɐɔǝɟƃɥɾʞɯɹʇʌʍʎ]")


@dataclass(frozen=True, slots=True)
class Cues:
    """The cue lists of one language. `kinds` and `phrases` look up lower-case text.

    stems  first three letters -> (stem, its kinds)
    """

    words: dict[str, frozenset[str]] = field(default_factory=dict)
    stems: dict[str, tuple[tuple[str, frozenset[str]], ...]] = field(default_factory=dict)
    phrases: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = field(default_factory=dict)

    def kinds(self, word: str) -> frozenset[str]:
        """Kinds this word is listed under, by itself or by its stem."""
        found = self.words.get(word, frozenset())
        for stem, kinds in self.stems.get(word[:3], ()):
            if word.startswith(stem):
                found |= kinds
        return found

    def rough(self, word: str) -> bool:
        """True if the word is one that people disguise."""
        return not _ROUGH.isdisjoint(self.kinds(word))


def _read(name: str) -> dict[str, Any]:
    """What `cues/<name>.toml` says."""
    return tomllib.loads((_LISTS / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def load(language: str) -> Cues:
    """The cue lists of a language that has them."""
    words: dict[str, frozenset[str]] = {}
    stems: dict[str, frozenset[str]] = {}
    phrases: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {}
    for kind, text in _read(language).items():
        for entry in _ENTRY.finditer(_bare(text)):
            word = entry[1] or entry[2]
            if " " in word:
                parts = tuple(word.split())
                phrases[parts[0]] = (*phrases.get(parts[0], ()), (parts, kind))
            else:
                into = stems if word.endswith("*") else words
                into[word.rstrip("*")] = into.get(word.rstrip("*"), frozenset()) | {kind}
    heads: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {}
    for stem, kinds in stems.items():
        heads[stem[:3]] = (*heads.get(stem[:3], ()), (stem, kinds))
    return Cues(words, heads, phrases)


@cache
def patterns(name: str, language: str | None = None) -> dict[str, re.Pattern[str]]:
    """Kind -> pattern that finds any of its words, of `cues/<name>.toml`. A German text is searched
    for German words and English ones, any other for English and Chinese."""
    return {
        kind: re.compile(
            rf"(?<!\w)(?:{_either([*map(_close, words['de']), *words['en']])})(?!\w)"
            if language == "de"
            else rf"(?<!\w)(?:{_either(words['en'])})(?!\w)|{_either(words['zh'])}",
            re.IGNORECASE,
        )
        for kind, words in _read(name).items()
    }


def _close(entry: str) -> str:
    return entry.replace(" … ", "…")  # what stands there may also be one space


def _either(words: Sequence[str]) -> str:
    """The pattern "a|b|c" with common beginnings said once: it finds the same, several times as
    fast. Where one word begins another, the first of them is still tried first."""
    if not any(words):
        return ""
    if "" in words:
        at = words.index("")
        parts = (words[:at], [""], [word for word in words[at + 1 :] if word])
        return "|".join(_either(part) for part in parts if part)
    ends: dict[str, list[str]] = {}
    for word in words:
        ends.setdefault(word[0], []).append(word[1:])
    return "|".join(
        f"{_SIGN.get(first) or re.escape(first)}(?:{_either(rest)})" for first, rest in ends.items()
    )


_SIGN = {  # what a character of a German entry stands for, if not for itself
    "*": r"\w*",
    "…": r"\b(?:[^.!?\n]|[.!?]\b){0,60}?\b",
    "¬": r"(?:nicht|nichts|nich|nix|(?<!\.)net|ned|kein\w*|nie|kaum)",
    "^": r"(?:\A|(?<=\n))\W*(?:(?:hi|hallo|hey|moin|servus|leute|zusammen|also|so|sorry)\W+){0,3}+",
    "ä": "(?:ä|ae)",
    "ö": "(?:ö|oe)",
    "ü": "(?:ü|ue)",
    "ß": "(?:ß|ss)",
}


@cache
def _rules(language: str) -> dict[str, re.Pattern[str]]:
    lists = _read("rules")
    names = _either(lists.pop("names")[language].split())
    found = {}
    for name, written in lists.items():
        lines = written[language].strip().replace("{names}", f"(?:{names})")
        if language == "de":  # what is searched has no dots
            lines = _bare(lines)
        found[name] = re.compile("|".join(lines.split("\n")))
    return found


@cache
def _aims() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{aim})" for aim in _read("aimed").values()))


def is_aimed(words: str) -> bool:
    """Whether plain English words call, tell off or belittle somebody, or what they do."""
    return bool(_aims().search(words))


@cache
def _exclaimed() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(pattern) for name, pattern in _read("exclaimed").items()}


def is_oath(word: str) -> bool:
    """Whether people curse with this English word without calling anybody so."""
    return bool(_exclaimed()["oath"].fullmatch(word))


def exclaims(words: str, kinds: Set[str]) -> bool:
    """Whether a plain English sentence that curses with oaths, and has these kinds of cues, does so
    at nobody, praises or thanks, or blames who writes it."""
    found = _exclaimed()
    if "threat" in kinds or found["somebody"].search(words) or is_aimed(words):
        return False
    if "insult" in kinds:
        return "you" not in kinds and bool(found["own"].search(words))
    if "you" not in kinds:
        return True
    return {"negation", "dismissive"}.isdisjoint(kinds) and bool(found["praise"].search(words))


_SPARED = re.compile(
    r"\b(?:if|not|n't|don't|dont|never|call(?:ed|ing)?|says?|said|wrote|writes?|words?|"
    r"phrase|told (?:me|us|him|her|them)|feel|like an?|i'm|am i|me)\b|"
    r"(?<![是怕莫])不是|别说|如果|说我|骂我|叫我|喊我|说你|写道|词"
)


_QUOTED = re.compile('[„"][^„"]*"|»[^»«]*«|«[^»«]*»|「[^」]*」|『[^』]*』')


def broken_rule(sentence: str, language: str) -> tuple[str, str] | None:
    """The first rule that a plain sentence breaks and the words that break it; null if none. What
    stands in quotation marks beside other words is told, not said."""
    said = _QUOTED.sub(lambda quoted: '"' * len(quoted[0]), sentence)
    said = said if any(map(str.isalpha, said)) else sentence
    for name, pattern in _rules(language).items():
        hit = pattern.search(said)
        if hit and not _SPARED.search(said[max(0, hit.start() - 40) : hit.end()]):
            return name, hit[0].strip()
    return None


def rule_names() -> frozenset[str]:
    """Names of the rules; each is also the code of a reason."""
    return frozenset(_rules("en"))


@cache
def version() -> str:
    """8 hex digits of all word lists."""
    files = sorted(_LISTS.glob("*.toml"))
    return hashlib.sha256(b"\n".join(file.read_bytes() for file in files)).hexdigest()[:8]


def readable(text: str) -> str:
    """Lower-case text, not upside down, without invisible characters, stacked accents and width
    variants."""
    if not text.isascii():
        for mark, plain in _QUOTATION.items():  # several times as fast as str.translate
            text = text.replace(mark, plain)
    if not text.isascii():
        text = _bare(text)
        text = text.translate(_DRAWN) if _IS_DRAWN.search(text) else text
        if len(_IS_TURNED.findall(text)) > 2:
            text = "\n".join(map(_upright, text.split("\n")))
    return text.lower()


def _bare(text: str) -> str:
    """Text without invisible characters, stacked accents and width variants: "blöd" is "blod"."""
    return unicodedata.normalize("NFC", _HIDDEN.sub("", unicodedata.normalize("NFKD", text)))


def _upright(line: str) -> str:
    """The line, turned round if it is upside down."""
    turned = len(_IS_TURNED.findall(line)) > max(2, len(line) // 6)
    return line[::-1].translate(_TURNED) if turned else line


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


_MIXED = re.compile(r"\w*[a-z]\w*")
_LOOKS_LATIN = re.compile(rf"\b[{_ALIKE}]+\b")
_IS_DRAWN = re.compile(f"[{''.join(map(chr, _DRAWN))}]")
_RUN_OF_HAN = re.compile("[\u3400-\u9fff]")
_QUOTATION = dict(zip("‘’“”–—…", "''\"\"-- ", strict=True))
_HIDDEN = re.compile(
    "[\u00ad\u0300-\u036f\u0483-\u0489\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_MARKS = r"[*_~.\-/|\\()\[\]{}#@%$&+\U0001f300-\U0001faff]"
_MARKED = re.compile(rf"{_MARKS}(?<=[^\W_].){_MARKS}{{0,3}}[^\W_]")
_SPELT = re.compile(r" [^\W\d_] [^\W\d_](?![^\W_])")
_BROKEN = re.compile(  # letters with spaces between, or a word with marks between its parts
    rf"(?<![^\W_])(?:[^\W\d_](?: [^\W\d_]){{2,}}+(?![^\W_])|[^\W_]++(?:{_MARKS}{{1,4}}[^\W_]++)+)"
)
_LONG = re.compile(r"(?<![^\W_])[^\W\d_]{9,80}(?![^\W_])")


@cache
def _undisguise_han() -> tuple[re.Pattern[str], dict[str, str]]:
    lists = _read("zh_disguise")
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


@cache
def han_pattern() -> re.Pattern[str]:
    """Finds any listed word of Chinese, which has no spaces to tell words by; longest first."""
    words = sorted(load("zh").words, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, words)))


@cache
def han_group() -> re.Pattern[str]:
    """Finds words for groups of people in Chinese."""
    words = load("zh").words
    groups = sorted((w for w, kinds in words.items() if "group" in kinds), key=len, reverse=True)
    return re.compile("|".join(groups))


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
    return {name: frozenset(words.split()) for name, words in _read("en_disguise").items()}


@cache
def _rough_inside() -> re.Pattern[str]:
    return re.compile(_either(sorted(_disguised()["masked"])))


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
    hidden = _ROUGH | {"you"}
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
