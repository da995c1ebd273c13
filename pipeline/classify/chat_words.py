"""Words that tell what a chat message does, by language: thanks, a short answer, a greeting."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from pipeline.classify import cues


class Words(NamedTuple):
    """Patterns over lower-case text. `short` and `greets` match what it begins with; `longer` finds
    the words that may tell what it is about, `common` are those of them that do not."""

    thanks: re.Pattern[str]
    short: re.Pattern[str]
    greets: re.Pattern[str]
    longer: re.Pattern[str]
    common: frozenset[str]


@cache
def words(language: str | None) -> Words:
    """Of German ("de"), or of English and Chinese."""
    thanks = cues.patterns("replies", language)["thanks"]
    if language == "de":
        return Words(thanks, _SHORT_DE, _GREETS_DE, _LONGER_DE, COMMON | _COMMON_DE)
    return Words(thanks, _SHORT, _GREETS, _LONGER, COMMON)


_GREETS = re.compile(r"\W*(?:hi|hey|hello|howdy|greetings|(?:good )?(?:morning|evening))\b")
_SHORT = re.compile(
    r"\W*(?:yes|yeah|yep|yup|no|nope|ok|okay|ah|oh|hm+|lol|sure|right|what|well|so|but|and|then|it)\b"
    r"|\W*(?:是|对|好|嗯|可以|不|没|哦|啊|那|但)"
)
_LONGER = re.compile(r"[a-z0-9][a-z0-9.+_-]{3,}|[\u3400-\u9fff]{2}")
COMMON = frozenset(
    """that this with have from what when does anyone there your just like some want need know
    using about would could should into then they them because will cant dont im it's help here
    nick user ubuntu linux root desktop please""".split()  # noqa: SIM905
)

_GREETS_DE = re.compile(
    r"\W*(?:hi|hey|hallo|moin|servus|grüezi|grüß\w*|(?:guten )?(?:morgen|tag|abend))\b"
)
_SHORT_DE = re.compile(
    r"\W*(?:ja|jo|jep|jup|nein|nö|nee|ne|doch|ok|okay|ah|ach|achso|aha|oh|hm+|lol|klar|genau|stimmt"
    r"|was|naja|also|so|aber|und|dann|das|es)\b"
)
_LONGER_DE = re.compile(r"[a-z0-9äöüß][a-z0-9äöüß.+_-]{3,}")
_COMMON_DE = frozenset(
    """aber auch beim dann danke dass dein deine doch eine einem einen einer geht hallo habe haben
    hier hilfe immer jemand jetzt kann könnte mein meine mich mehr nach nicht nichts noch oder schon
    sein seit sich sind wenn weil wieder wird würde über""".split()  # noqa: SIM905
)
