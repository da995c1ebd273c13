"""Text as a person sees it, whatever characters it is made of."""

from __future__ import annotations

import re
import unicodedata

_DRAWN = str.maketrans(  # letters drawn small, or in boxes, that Unicode does not call Latin
    dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
    | {chr(first + n): chr(97 + n) for first in (0x1F150, 0x1F170) for n in range(26)}
)
_TURNED = str.maketrans("ɐqɔpǝɟƃɥıɾʞɯuodbɹʇnʌʍʎ¡¿", "abcdefghijkmnopqrtuvwy!?")  # upside down
_IS_TURNED = re.compile("[ɐɔǝɟƃɥɾʞɯɹʇʌʍʎ]")
_IS_DRAWN = re.compile(f"[{''.join(map(chr, _DRAWN))}]")
_QUOTATION = dict(zip("‘’“”–—…", "''\"\"-- ", strict=True))
_HIDDEN = re.compile(
    "[\u00ad\u0300-\u036f\u0483-\u0489\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def readable(text: str) -> str:
    """Lower-case text, not upside down, without invisible characters, stacked accents and width
    variants."""
    if not text.isascii():
        for mark, plain in _QUOTATION.items():  # several times as fast as str.translate
            text = text.replace(mark, plain)
    if not text.isascii():
        text = bare(text)
        text = text.translate(_DRAWN) if _IS_DRAWN.search(text) else text
        if len(_IS_TURNED.findall(text)) > 2:
            text = "\n".join(map(_upright, text.split("\n")))
    return text.lower()


def bare(text: str) -> str:
    """Text without invisible characters, stacked accents and width variants: "blöd" is "blod"."""
    return unicodedata.normalize("NFC", _HIDDEN.sub("", unicodedata.normalize("NFKD", text)))


def _upright(line: str) -> str:
    """The line, turned round if it is upside down."""
    turned = len(_IS_TURNED.findall(line)) > max(2, len(line) // 6)
    return line[::-1].translate(_TURNED) if turned else line
