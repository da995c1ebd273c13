"""Who wrote a line, a person or a program, and how a person disguises letters."""

from __future__ import annotations

import re

_TRACE = re.compile(
    r"^\s*(?:at\s+[\w$.<>/]+\s?\(.*\)|File \".*\", line \d+|Traceback \(most recent|"
    r"Caused by: [\w.$]+|\.\.\. \d+ more|#?\d+:?\s+0x[0-9a-fA-F]+|\[ *\d+\.\d+\]|"
    r"\W{0,2}\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d[\],.\s]|"
    r"(?:diff --git|@@ -\d|\+\+\+ [ab]/|--- [ab]/)|[\w.-]+@[\w.-]+:\S*[$#] )"
)
_LEVEL = re.compile(r"^\W{0,2}(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b\W")
_TECHNICAL = re.compile(r"\S/\S|\\|0x[0-9a-f]|\d{2}|\w_\w|[a-z][A-Z]|\w\.\w|[={}()<>\[\]]")
_STATEMENT = re.compile(r"^[^.!?]*[=({][^!?]*[;{}]\s*$|^\s*[{}()\[\]];?\s*$")
_PUNCTUATION = re.compile(r"[\x21-\x40\x5b-\x60\x7b-\x7e]")


def is_log(line: str) -> bool:
    """Whether a program wrote the line. People write figures for letters, or end with code."""
    head = line[:2000]
    if len(head) < 2:
        return False
    if _TRACE.match(head):
        return True
    if head.rstrip()[-1:] in "(){}[];" and _STATEMENT.match(head):
        return not _is_spoken(head)
    if _LEVEL.match(head):
        return bool(_TECHNICAL.search(head, 8)) and not _is_spoken(head)
    return len(head) >= 24 and "http" not in head and _is_figures(head) and not _is_spoken(head)


def _is_figures(line: str) -> bool:
    """Whether two in five characters are figures and signs, also without those in words."""
    most = 0.4 * len(line.replace(" ", ""))
    if not len(_PUNCTUATION.findall(line)) > most > 8:
        return False
    return len(_PUNCTUATION.findall(_WORD.sub("", _MARKS.sub("", line)))) > most


FIGURES = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "i",
    "+": "t",
    "#": "h",
}
"""Figures and signs, with the letters people write them for."""

_AS_LETTERS = str.maketrans({figure: letters[0] for figure, letters in FIGURES.items()})
_WORD = re.compile(  # figures and all, with a letter that no hexadecimal number has
    r"(?<!\S)(?!0x)(?=[0-9a-f@$!*#'+]{0,24}[g-z])[\w@$!*#'+]{1,24}(?=[.,;:!?]{0,3}(?:\s|$))"
    r"|[!?]{3,}",
    re.IGNORECASE,
)
_MARKS = re.compile(r"(?<=[^\W_])[*_~|./-]{1,4}(?=[^\W_])")
_FIGURED = re.compile(
    r"(?<!\S)(?:(?=[0-9@$!+#]{0,24}[^\W\d_])[\w@$!+#]{0,24}[0-9@$!+#][\w@$!+#]{0,24}|4)"
    r"(?=[.,;:!?]{0,3}(?:\s|$))"
)
_SPEECH = re.compile(
    r"(?<![\w.$@/-])(?:you|your|yours|you're|youre|u|ur|i|i'm|im|my|me|we|our|they|he|she|who|why|"
    r"what|how|are|am|don't|dont|can't|cant|the|up|du|ihr|ich|dein|bist|seid)(?![\w(=.:/-])|[你您我他她是的]"
)


def is_speech(line: str) -> bool:
    """Whether what is marked as code is words that people speak, and nothing else."""
    return bool(_PLAIN_WORDS.match(line)) and _is_spoken(line)


_PLAIN_WORDS = re.compile(r"\s*(?:[^\W\d_]+(?:['*][^\W\d_]*)*[.,!?…]*\s+){2,}[^\W\d_]+[.,!?…\s]*\Z")


def _is_spoken(line: str) -> bool:
    """Whether two different words stand in the line that people speak with and programs do not."""
    return len(set(_SPEECH.findall(lettered(line.lower())))) >= 2


def lettered(text: str) -> str:
    """Text without marks inside words, and figures in words as letters: "y0u id**iot**"."""
    return _FIGURED.sub(lambda word: word[0].translate(_AS_LETTERS), _MARKS.sub("", text))
