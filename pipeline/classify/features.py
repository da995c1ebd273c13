"""Numbers that describe a text: hashed words, pairs of words, parts of words, and cues.

One vector serves all questions asked of a text, so it is computed once. Hashing is CRC-32, which
gives the same numbers on every machine and in every process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, pairwise
from operator import attrgetter
from typing import Any
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix, hstack

from pipeline.classify import cues as lists
from pipeline.classify.disguise import hidden_han, joined, plain_han, undisguised
from pipeline.classify.readable import readable
from pipeline.lines import lettered
from pipeline.text import sentences

WORDS, PARTS, CUES = 2**17, 2**17, 2**12  # sizes of the three blocks of a vector
LONGEST = 20_000  # characters of one text that are read

_TOKEN = re.compile(  # words first, for they are most
    r"[^\W_](?:\*{2,}[^\W_]*|[^\W_]*+(?:['*@$!#+][^\W_]++)*+)|:[a-z0-9_+-]+:|[@#$%&*!]{4,}|[!?]+|"
    r"[\U0001F300-\U0001FAFF\u2600-\u27bf❤]"
)
# A curse in a comic's spelling, or all of it masked; a longer row of one mark is drawn, not said
_GRAWLIX = re.compile(r"(?!(.)\1+$)[@#$%&*][@#$%&*!]{3,}$|\*{4,8}$")


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a word by itself."""

    word: str
    cues: tuple[str, ...]
    is_disguised: bool = False


@lru_cache(maxsize=100_000)
def token(raw: str, language: str) -> Token:
    """The word behind `raw` and the kinds of cue it is."""
    if raw[0] in "!?":
        return Token(raw[:3], (raw[:3],))
    if _GRAWLIX.match(raw):
        return Token("#grawlix", ("vulgar",))
    word = undisguised(raw, language)
    kinds = lists.load(language).kinds(word)
    if "group" in kinds:  # who people are must not tell how they speak
        return Token("", ())
    return Token(word, tuple(sorted(kinds)), word != raw and bool(kinds))


@dataclass(frozen=True, slots=True)
class Described:
    """A text as a model sees it.

    words      in order; of Chinese, pairs of neighbouring characters
    cues       kinds of cues, and pairs of kinds that share a sentence
    facts      in how many sentences words are aimed at somebody, and in how many a curse at nobody;
               each 3 at most
    disguised  the words behind those spelt so as not to be noticed
    broken     the first rule it breaks and the words that break it; null if none
    """

    words: tuple[str, ...]
    cues: tuple[str, ...]
    facts: tuple[int, int] = (0, 0)
    disguised: tuple[str, ...] = ()
    broken: tuple[str, str] | None = None


def describe(text: str, language: str) -> Described:
    """A text taken to pieces. Text beyond LONGEST characters is not read."""
    found = _shape(text)
    tokens: list[Token] = []
    broken, aimed, at_nobody = None, 0, 0
    for sentence in sentences(_plain(text[:LONGEST], language)):
        here = _tokens(sentence, language)
        kinds = [kind for kind, _ in _hits(here, sentence, language)]
        found += kinds
        found += _sharing(frozenset(kinds))
        tokens += [t for t in here if t.word]
        at_nobody += "vulgar" in kinds and _SOMEBODY.isdisjoint(kinds)
        is_pointed = language == "zh" or not _POINTED.isdisjoint(kinds)
        if not is_pointed and not lists.names_somebody(sentence):
            continue
        spelt = sentence if language == "zh" else _spelt(here)
        aimed += language == "en" and is_pointed and lists.is_aimed(spelt)
        if broken is None:
            own = sentence if language == "zh" else lists.unquoted(sentence)
            if own != sentence:  # its words have lost their marks
                spelt = _spelt(_tokens(own, language))
            broken = lists.broken_rule(spelt, language)
    disguised = tuple(t.word for t in tokens if t.is_disguised)
    if language == "zh" and not _RULED.isdisjoint(found):
        disguised += hidden_han(readable(text[:LONGEST]))
    facts = min(aimed, 3), min(at_nobody, 3)
    return Described(tuple(t.word for t in tokens), tuple(found), facts, disguised, broken)


def _spelt(tokens: Sequence[Token]) -> str:
    """The words of a sentence as they are meant, without marks."""
    return " ".join(token.word for token in tokens)


@lru_cache(maxsize=10_000)
def _sharing(kinds: frozenset[str]) -> tuple[str, ...]:
    """Each two of these kinds, as one cue."""
    return tuple(f"{a} {b}" for a, b in combinations(sorted(kinds), 2))


_RULED = frozenset({"insult", "vulgar", "threat", "demand", "dismissive", "coarse", "bitter"})
# without these no rule is broken
_SOMEBODY = frozenset({"you", "insult"})
_POINTED = _RULED | {"you"}  # without these nothing is aimed at anybody


def calmed(text: str, described: Described) -> str | None:
    """An English text without its oaths, where all that is rough in it exclaims; else null."""
    if _CURSES.isdisjoint(described.cues):
        return None
    kept: list[str] = []
    for sentence in sentences(_plain(text[:LONGEST], "en")):
        here = _tokens(sentence, "en")
        kinds = {kind for kind, _ in _hits(here, sentence, "en")}
        words = " ".join(t.word for t in here)
        if kinds.isdisjoint(_CURSES | {"threat"}) and not lists.is_aimed(words):
            kept.append(sentence)
        elif all(map(_is_oath, here)) and lists.exclaims(words, kinds):
            kept.append(" ".join(t.word for t in here if _CURSES.isdisjoint(t.cues)))
        else:
            return None
    return "\n".join(kept)


_CURSES = frozenset({"vulgar", "insult"})


def _is_oath(token: Token) -> bool:
    """Whether a word is an oath, or does not curse."""
    return "vulgar" not in token.cues or "insult" in token.cues or lists.is_oath(token.word)


def spotted(sentence: str, language: str) -> dict[str, list[str]]:
    """Kinds of cues in a sentence, each with its words in order, none twice."""
    sentence = _plain(sentence, language)
    found: dict[str, list[str]] = {}
    for kind, words in _hits(_tokens(sentence, language), sentence, language):
        if words not in found.setdefault(kind, []):
            found[kind].append(words)
    return found


def _plain(text: str, language: str) -> str:
    text = readable(text)
    return plain_han(text) if language == "zh" else joined(text, language)


def _tokens(sentence: str, language: str) -> list[Token]:
    """Words; of Chinese each pair of neighbouring characters."""
    if language != "zh":
        raws = _TOKEN.findall(sentence)
        plain = [token(raw, language) for raw in raws]
        if not any(map(_IS_DISGUISED, plain)):
            return plain
        return [
            t if t.cues else token(lettered(raw), language)
            for t, raw in zip(plain, raws, strict=True)
        ]
    found: list[Token] = []
    for run in _RUN.finditer(lists.han_group().sub("", sentence)):
        if run[1]:
            edged = f"^{run[1]}$"
            found += [_han_token(edged[at : at + 2]) for at in range(len(edged) - 1)]
        else:
            found += [token(raw, "en") for raw in _TOKEN.findall(run[0])]
    return found


_IS_DISGUISED = attrgetter("is_disguised")


@lru_cache(maxsize=200_000)
def _han_token(pair: str) -> Token:
    return Token(pair, ())


def _hits(tokens: list[Token], sentence: str, language: str) -> list[tuple[str, str]]:
    """Cues found: (kind, words)."""
    found = [(kind, t.word) for t in tokens if t.cues for kind in t.cues]
    cues = lists.load(language)
    if language == "zh":
        for hit in lists.han_pattern().finditer(sentence):
            kinds = cues.words[hit[0]] - {"group"}
            found += [(kind, hit[0]) for kind in sorted(kinds)]
        return found
    words = [t.word for t in tokens]
    phrases = cues.phrases
    if phrases.keys().isdisjoint(words):
        return found
    for at in [at for at, word in enumerate(words) if word in phrases]:
        for parts, kind in phrases[words[at]]:
            if tuple(words[at : at + len(parts)]) == parts:
                found.append((kind, " ".join(parts)))
    return found


_RUN = re.compile(r"([\u3400-\u9fff]+)|[^\u3400-\u9fff]+")


def _shape(text: str) -> list[str]:
    """How a text looks: its length, and whether it shouts."""
    head = text[:LONGEST]
    upper = filter(str.isupper, head.split())
    shouted = sum(len(word) > 3 and word.isalpha() for word in upper)
    return [f"length {len(head).bit_length()}"] + ["shouting"] * (shouted >= 3)


def vectors(described: Sequence[Described], idf: Any = None) -> Any:
    """One sparse row per text (WORDS + PARTS + CUES columns), each block of unit length.

    `idf` weighs columns by rarity; without it every column counts alike.
    """
    cues = _counts([[_hash(cue) for cue in d.cues] for d in described], CUES)
    blocks = (*_word_blocks(described), cues)
    start = 0
    for block in blocks:
        block.data = 1 + np.log(block.data)
        if idf is not None:
            block.data *= idf[start + block.indices]
        rows = np.repeat(np.arange(len(described)), np.diff(block.indptr))
        lengths = np.sqrt(np.bincount(rows, block.data**2, len(described)))
        block.data /= np.maximum(lengths, 1e-9)[rows]
        start += block.shape[1]
    return hstack(blocks, format="csr")


def facts(described: Sequence[Described]) -> Any:
    """One row per text of what is known of it as a whole."""
    return np.array([d.facts for d in described], float).reshape(len(described), -1)


def rarity(described: Sequence[Described]) -> Any:
    """Inverse document frequency of every column; 0 for a column seen in fewer than two texts."""
    seen = vectors(described)
    count = np.bincount(seen.indices, minlength=seen.shape[1])
    idf = np.log((1 + len(described)) / (1 + count)) + 1
    return np.where(count >= 2, idf, 0.0).astype(np.float32)


def pair_column(first: int, second: int) -> int:
    """Column of two neighbouring words, from their hashes."""
    return ((first * _MIX + second) & 0xFFFFFFFF) % WORDS


_MIX = 0x9E3779B1


def _word_blocks(described: Sequence[Described]) -> tuple[Any, Any]:
    """Counts of words and pairs of words, and of the parts (2 to 5 characters) of words."""
    # Sorted, or the order in which a text's numbers are added up would depend on the texts beside
    place = {word: n for n, word in enumerate(sorted({w for d in described for w in d.words}))}
    rows = [[place[word] for word in d.words] for d in described]
    hashes = np.fromiter((_hash(word) for word in place), np.uint64, len(place))
    texts = _counts(rows, max(1, len(place)))
    columns = (hashes % WORDS)[texts.indices]
    words = csr_matrix((texts.data, columns, texts.indptr), (len(rows), WORDS), copy=True)
    words.sum_duplicates()
    of, part = _parts(list(place))
    ones = np.ones(len(of), np.float32)
    parts = csr_matrix((ones, (of, part % PARTS)), (max(1, len(place)), PARTS))
    return words + _pairs(rows, hashes), texts @ parts


def _pairs(rows: Sequence[Sequence[int]], hashes: Any) -> Any:
    """Counts of two neighbouring words in rows of word numbers."""
    h = hashes[np.fromiter(chain.from_iterable(rows), np.int64, sum(map(len, rows)))]
    columns = ((h[:-1] * _MIX + h[1:]) & 0xFFFFFFFF) % WORDS
    lengths = np.array([len(row) for row in rows], np.int64)
    ends = np.cumsum(lengths)
    inside = np.ones(len(columns), bool)
    inside[ends[(ends > 0) & (ends <= len(columns))] - 1] = False  # not from row to row
    starts = np.concatenate([[0], np.cumsum(np.maximum(lengths - 1, 0))])
    return _summed(columns[inside].astype(np.int64), starts, WORDS)


@lru_cache(maxsize=500_000)
def _hash(feature: str) -> int:
    return crc32(feature.encode())


def _parts(words: Sequence[str]) -> tuple[Any, Any]:
    """The parts (2 to 5 characters) of words: of which word each is, and its hash.

    All grow at once, byte by byte: the CRC-32 of a part goes on from that of a shorter one.
    """
    edged = [f" {word} ".encode() if len(word) < 40 else b"" for word in words]
    lengths = [len(each) for each in edged]
    raw = np.frombuffer(b"".join(edged), np.uint8)
    is_edge = np.append((raw & 0xC0) != 0x80, True)  # a character begins here
    at = np.flatnonzero(is_edge[:-1])
    of = np.repeat(np.arange(len(words)), lengths)[at]
    left = np.cumsum(lengths)[of] - at
    state, characters = np.full(len(at), 0xFFFFFFFF, np.uint32), np.zeros(len(at), np.int8)
    places, hashes = [of[:0]], [state[:0]]
    while len(at):
        state = _CRC[(state ^ raw[at]) & 0xFF] ^ (state >> 8)
        at, left = at + 1, left - 1
        characters = characters + is_edge[at]
        is_part = is_edge[at] & (characters >= 2)
        places.append(of[is_part])
        hashes.append(~state[is_part])
        on = (left > 0) & (characters < 5)
        at, of, left, state, characters = (each[on] for each in (at, of, left, state, characters))
    return np.concatenate(places), np.concatenate(hashes)


_CRC = np.array([crc32(bytes([n ^ 0xFF])) for n in range(256)], np.uint32) ^ 0xFF000000


def _counts(columns: Sequence[Any], size: int) -> Any:
    """Rows of counts; a column number may exceed `size` and wraps."""
    ends = np.cumsum([0, *(len(c) for c in columns)])
    indices = np.fromiter(chain.from_iterable(columns), np.int64, int(ends[-1])) % size
    return _summed(indices, ends, size)


def _summed(indices: Any, ends: Any, size: int) -> Any:
    """A matrix that counts each column of each row; `ends` tells the rows apart."""
    shape = (len(ends) - 1, size)
    matrix = csr_matrix((np.ones(len(indices), np.float32), indices, ends), shape)
    matrix.sum_duplicates()
    return matrix


def word_weights(described: Described, idf: Any, weights: Any) -> dict[str, float]:
    """How much each word of a text raises its linear score, by itself, its pairs and its parts.

    Comparable within one text only.
    """
    words = described.words
    hashes = [_hash(word) for word in words]
    of, part = _parts(words)
    found: dict[str, float] = {}
    for at, word in enumerate(words):
        around = hashes[max(0, at - 1) : at + 2]
        columns = [pair_column(a, b) for a, b in pairwise(around)]
        columns.append(hashes[at] % WORDS)
        columns += (WORDS + part[of == at] % PARTS).tolist()
        found[word] = found.get(word, 0.0) + float((idf[columns] * weights[columns]).sum())
    return found
