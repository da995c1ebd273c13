"""What one reply says of its question: that it is settled, that it goes on, or nothing at all.

Words alone mislead here: thanks come before new trouble as often as after the end of the old one,
and "same" stands in answers too. So the order of words counts, who speaks, what they show, and
small closed classes of words (I, it, not, but) beside the lists of `cues/replies.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.classify import cues
from pipeline.classify.message import Message
from pipeline.classify.questions import OWN, reports_trouble, shows_error, words_in
from pipeline.text import Authored, authored, sentences

_SHORT = 160  # characters beyond which a reply is more than "same here"
_CALM = 140  # characters beyond which an asker's last word is more than a farewell
_FORMAL = 300  # characters of what is said to everybody who asks


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with what its words say, read in the language of its thread's opening."""

    message: Message
    parts: Authored
    is_asker: bool
    language: str | None
    says: frozenset[str]

    @property
    def asks(self) -> bool:
        return "?" in self.parts.text or "？" in self.parts.text

    @property
    def shows(self) -> bool:
        """True if it shows code, or a link other than to a member."""
        return bool(self.parts.code) or any("/u/" not in link for link in self.parts.links)


def read(message: Message, language: str | None, *, is_asker: bool) -> Reply:
    """A message as a reply to a question of this language."""
    parts = authored(message.body, message.form)
    return Reply(message, parts, is_asker, language, says(parts.text, language))


def says(text: str, language: str | None) -> frozenset[str]:
    """Kinds of `cues/replies.toml` that the beginning of a text has words of."""
    head, said = text[:3000], cues.patterns("replies", language)
    return frozenset(kind for kind, pattern in said.items() if pattern.search(head))


# --- what the asker says -------------------------------------------------------------------------


def solving(reply: Reply) -> str | None:
    """The sentence that says the problem is solved; null if none does, or the reply goes on to new
    trouble or ends with another question."""
    parts = sentences(reply.parts.text)
    if "anew" in reply.says or (parts and _ASKING.search(parts[-1])):
        return None
    for sentence, rest in _good_news(reply):
        if not _ASKING.search(sentence) and not _turns(rest, _BUT_OR_EXCEPT):
            return sentence
    return None


def has_good_news(reply: Reply) -> bool:
    """Whether a sentence has words of a solution, whatever stands around it."""
    return any(_good_news(reply))


def _good_news(reply: Reply) -> Iterator[tuple[str, str]]:
    """Each sentence with words of a solution, and what follows these in it."""
    solved = cues.patterns("replies", reply.language)["solved"]
    for sentence in sentences(reply.parts.text):
        found = solved.search(sentence)
        if not found or sentence.endswith(("?", "？")):
            continue
        if "unsolved" not in says(sentence, reply.language):
            yield sentence, sentence[found.end() :]


def thanks(reply: Reply) -> bool:
    """Whether a reply thanks for help, and for nothing less: neither beforehand, nor before new
    trouble."""
    if "thanks" not in reply.says or "unsolved" in reply.says or reply.asks:
        return False
    return not _has_new_trouble(reply)


def goes_on(reply: Reply) -> bool:
    """Whether an asker who seemed to be helped says that they are not: by a question, by what still
    does not work, or by new trouble."""
    if solving(reply) or thanks(reply):
        return False
    if "thanks" in reply.says:
        return _has_new_trouble(reply)
    unsolved = not {"unsolved", "anew"}.isdisjoint(reply.says)
    return reply.asks or unsolved or _is_not_so(reply.parts.text)


def rests(reply: Reply) -> bool:
    """Whether an asker's last word waits for nobody: short, calm, and without a question ("I'll try
    that on Monday")."""
    text = reply.parts.text
    if reply.asks or reply.parts.code or not _has_letters(text) or len(text) >= _CALM:
        return False
    if not {"unsolved", "anew", "me_too", "waits"}.isdisjoint(reply.says):
        return False
    return not _NEGATION.search(text) and not reports_trouble(text, reply.language)


def _has_new_trouble(reply: Reply) -> bool:
    text = reply.parts.text
    if "anew" in reply.says or shows_error(reply.parts):
        return True
    if _is_not_so(text):
        return True
    thanked = cues.patterns("replies", reply.language)["thanks"].search(text)
    return bool(thanked and _turns(text[thanked.end() :], _BUT))


def _is_not_so(text: str) -> bool:
    """Whether a short text says of a thing, not of its writer, that it is or does not."""
    return len(text) < _SHORT and bool(_IT_DOES_NOT.search(text))


def _turns(rest: str, but: re.Pattern[str]) -> bool:
    """Whether what follows good news in its sentence, or begins the next one, takes it back. That
    one does not know why it works takes nothing back."""
    turn = but.match(rest)
    return turn is not None and not _WONDERS.search(rest[turn.end() : turn.end() + 60])


_TURN = r"(?:[^.!?。！？\n]|\.\b){0,200}?(?:[.!?。！？\n]\W*)?"
_CONTRAST = r"\b(?:but|however|aber|allerdings|jedoch)\b|(?<!不)但|不过|可是|然而|只是"
_BUT = re.compile(f"{_TURN}(?:{_CONTRAST})", re.IGNORECASE)
_BUT_OR_EXCEPT = re.compile(rf"{_TURN}(?:{_CONTRAST}|\b(?:except|außer|ausser)\b)", re.IGNORECASE)
_ASKING = re.compile(r"[?？]\W*$|(?:吗|么|了没有?)(?:\W*$|[，,])")
_WONDERS = re.compile(
    r"\b(?:i|we|ich|wir)\b.{0,20}\b(?:know|understand|sure|see why|idea|think|like|wei(?:ß|ss)|"
    r"versteh\w*|sicher|ahnung)\b|不知道|不明白|不懂|\b(?:thanks|thank you|danke)\b|谢谢",
    re.IGNORECASE,
)
_IT_DOES_NOT = re.compile(
    r"\b(?:it|that|this|these|those|both|they|which|there)\b(?:['’]s)?(?: \w+)? ?"
    r"(?:\b(?:do|does|did|is|are|was|were|has|have|had|ca|could|wo|would)n['’]?t|\bnot)\b"
    r"(?!.{0,40}\b(?:any ?more|longer|matter)\b)|\b(?:nothing|none|neither) \w",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:\w+n['’]t|cannot|cant|wont|dont|not|no|none|nothing|never|nobody|neither|but|however|"
    r"though|except|instead|only|nicht|nichts|nix|kein\w*|nie|niemand|aber|leider|allerdings|nur)\b"
    r"|不(?!好意思)|没(?!问题|事)|未|无|但|只有",
    re.IGNORECASE,
)


# --- what others say -----------------------------------------------------------------------------


def is_me_too(reply: Reply) -> bool:
    """Whether somebody only says that they have the same question: short, of themselves or in a few
    words, and with nothing that one could try."""
    text = reply.parts.text
    if reply.shows or len(text) >= _SHORT or advises(reply) or solving(reply):
        return False
    if _joins(reply.language).search(text):
        return True
    if "me_too" in reply.says:
        own = OWN.search(text) or any(map(_SAME.match, sentences(text)))
        return bool(own) or _is_few(text) or _only_asks(text)
    return "joins" in reply.says and _is_few(text)


def answers_nothing(reply: Reply) -> bool:
    """Whether a reply is no answer whatever was asked: it joins the asker, has no words, does not
    know, or is what everybody is told who asks."""
    text = reply.parts.text
    if reply.parts.code:
        return False
    if "canned" in reply.says and len(text) < _FORMAL:
        return True
    if is_me_too(reply):
        return True
    if reply.shows:
        return False
    if not _has_letters(text):
        return not any(map(str.isdigit, text))
    return _knows_nothing(reply)


def real(replies: Sequence[Reply]) -> list[Reply]:
    """Those that may be an answer."""
    return [reply for reply in replies if not answers_nothing(reply)]


def _knows_nothing(reply: Reply) -> bool:
    text = reply.parts.text
    if len(text) >= _SHORT or advises(reply) or re.search(_CONTRAST, text, re.IGNORECASE):
        return False
    return bool(cues.patterns("replies", reply.language)["unsure"].match(_BEFORE.sub("", text)))


def advises(reply: Reply) -> bool:
    """Whether a reply has something that one could try. Words that anybody uses of themselves ("I
    use it", "I see") count only where a sentence begins with them, as an order does."""
    helps = cues.patterns("replies", reply.language)["helps"]
    for sentence in sentences(reply.parts.text):
        head = _BEFORE.sub("", sentence)
        found = () if _WOULD_TOO.match(head) else helps.finditer(head)
        if any(each.start() == 0 or each[0].lower() not in _LOOSE for each in found):
            return True
    return False


def _is_few(text: str) -> bool:
    return words_in(text) <= _FEW


def _only_asks(text: str) -> bool:
    return all(_ASKING.search(sentence) for sentence in sentences(text))


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, _SHORTCODE.sub(" ", text)))


def _joins(language: str | None) -> re.Pattern[str]:
    return _JOINS_DE if language == "de" else _JOINS


_FEW = 4
_SHORTCODE = re.compile(r":[a-z0-9_+-]+(?::t\d)?:", re.IGNORECASE)
_BEFORE = re.compile(
    r"^\W*(?:(?:hi|hello|hey|hm+|oh|well|sorry|ok|okay|yes|hallo|moin|also|tja|ja)\b\W+)*",
    re.IGNORECASE,
)
_SAME = re.compile(  # "same problem on Debian", not "same name in both files"
    r"\W*(?:(?:(?:having |have )?(?:exactly )?the )?same (?:problem|issue|error|question|here)|"
    r"me too|das ?selbe(?: problem)?|(?:das |der )?gleiche[sr]? (?:problem|fehler|frage)|"
    r"bei (?:mir|uns)|hier)\b(?:\W*(?:[,.!;:(-]|$)| (?:too|here|on|in|with|for|since|at|after|"
    r"under|as well|auch|hier|auf|unter|mit|seit|nach|genauso|ebenfalls)\b)",
    re.IGNORECASE,
)
_I = r"(?:i|i['’](?:m|ve|d|ll)|we|we['’](?:re|ve|d|ll)|me|us|my)"
_HAVE = r"(?:have|had|has|having|get|got|getting|see|saw|seeing|experienc\w+|fac(?:e|ing)|hit|met)"
_JOINS = re.compile(
    rf"\b{_I}\b[^.!?\n]{{0,60}}?\b(?:too|as well)\b(?! \w*(?:much|many|few|little|long|big|small))"
    rf"|\b{_I} (?:am |are |was )?also\b"
    rf"|\b{_I}\b(?: \w+)? {_HAVE} (?:exactly |very )?(?:the )?(?:very )?same\b"
    r"|\b(?:i|we) (?:would|['’]d) (?:also )?(?:love|like) to know\b|\bcan confirm\b"
    r"|同问|同求|(?:我|我们|咱|俺|这边)[^。！？，,\n]{0,6}也(?![可应建])|^\W*也(?:遇到|碰到|有|想|是|一样|出现)"
    r"|^\W*(?:同|一)样(?:的)?(?:情况|问题|现象|错误|疑问)\W*$",
    re.IGNORECASE,
)
_JOINS_DE = re.compile(
    r"\b(?:ich|wir|mir|mich|uns)\b[^.!?\n]{0,60}?\b(?:auch|ebenfalls|genauso|ebenso)\b"
    r"|\b(?:auch|ebenfalls|genauso|ebenso)\b[^.!?\n]{0,15}\b(?:ich|wir|mir|mich|uns)\b"
    r"|\b(?:me too|same here|can confirm)\b",
    re.IGNORECASE,
)
_LOOSE = frozenset(
    """see use using just then set call add change check there is there's yes if you nutze verwende
    benutze stelle schau danach vorher lieber beispiel 使用 需要 直接 然后 先 设置 安装 升级 配置
    链接 可以""".split()  # noqa: SIM905
)
_WOULD_TOO = re.compile(r"(?:ich würde|würde? ich)\b.{0,20}\bauch\b", re.IGNORECASE)
