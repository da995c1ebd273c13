"""Word lists against hostile text."""

import re
import unicodedata

import pytest

from pipeline.classify import cues
from pipeline.classify.features import describe, spotted
from pipeline.classify.readable import readable

PATTERNS = {
    **{
        f"rules/{language}/{name}": one
        for language in ("de", "en", "zh")
        for name, one in cues._rules(language).items()
    },
    **{
        f"{name}/{language}/{part}": one
        for name in ("replies", "asking", "nothing")
        for language in ("de", "en")
        for part, one in cues.patterns(name, language).items()
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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Der Upload bricht ohne Meldung ab", "bricht ohne Meldung ab"),
        ("Er bricht. Dann schaltet er ab", None),
        ("Datei 1.2 bricht bei v2.1 ab", "bricht bei v2.1 ab"),
        ("Das laesst sich leider nicht aendern", "laesst sich leider nicht"),
        ("Sie lässt sich ned öffnen", "lässt sich ned"),
        ("Das lässt sich in .net bauen", None),
    ],
)
def test_a_german_entry_finds_parted_and_bent_verbs_within_a_sentence(text, found):
    hit = cues.patterns("asking", "de")["asks"].search(text)
    assert (hit[0] if hit else None) == found


@pytest.mark.parametrize("name", ["asking", "replies"])
@pytest.mark.parametrize(
    ("language", "finds"), [("de", True), ("en", False), ("zh", False), (None, False)]
)
def test_german_words_are_looked_for_in_german_texts_alone(name, language, finds):
    text = "hat jemand eine Idee, danke, kann geschlossen werden, brauche Hilfe"
    assert any(p.search(text) for p in cues.patterns(name, language).values()) == finds


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Das ist lächerlich", "dismissive"), ("Schäm dich", "demand"), ("So ein Lügner", "insult")],
)
def test_german_words_are_found_with_their_dots_without_and_spelt_out(text, kind):
    plain = text.replace("ä", "a").replace("ü", "u")
    for each in (text, unicodedata.normalize("NFD", text), plain):
        assert kind in spotted(each, "de"), each


def test_a_german_rule_is_broken_with_dots_too():
    assert describe("Fahr zur Hölle!", "de").broken == ("curses_you", "fahr zur holle")


@pytest.mark.parametrize(
    ("language", "sentence", "broken"),
    [
        ("en", 'the rules say: no insults, no "are you stupid".', None),
        ("en", '"are you stupid?"', "insults_you"),
        ("en", 'are you stupid? it says "restart" right there', "insults_you"),
        ("zh", '版主提醒:12 楼因为人身攻击("脑子有病")已被隐藏', None),
        ("zh", "他的原话是「你算老几」", None),
        ("zh", "你有病吧", "insults_you"),
        ("zh", "检查不出来不代表你没有病", None),
        ("de", "gibt es ein kommando wie „halt's maul“?", None),
        ("de", "ach halt's maul", "curses_you"),
        ("de", "die platte ist verreckt", None),
        ("de", "verreck doch", "curses_you"),
        ("de", "leck mich am arsch", "curses_you"),
        ("de", "leck mich doch, geht das langsam", None),
        ("de", "ihr werdet schon sehen, das wird gut", None),
        ("de", "das wird dir helfen, du wirst das noch bereuen", "threatens_you"),
        ("de", "ich depp", None),
        ("de", "so ein dummes formular, da wirst du zum idioten", None),
        ("de", "du bist ein vollidiot", "insults_you"),
        ("en", "are you an idiot if you pay for a warranty?", None),
        ("en", "are you an idiot?", "insults_you"),
        ("de", "er nannte dich einen idioten", None),
        ("en", "time zones can go to hell", None),
        ("en", "you can go to hell", "curses_you"),
        ("en", "you can tell a liar by his ticket", None),
        ("en", "drop that hardback and it'll break your nose", None),
        ("zh", "我真是猪脑子", None),
        ("zh", "这狗日的迁移工具", None),
        ("zh", "累了,滚回家睡觉", None),
        ("zh", "滚回你的贴吧去吧", "curses_you"),
        ("en", "i know where you live and which bus you take", "threatens_you"),
        ("en", "i know which part you work on", None),
        ("en", "i don't know where you live, so pick a time zone", None),
        ("en", "you'll be sorry you banned me", "threatens_you"),
        ("en", "you'll be sorry without a backup", None),
        ("en", "resign or i'll post your nudes", "threatens_you"),
        ("en", "do everyone a favor and unalive urself", "curses_you"),
        ("en", "do yourself a favour and read the manual", None),
        ("en", "his real name is on the whois of his old domain", "exposes_somebody"),
        ("en", "their real name is only asked for invoices", None),
        ("en", "i found out where the daemon lives", None),
        ("en", "does anyone know this mod's home address?", "exposes_somebody"),
        ("en", "does anyone know the address of the mirror?", None),
        ("en", "please don't dox him", None),
        ("en", "guys, let's mass-report her account", "calls_to_harass"),
        ("en", "guys, let's report this bug upstream", None),
        ("de", "ich weiß, wo dein auto steht", "threatens_you"),
        ("de", "ich weiß nicht, wo dein log liegt", None),
        ("de", "er schrieb mir: „ich weiß, wo dein auto steht.", None),
        ("en", 'in the mod he whispers "i know where you live.', None),
        ("en", '" is all he has. you are an idiot', "insults_you"),
        ("de", "sein klarname ist hinz", "exposes_somebody"),
        ("de", "lasst uns alle mal seinen kanal vollspammen", "calls_to_harass"),
        ("zh", "我知道你在哪个园区上班", "threatens_you"),
        ("zh", "你等着,我帮你看看日志", None),
        ("zh", "下班走路小心点", "threatens_you"),
        ("zh", "把他的住址发出来", "exposes_somebody"),
        ("zh", "大家一起去网暴他", "calls_to_harass"),
    ],
)
def test_a_rule_is_broken_by_who_speaks_not_by_who_is_quoted(language, sentence, broken):
    found = cues.broken_rule(readable(sentence), language)
    assert (found[0] if found else None) == broken
