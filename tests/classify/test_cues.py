"""Word lists against hostile text."""

import re

import pytest

from pipeline.classify import cues

PATTERNS = {
    **{
        f"rules/{language}/{name}": one
        for language in ("de", "en", "zh")
        for name, one in cues._rules(language).items()
    },
    **{
        f"{name}/{part}": one
        for name in ("replies", "asking", "nothing")
        for part, one in cues.patterns(name).items()
    },
    **{f"exclaimed/{name}": one for name, one in cues._exclaimed().items()},
    "aimed": cues._aims(),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_word_said_over_and_over_is_read_in_one_way(name):
    """Of a word that fits two of its choices, one after the other, a pattern tries each way to read a
    row of them: twice as many with every word more. Forty would not end."""
    pattern = PATTERNS[name]
    words = set(
        re.findall(r"[a-z']+|[\u4e00-\u9fff]+", re.sub(r"\\[a-zA-Z]", " ", pattern.pattern))
    )
    for word in sorted(words | {"really", "only", "very", "真"}):
        for said in (f"{word} " * 40, word * 40):
            for opening in ("you are ", "you ", "are you ", "i'm ", "你", ""):
                pattern.search(f"{opening}{said}!")
