"""Does a thread's first message need an answer?

Evidence is counted, not learned: no free set of forum openings with their purpose exists to learn
from, and the words people ask with are few. The weights are round numbers; a question mark is
weak evidence, since a fifth to a third of chat questions have none.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from pipeline.classify import cues
from pipeline.classify.message import Reason
from pipeline.classify.readable import readable
from pipeline.text import Authored, sentences

THRESHOLD = 0.5
LANGUAGES = frozenset({"de", "en", "zh"})  # of its word lists; what it says of others means nothing
OWN = re.compile(  # who speaks of themselves
    r"\b(?:i|i['’](?:m|ve|d|ll)|me|my|mine|we|we['’](?:re|ve|d|ll)|us|our|ours|ich|mir|mich|mein\w*|"
    r"wir|uns|unser\w*)\b|我|咱|俺",
    re.IGNORECASE,
)

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

# Of an opening with a title, by its build and by small closed classes of words.
_BUILT = {
    "with_error": 0.8,  # beside _WITH_CODE
    "reports": 1.4,
    "teaches": -4.0,
    "polls": -9.0,
}


def needs_answer(
    title: str, message: Authored, language: str | None = None, *, polls: bool = False
) -> tuple[float, tuple[Reason, ...]]:
    """0 to 1, with the reasons that speak for it, strongest first, by the words of a language.
    `polls` says that it holds a poll.

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
    for built in _built(title, message, language, polls) if title else ():
        total += _BUILT[built]
        weighed.append((_BUILT[built], built, ""))
    weighed.sort(key=lambda w: -w[0])
    reasons = tuple(
        Reason(cue, {"words": found} if found else {})
        for weight, cue, found in weighed
        if weight > 0
    )
    return 1 / (1 + math.exp(-total)), reasons


def _built(title: str, message: Authored, language: str | None, polls: bool) -> Iterator[str]:
    """What an opening is by its build, as names of _BUILT. In a flat channel, where nothing has a
    title, too much else is short and negative."""
    if polls:
        yield "polls"
    if _teaches(title, message, language):
        yield "teaches"
    if shows_error(message):
        yield "with_error"
    if _reports(title, message, language):
        yield "reports"


def _teaches(title: str, message: Authored, language: str | None) -> bool:
    """Whether a title announces what its text explains: a guide, how somebody did it, or how to,
    where the text neither asks nor speaks of its writer."""
    if _MARK.search(title):
        return False
    if _GUIDE.search(title) or _HOW_I.match(title):
        return True
    return bool(
        _HOW_TO.search(title)
        and len(message.text) > _EXPLAINS
        and not OWN.search(message.text)
        and not any(asks(sentence, language) for sentence in sentences(message.text[:2000]))
    )


def _reports(title: str, message: Authored, language: str | None) -> bool:
    """Whether a short text without links says what does not go, and of whose or since when."""
    text = f"{title}\n{message.text}"
    if len(message.text) > _REPORTS or message.links:
        return False
    if any(_patterns(language)[cue].search(text) for cue in ("shows", "tells")):
        return False
    return bool(_NOT.search(text) and (OWN.search(message.text) or _WHEN.search(text)))


def asks(sentence: str, language: str | None = None) -> bool:
    """True if the sentence itself asks for something."""
    return any(_patterns(language)[cue].search(sentence) for cue in ("asks", "mark", "begs"))


def reports_trouble(text: str, language: str | None = None) -> bool:
    """True if a text says that something does not work."""
    return bool(_patterns(language)["trouble"].search(text))


def shows_error(message: Authored) -> bool:
    """True if its code holds what a program says when it fails."""
    return any(_ERROR.search(piece) for piece in message.code)


def words_in(text: str) -> int:
    """How many words a text has; of Chinese, two characters count as one."""
    return len(_WORD.findall(text))


def opens(text: str, language: str | None = None) -> bool:
    """True if a text begins like a question, after a greeting or without."""
    return bool(_patterns(language)["opens"].match(_HAIL.sub("", text)))


def names_something(text: str, language: str | None = None) -> bool:
    """False of a greeting, or of words that live from what was said before them."""
    if len(text) > _LONG:
        return True
    whole = _SHORTENED.sub("", readable(text))
    nothing = cues.patterns("nothing", language)["names_nothing"]
    return bool(_LETTER.search(nothing.sub("", whole)))


def _evidence(title: str, text: str, language: str | None) -> Iterator[tuple[str, str, float]]:
    """Each cue found, with its words and weight; in the title before the text."""
    parts = sentences(text[:2000])
    if title and not _MARK.search(title):
        parts = [part for n, part in enumerate(parts) if not _is_answered(parts, n, language)]
    for cue, (in_title, in_text, most) in _WEIGHTS.items():
        pattern = _patterns(language)[cue]
        if found := pattern.search(title):
            yield cue, found[0].strip(), in_title
        hits = [*islice(filter(None, map(pattern.search, parts)), most)]
        if hits:
            yield cue, hits[0][0].strip(), in_text * len(hits)


def _is_answered(parts: Sequence[str], at: int, language: str | None) -> bool:
    """Whether a sentence is a question in a few words that its writer answers at once ("Questions?
    Reply here."), not one that asks in so many words, or goes on with who asks."""
    here, after = parts[at], next(iter(parts[at + 1 :]), "")
    if not _MARK.search(here) or words_in(here) > _FEW:
        return False
    if not after or _MARK.search(after) or _OWN_OR_THANKS.match(after):
        return False
    return not any(_patterns(language)[cue].search(here) for cue in ("asks", "begs"))


@cache
def _patterns(language: str | None) -> dict[str, re.Pattern[str]]:
    found = dict(cues.patterns("asking", language))
    begins = _HAIL.pattern if language == "de" else r"^\W*"
    found["opens"] = re.compile(rf"{begins}(?:{found['opens'].pattern})", re.IGNORECASE)
    return {**found, "mark": re.compile(r"[?？](?=\W*$|\s)")}


_ERROR = re.compile(  # at the beginning of a line, where no program quotes it
    r"^[^\"'`(){};=\n]{0,80}?(?:\b\w*(?:error|exception|panic|fatal)\w*"
    r"(?:\[\w+\]|\([^)\n]*\)|\s+\w{0,8}\d+)?\s*[:!](?!:)|\b(?:traceback|panicked|"
    r"\w+(?:error|exception) (?:at|in|on)|failed|failure|cannot|can['’]t|could not|couldn['’]t|"
    r"unable to|no such|not found|denied|refused|undefined reference|unresolved|timed? ?out|"
    r"segmentation fault|segfault|core dumped|aborted)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_LONG = 200  # characters in which somebody names something
_SHORTENED = re.compile(r"(?<=\w)'(?:s|re|ve|ll|d|m)\b")  # "who'd" is "who"
_LETTER = re.compile(r"[^\W_]")
_MARK = re.compile(r"[?？]")
_WORD = re.compile(r"[\u3400-\u9fff]{1,2}|[^\W_\u3400-\u9fff]+(?:['’]\w+)?")
_FEW = 3  # words
_EXPLAINS = 60  # characters beyond which a text may be what its title announces
_REPORTS = 400  # characters beyond which a text says "not" and "since" whatever it is
_OWN_OR_THANKS = re.compile(rf"\W*(?:{OWN.pattern}|thanks?\b|thx\b|danke\b|谢)", re.IGNORECASE)
_NOT = re.compile(
    r"\b\w+n['’]t\b|\b(?:not|never|nothing|none|no|cannot|without|nicht|nichts|nie|kein\w*|ohne)\b"
    r"|不|没|无",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:since|after|whenever|when|until|before|but|although|though|even|only|instead|again|"
    r"already|still|every time|seit|nach|wenn|obwohl|aber|trotzdem|nur|immer|erst|schon)\b"
    r"|自从|以后|之后|一直|总是|但|只有|的时候|就",
    re.IGNORECASE,
)
_GUIDE = re.compile(
    r"^\W*(?:(?:guide|tips?|psa|tutorial|how-?to|walkthrough|write-?up|anleitung|tipps?)\b"
    r"(?=\W*[:：–—|-]|\s+(?:to|for|on|zu|für|zum|zur)\b)|(?:教程|指南|攻略)\W)"
    r"|[(（\[【](?:guide|tutorial|how-?to|anleitung|教程|完整版|指南)[)）\]】]",
    re.IGNORECASE,
)
_HOW_I = re.compile(
    r"\W*(?:(?:how|why) (?:i|we) (?!(?:can|could|should|would|do|may|might|must|will|to|am|are|"
    r"have to|need)\b)\w|(?:wie|warum|weshalb) (?:ich|wir)\b|"
    r"(?:我|我们)(?:是)?(?:如何|怎么|怎样|为什么)|(?:为什么|为何)我)",
    re.IGNORECASE,
)
_HOW_TO = re.compile(
    r"\bhow to\b|\bwhat to do (?:when|if)\b|^\W*(?:so )?wie man\b|如何|怎样|怎么", re.IGNORECASE
)
_HAIL = re.compile(
    r"^\W*(?:(?:hi|hello|hey|all|guys|everyone|everybody|folks|please|ok|so|"
    r"hallo|moin|servus|grüezi|guten (?:morgen|tag|abend)|zusammen|leute|bitte)\W+)*",
    re.IGNORECASE,
)


@cache
def version() -> str:
    """8 hex digits of the weights."""
    content = repr((_WEIGHTS, _START, _WITH_CODE, _BUILT, THRESHOLD))
    return hashlib.sha256(content.encode()).hexdigest()[:8]
