"""What a text is taken to pieces for: the same pieces by the quick way as by the plain one."""

import re
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classify import cues, features

WORDS = st.lists(st.text("aábß你🤡", min_size=1, max_size=42), max_size=5)


@given(WORDS)
def test_parts_are_hashed_as_if_each_stood_alone(words):
    of, hashes = features._parts(words)
    found = sorted(zip(of.tolist(), hashes.tolist(), strict=True))
    assert found == sorted(
        (place, crc32(edged[start : start + length].encode()))
        for place, edged in enumerate(f" {word} " for word in words)
        for length in (2, 3, 4, 5)
        for start in range(len(edged) - length + 1)
        if len(edged) < 42
    )


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1), st.text("ab -", max_size=12))
def test_a_list_of_words_finds_what_its_words_find_the_first_listed_first(words, text):
    plain = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")
    quick = re.compile(rf"(?<!\w)(?:{cues.either(words)})(?!\w)")
    assert quick.findall(text) == plain.findall(text)
    assert re.findall(cues.either(words), text) == re.findall("|".join(words), text)


@given(st.text("abcdefghijklmnopqrstuvwxyz", max_size=12))
def test_a_word_is_of_the_kinds_of_every_stem_it_begins_with(word):
    lists = cues.load("en")
    stems = [each for group in lists.stems.values() for each in group]
    by_stem = [kinds for stem, kinds in stems if word.startswith(stem)]
    assert lists.kinds(word) == lists.words.get(word, frozenset()).union(*by_stem)


AIMED = [
    "you are so incompetent",
    "are you kidding me ?",
    "please learn how to read",
    "nobody asked for your opinion",
    "your attitude is the problem",
    "this is utter garbage",
]
NOT_AIMED = [
    "you are right",
    "you are entitled to believe it",
    "i am so stupid",
    "if you are lazy use the short form",
    "the chars get lost here",
    "tell the linter to shut up",
    "i want to learn to code",
    "are you sure ?",
    "the garbage collector",
]


@pytest.mark.parametrize("words", AIMED)
def test_these_words_are_aimed_at_somebody(words):
    assert features.describe(words, "en").facts == (1, 0)


@pytest.mark.parametrize("words", NOT_AIMED)
def test_these_are_not(words):
    assert features.describe(words, "en").facts == (0, 0)


def test_a_curse_is_aimed_at_nobody_where_neither_you_nor_an_insult_is_near():
    text = "Damn, it broke. What the hell! You broke the damn build. Damn idiots."
    assert features.describe(text, "en").facts == (0, 2)


@pytest.mark.parametrize("said", ["what the **** is this", "@#$%! it broke", "oh %&$#!!"])
def test_a_masked_curse_is_vulgar(said):
    assert "vulgar" in features.spotted(said, "en")


@pytest.mark.parametrize("drawn", ["#" * 5, "%" * 20, "*" * 40, "$$$$", "==>"])
def test_a_row_of_one_mark_curses_nobody(drawn):
    assert "vulgar" not in features.spotted(f"see {drawn} below", "en")


@pytest.mark.parametrize(
    ("language", "text", "broken"),
    [
        ("en", 'In the mod he whispers "I know where you live". Great sound!', None),
        ("en", "I know where you live", "threatens_you"),
        ("de", "Er schrieb: „Ich weiß, wo dein Auto steht.“ Was tun?", None),
        ("de", "Ich weiß, wo dein Auto steht.", "threatens_you"),
        ("zh", "他私信我「我知道你家住哪」,怎么办?", None),
    ],
)
def test_a_rule_is_not_broken_by_what_is_quoted(language, text, broken):
    found = features.describe(text, language).broken
    assert (found and found[0]) == broken
