"""Does a thread's first message need an answer?

Evidence is counted, not learned: no free set of forum openings with their purpose exists to learn
from, and the words people ask with are few. The weights are round numbers; a question mark is
weak evidence, since a fifth to a third of chat questions have none.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

from pipeline.classify import cues
from pipeline.classify.message import Reason
from pipeline.classify.readable import readable
from pipeline.text import Authored, sentences

THRESHOLD = 0.5
LANGUAGES = frozenset({"de", "en", "zh"})  # of its word lists; what it says of others means nothing

# (cue, what it adds in the title, what it adds in the text, how often it counts in the text)
_WEIGHTS = {
    "asks": (2.0, 1.2, 2),
    "opens": (1.5, 0.6, 1),
    "trouble": (1.4, 0.6, 2),
    "begs": (2.0, 1.6, 1),
    "mark": (1.5, 0.7, 2),
    "shows": (-1.6, -1.1, 2),
    "tells": (-1.6, -0.8, 1),
}
_START = -1.2
_WITH_CODE = 0.5


def needs_answer(
    title: str, message: Authored, language: str | None = None
) -> tuple[float, tuple[Reason, ...]]:
    """0 to 1, with the reasons that speak for it, strongest first, by the words of a language.

    What names nothing ("anyone here?", "and which one?") and shows nothing either asks for nothing
    that somebody could answer who was not there, and scores 0.
    """
    text = message.text
    shows = message.code or message.links or message.quotes
    if not shows and not names_something(f"{title}\n{text}", language):
        return 0.0, (Reason("names_nothing"),)
    total, weighed = _START, []
    for cue, found, weight in _evidence(title, text, language):
        total += weight
        weighed.append((weight, cue, found))
    if message.code:
        total += _WITH_CODE
        weighed.append((_WITH_CODE, "with_code", ""))
    weighed.sort(key=lambda w: -w[0])
    reasons = tuple(
        Reason(cue, {"words": found} if found else {})
        for weight, cue, found in weighed
        if weight > 0
    )
    return 1 / (1 + math.exp(-total)), reasons


def asks(sentence: str, language: str | None = None) -> bool:
    """True if the sentence itself asks for something."""
    return any(_patterns(language)[cue].search(sentence) for cue in ("asks", "mark", "begs"))


def reports_trouble(text: str, language: str | None = None) -> bool:
    """True if a text says that something does not work."""
    return bool(_patterns(language)["trouble"].search(text))


def shows_error(message: Authored) -> bool:
    """True if its code holds what a program says when it fails."""
    return any(_ERROR.search(piece) for piece in message.code)


def opens(text: str, language: str | None = None) -> bool:
    """True if a text begins like a question, after a greeting or without."""
    return bool(_patterns(language)["opens"].match(_HAIL.sub("", text)))


def names_something(text: str, language: str | None = None) -> bool:
    """False of a greeting, or of words that live from what was said before them."""
    if len(text) > _LONG:
        return True
    whole = _SHORTENED.sub("", readable(text))
    nothing = cues.patterns("nothing", language)["names_nothing"]
    return bool(_WORD.search(nothing.sub("", whole)))


def _evidence(title: str, text: str, language: str | None) -> Iterator[tuple[str, str, float]]:
    """Each cue found, with its words and weight; in the title before the text."""
    parts = sentences(text[:2000])
    for cue, (in_title, in_text, most) in _WEIGHTS.items():
        pattern = _patterns(language)[cue]
        if found := pattern.search(title):
            yield cue, found[0].strip(), in_title
        hits = [*islice(filter(None, map(pattern.search, parts)), most)]
        if hits:
            yield cue, hits[0][0].strip(), in_text * len(hits)


@cache
def _patterns(language: str | None) -> dict[str, re.Pattern[str]]:
    found = dict(cues.patterns("asking", language))
    begins = _HAIL.pattern if language == "de" else r"^\W*"
    found["opens"] = re.compile(rf"{begins}(?:{found['opens'].pattern})", re.IGNORECASE)
    return {**found, "mark": re.compile(r"[?？](?=\W*$|\s)")}


_ERROR = re.compile(  # at the beginning of a line, where no program quotes it
    r"^[^\"'`(){};=\n]{0,80}?(?:\b\w*(?:error|exception|panic|fatal)\w*"
    r"(?:\[\w+\]|\([^)\n]*\)|\s+\w{0,8}\d+)?\s*[:!](?!:)|\b(?:traceback|failed|failure|cannot|"
    r"can['’]t|could not|couldn['’]t|unable to|no such|not found|denied|refused|"
    r"undefined reference|unresolved|timed? ?out|segmentation fault|segfault|core dumped|"
    r"aborted)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_LONG = 200  # characters in which somebody names something
_SHORTENED = re.compile(r"(?<=\w)'(?:s|re|ve|ll|d|m)\b")  # "who'd" is "who"
_WORD = re.compile(r"[^\W_]")
_HAIL = re.compile(
    r"^\W*(?:(?:hi|hello|hey|all|guys|everyone|everybody|folks|please|ok|so|"
    r"hallo|moin|servus|grüezi|guten (?:morgen|tag|abend)|zusammen|leute|bitte)\W+)*",
    re.IGNORECASE,
)


@cache
def version() -> str:
    """8 hex digits of the weights."""
    content = repr((_WEIGHTS, _START, _WITH_CODE, THRESHOLD))
    return hashlib.sha256(content.encode()).hexdigest()[:8]
