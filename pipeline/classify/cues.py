"""Words and phrases that carry tone.

The lists are `cues/<language>.toml`: kind -> words. They are features of a model and the words of
its reasons; no list decides alone. Beside them lie how words are aimed at somebody (`aimed.toml`, a
number that a model weighs), curses aimed at nobody (`exclaimed.toml`) and the plain rules that
stand outside every model (`rules.toml`).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.classify.readable import bare

_LISTS = Path(__file__).parent / "cues"
_ENTRY = re.compile(r'"([^"]+)"|(\S+)')
ROUGH = frozenset({"vulgar", "insult", "dismissive", "threat", "coarse"})  # what people disguise


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
        """Whether the word is one that people disguise."""
        return not ROUGH.isdisjoint(self.kinds(word))


def read(name: str) -> dict[str, Any]:
    """What `cues/<name>.toml` says."""
    return tomllib.loads((_LISTS / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def load(language: str) -> Cues:
    """The cue lists of a language that has them."""
    words: dict[str, frozenset[str]] = {}
    stems: dict[str, frozenset[str]] = {}
    phrases: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {}
    for kind, text in read(language).items():
        for entry in _ENTRY.finditer(bare(text)):
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
            rf"(?<!\w)(?:{either([*map(_close, words['de']), *words['en']])})(?!\w)"
            if language == "de"
            else rf"(?<!\w)(?:{either(words['en'])})(?!\w)|{either(words['zh'])}",
            re.IGNORECASE,
        )
        for kind, words in read(name).items()
    }


def _close(entry: str) -> str:
    return entry.replace(" … ", "…")  # what stands there may also be one space


def either(words: Sequence[str]) -> str:
    """The pattern "a|b|c" with common beginnings said once: it finds the same, several times as
    fast. Where one word begins another, the first of them is still tried first."""
    if not any(words):
        return ""
    if "" in words:
        at = words.index("")
        parts = (words[:at], [""], [word for word in words[at + 1 :] if word])
        return "|".join(either(part) for part in parts if part)
    ends: dict[str, list[str]] = {}
    for word in words:
        ends.setdefault(word[0], []).append(word[1:])
    return "|".join(
        f"{_SIGN.get(first) or re.escape(first)}(?:{either(rest)})" for first, rest in ends.items()
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
    lists = read("rules")
    names = either(lists.pop("names")[language].split())
    found = {}
    for name, written in lists.items():
        rule = "|".join(written[language].strip().split("\n")).replace("{names}", f"(?:{names})")
        # what is searched has no dots
        found[name] = re.compile(bare(rule) if language == "de" else rule)
    return found


@cache
def _aims() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{aim})" for aim in read("aimed").values()))


def is_aimed(words: str) -> bool:
    """Whether plain English words call, tell off or belittle somebody, or what they do."""
    return bool(_aims().search(words))


@cache
def _exclaimed() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(pattern) for name, pattern in read("exclaimed").items()}


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


_ABSENT = re.compile(
    r"\b(?:him|his|her|them|their|urself|urselves|ihm|ihn|sein\w*|ihre?)\b", re.IGNORECASE
)


def names_somebody(sentence: str) -> bool:
    """Whether an English or German sentence speaks of somebody by a word that no list has: one who
    is not addressed, or "urself"."""
    return bool(_ABSENT.search(sentence))


_SPARED = re.compile(
    r"\b(?:if|whether|suppose|imagine|not|n't|don't|dont|never|call(?:ed|ing)?|"
    r"says?|said|wrote|writes?|words?|phrase|told (?:me|us|him|her|them)|feel|like an?|i'm|am i|me|"
    r"wenn|falls|sagte?|gesagt|schrieb|schreibt|nannte|nennt|genannt|wort)\b|"
    r"(?<![是怕莫])不是|别说|如果|说我|说自己|骂[我他她]|骂编剧|叫我|喊我|说你|写道|词"
)
_QUOTED = re.compile(  # one that goes on in the next sentence lacks its end
    r'[„"][^„"]*"|»[^»«]*«|«[^»«]*»|「[^」]*」|『[^』]*』|(?<=[\s:(])[„"](?=\w)[^„"]*$'
)


def unquoted(sentence: str) -> str:
    """A sentence without what stands in quotation marks; as it is where nothing else is left."""
    said = _QUOTED.sub(lambda quoted: '"' * len(quoted[0]), sentence)
    return said if any(map(str.isalpha, said)) else sentence


def broken_rule(sentence: str, language: str) -> tuple[str, str] | None:
    """The first rule that a plain sentence breaks and the words that break it; null if none. What
    stands in quotation marks beside other words is told, not said."""
    said = unquoted(sentence)
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
