"""Scores of messages: what is flagged, what is spared, and what the evidence says."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.classify import Judge, Message, cues, questions, reasons
from pipeline.classify.model import load
from pipeline.errors import FixSettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def judge():
    return Judge(("en", "zh"))


def say(text, **more):
    values = {"form": "markdown", "is_first": False} | more
    return Message("forum", "1", "1", "ann", NOW, text, **values)


def labels(judge, text, **more):
    return {score.label: score for score in judge.score([say(text, **more)])}


ATTACKS = [
    "You are a complete idiot",
    "shut the fuck up",
    "Nobody needs this. Fuck you and your project.",
    "你个傻逼，连这都不会",
    "你就是个废物",
    "You are so clueless, it hurts.",
    "Shut up!",
    "操你妈",
    "你就是个垃圾",
    "闭嘴！",
    "你脑子进水了吧",
    "你是不是没长脑子啊，文档都不会看",
    "你们这帮开发者全是饭桶",
    "就你这智商还写程序",
    "闭上你的臭嘴",
    "官方就是一群骗子",
    "我真想抽你两巴掌",
    "How did a dimwit like you get hired?",
    "Are you illiterate?",
    "Nice work, you useless bunch of hacks.",
    "I will break your nose!",
    "Listen here, you little shit",
    "Are you deaf or just stupid?",
    "I'll find out where you live.",
]
DISGUISED = [
    ("homoglyphs", "уou аre a fuсking moron"),
    ("zero width", "you are a fuck\u200bing mo\u200dron"),
    ("figures", "you are a m0r0n"),
    ("stars", "you f*cking moron"),
    ("spelt out", "you are an i d i o t"),
    ("stretched", "you are an idiiiiiot"),
    ("accents", "you are an ídìôt"),
    ("full width", "you are an ｉｄｉｏｔ"),
    ("homophones", "你就是个煞笔"),
    ("pinyin", "你就是个naocan"),
    ("initials", "楼主nmsl"),
    ("gaps", "你就是个脑 残"),
    ("letters and characters", "你是傻bi"),
    ("pinyin that makes most of it", "你个shabi"),
    ("nothing but initials", "nmsl"),
    ("signs for letters", "you are an id#@t, f-ck off"),
    ("letters swapped", "you are a fcuking moorn"),
    ("letters left out", "what a stpid thing to say, you retrded idot"),
    ("backwards", "toidi gnikcuf a era uoy"),
    ("upside down", "ʇoıpı ƃuıʞɔnɟ ɐ ǝɹɐ noʎ"),
]
CYRILLIC = str.maketrans("aeopcyx", "аеорсух")
MORE_CYRILLIC = str.maketrans("aeopcyxikdhbmtr", "аеорсухікԁһьмтг")
SMALL = str.maketrans("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")
MASKS = {
    "look-alikes": lambda text: text.translate(CYRILLIC),
    "zero width everywhere": "\u200b".join,
    "joiners": lambda text: re.sub(r"(\w\w)(\w)", "\\1\u200d\\2", text),
    "soft hyphens": lambda text: re.sub(r"(\w\w\w)(\w)", "\\1\u00ad\\2", text),
    "figures": lambda text: text.translate(str.maketrans("oie", "013")),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c > " " else c for c in text),
    "mathematical letters": lambda text: re.sub("[a-z]", lambda m: chr(ord(m[0]) + 0x1D3B9), text),
    "stacked accents": "\u0301".join,
    "capitals": str.upper,
    "stretched": lambda text: re.sub("[aeiou]", lambda m: m[0] * 3, text),
    "right to left": lambda text: f"\u202e{text}",
    "many look-alikes": lambda text: text.translate(MORE_CYRILLIC),
    "small capitals": lambda text: text.translate(SMALL),
    "letters in boxes": lambda text: re.sub("[a-z]", lambda m: chr(ord(m[0]) + 0x1F10F), text),
    "spelt out": " ".join,
    "run together": lambda text: text.title().replace(" ", ""),
    "brackets": lambda text: re.sub(r"(\w)(\w)(\w)", r"\1[\2]\3", text),
    "marks for spaces": lambda text: text.replace(" ", "_"),
    "as code": "`{}`".format,
    "indented": "    {}".format,
    "behind German": "Das ist leider so nicht richtig und wird nicht gehen. {}".format,
    "behind Spanish": "Hola amigos, yo creo que esto no funciona para nosotros. {}".format,
    "behind Chinese": "你好，这个问题我也遇到了。{}".format,
    "tags inside": lambda text: re.sub(r"(\w\w)(\w)", r"\1<b></b>\2", text),
}
MASKED = [
    "you are a fucking idiot",
    "shut the fuck up you moron",
    "your code is total shit and you are an incompetent clown",
]
INNOCENT = [
    "Just kill the child process, abort the master and dump core",
    "How do I kill a zombie process? The parent dies and its children hang.",
    "Brute force attack on a dumb terminal; garbage collector stops the world",
    "Thank you so much, this works great!",
    "I am a gay muslim developer from China",
    "> you are an idiot\n\nPlease keep it civil.",
    "```\n// you are a fucking idiot\nabort();\n```\nDoes this compile for you?",
    "把进程杀死再重启就好了,垃圾回收太频繁",
    "请问怎么安装这个插件?一直报错,谢谢",
    "我是上海的女生,第一次用这个软件",
    "Sorry, but no. We decided against it last year and nothing has changed since.",
    "I don't think you are right about the lock, but I might be missing something.",
    "Why would you do that? It makes the code slower.",
    "Run `what is the name of your host` and `are you sure` in the prompt.",
    "f(u) = c*k and a*s for all s in S; foo(bar) calls sh_t and class(es)",
    "爬虫爬不到数据,滚动条也滚不动,内存垃圾回收太频繁",
    "I'll shoot you an email, and then beat you to the bakery.",
    "You will regret this if you skip the backup. We'll find out where you can download it.",
    "Are you blind or colour-blind users supported by this theme? I go back to school on Monday.",
    "That would make you useless to them, and CSS should die in a fire.",
    "不好意思，我脑子进水了，刚才那条请忽略",
    "你也配置一下环境变量，再看看给我滚动日志的示例",
    "楼主说的废物回收模块在哪个仓库",
    "版本滚回去之后就正常了，别去死记硬背",
    "SB是Spring Boot的缩写吗?有病史的用户怎么登记?",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_on_a_person_is_an_alert_with_its_sentence_and_rule(judge, text):
    score = labels(judge, text)["strict"]
    assert score.is_flagged
    assert score.sentence in text
    assert {r.code for r in score.reasons} & {
        "insults_you",
        "calls_names",
        "curses_you",
        "threatens_you",
        "exposes_somebody",
        "calls_to_harass",
    }


@pytest.mark.parametrize(("_", "text"), DISGUISED, ids=[name for name, _ in DISGUISED])
def test_a_disguise_hides_nothing(judge, _, text):
    assert labels(judge, text)["strict"].is_flagged


@pytest.mark.parametrize("text", MASKED)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_over_a_whole_text_changes_no_verdict(judge, mask, text):
    assert labels(judge, text)["strict"].is_flagged
    assert labels(judge, mask(text))["strict"].is_flagged


FIGURES = {"o": "0", "i": "1", "e": "3", "a": "4", "s": "5", "t": "7", "b": "8", "g": "9"}


@st.composite
def figures(draw, text):
    """Any of its letters as the figure that looks like it."""
    change = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    return "".join(FIGURES.get(c, c) if n else c for c, n in zip(text, change, strict=True))


@st.composite
def broken(draw, text, pairs=("**", "*", "_", "~~", "||", "`", "-", "/")):
    """Every word with a part of it marked."""
    opening = closing = draw(st.sampled_from(pairs))
    if opening.startswith("<"):
        closing = f"</{opening[1:]}"
    words = []
    for word in text.split():
        start = draw(st.integers(1, max(1, len(word) - 1)))
        end = draw(st.integers(start + 1, max(start + 1, len(word))))
        marked = f"{word[:start]}{opening}{word[start:end]}{closing}{word[end:]}"
        words.append(marked if len(word) > 2 else word)
    return " ".join(words)


@settings(max_examples=150)
@given(st.sampled_from(MASKED).flatmap(figures))
def test_figures_for_any_letters_hide_nothing(judge, text):
    assert labels(judge, text)["strict"].is_flagged


@settings(max_examples=150)
@given(st.sampled_from(MASKED).flatmap(broken))
def test_marks_inside_any_words_hide_nothing(judge, text):
    assert labels(judge, text)["strict"].is_flagged


@settings(max_examples=100)
@given(
    st.sampled_from(MASKED).flatmap(
        lambda text: broken(text, ("<b>", "<em>", "<strong>", "<code>", "<span>"))
    )
)
def test_tags_inside_any_words_hide_nothing(judge, text):
    assert labels(judge, text, form="html")["strict"].is_flagged


@settings(max_examples=60)
@given(
    st.sampled_from(MASKED),
    st.sampled_from(["", "ERROR: ", "WARN a/b: ", "[INFO] x_y "]),
    st.sampled_from(["", " {}", " ();", " = {};", " " + "!" * 40, " 0123456789 9876543210 " * 3]),
)
def test_a_person_who_writes_like_a_program_is_heard(judge, text, before, after):
    assert labels(judge, before + text + after)["strict"].is_flagged


@settings(max_examples=150)
@given(st.sampled_from([t for t in INNOCENT if t.isascii() and t[0] not in ">`"]).flatmap(broken))
def test_marks_inside_calm_words_accuse_nobody(judge, text):
    assert not labels(judge, text)["strict"].is_flagged


@pytest.mark.parametrize("text", INNOCENT)
def test_jargon_quotes_code_and_identity_are_no_attack(judge, text):
    assert not labels(judge, text)["strict"].is_flagged


@pytest.mark.xfail(strict=True, reason="the Chinese model takes the question for the accusation")
def test_who_asks_whether_somebody_is_a_fraud_accuses_nobody(judge):
    text = "官方是骗子吗？楼主说的废物回收模块在哪个仓库"
    assert not labels(judge, text)["strict"].is_flagged


def test_a_word_that_is_one_letter_from_a_rough_one_accuses_nobody(judge):
    text = "Who wore the batard at the moon fair loses; Mr Waner sits with Dr Reard and King Cnut"
    assert not labels(judge, text)["uncivil"].is_flagged


CONTEMPT = {  # without a rude word
    "en": [
        "Maybe find another hobby, because writing software is obviously beyond you.",
        "You people clearly do not care about your users, you never did.",
        "Did you even read what I wrote, or do you just close whatever comes in?",
        "Stop lying to people. Everybody here knows what you did.",
    ],
    "zh": ["你们根本不在乎用户，从来都没有。", "连这个都不会，还好意思出来教别人？"],
    "de": [
        "Vielleicht suchst du dir ein anderes Hobby, Programmieren ist offensichtlich nichts für dich.",
        "Hör auf zu lügen, hier weiß jeder, was du getan hast.",
    ],
}
DISPLEASURE = {  # of the same things
    "en": [
        "Could you please test this on Windows before the next release? It broke for us twice.",
        "I am disappointed that this was closed without an answer.",
        "I don't think this is the right approach, and I'd rather not merge it.",
        "Please read the manual first, the section on ports explains it.",
        "You should have told us before removing it, that cost us a weekend.",
    ],
    "zh": [
        "麻烦下次发版前在 Windows 上测一下，我们已经坏了两次了。",
        "这个方案我不太同意，先不合并。",
    ],
    "de": [
        "Könntet ihr das vor dem nächsten Release bitte unter Windows testen? Es ist zweimal kaputt.",
        "Lies bitte zuerst die Anleitung, im Kapitel über Ports steht es.",
    ],
}


@pytest.mark.parametrize("language", CONTEMPT)
def test_contempt_needs_no_rude_word_and_displeasure_is_none(language):
    judge = Judge((language,))
    for text in CONTEMPT[language]:
        assert labels(judge, text)["strict"].is_flagged, text
    for text in DISPLEASURE[language]:
        assert not any(score.is_flagged for score in labels(judge, text).values()), text


EVERYDAY = {
    "en": ["Hello all", "you first", "nope", "it died again", "steps:", "silly me", "what a day"],
    "zh": ["你们好", "建议：", "太黑了", "又挂了", "我真笨", "在吗", "你说得对", "杀进程"],
    "de": ["doch", "super", "echt jetzt", "ich depp", "keiner?", "du zuerst", "Server ist tot"],
}
AT_LENGTH = {  # of liars, fools and killers, none of whom is here
    "en": """Third evening at the guest house and I am still not sure what to tell you. The owner lies
        about the breakfast, the man next door shouts at his television until two, and somebody has
        written "idiots welcome" on the map of the village. On the other hand the bed is good, the
        bread is warm, and when my wife fell ill they drove her to the doctor at night and would not
        take a penny. If you want quiet, do not come here. If you want people, stupid, loud and kind,
        ask for the room above the kitchen and bring your own pillow.""",
    "zh": """这本书我断断续续看了三个星期。主角从小就是个骗子，骗同学，骗老师，后来连自己的母亲也骗，
        作者却不急着骂他，而是一点一点写他为什么会变成这样。中间有一段写村里人怎么嘲笑那个傻子，
        看得人心里发堵，你会发现自己其实也笑过。结尾他杀了人，又自首，文字冷得像刀子。缺点是前面
        太啰嗦，有几章完全是垃圾时间，翻译也不太行。总的来说值得一看，建议你挑个安静的周末慢慢读。""",
    "de": """Ich habe das Buch in zwei Nächten gelesen und mich dabei ständig geärgert. Der Kommissar ist
        ein Lügner und ein Feigling, sein Chef nennt ihn vor allen einen Trottel, und bis man weiß, wer
        die alte Frau erschlagen hat, ist einem jeder im Dorf zuwider. Der Mittelteil ist zäh, die
        Liebesgeschichte dumm. Aber der Schluss, in dem du endlich begreifst, warum der Junge nie ein
        Wort gesagt hat, ist großartig. Wenn du den ersten Band mochtest, gib diesem etwas Zeit.""",
}


@pytest.mark.parametrize("language", EVERYDAY)
def test_a_word_of_every_day_and_a_long_story_accuse_nobody(language):
    judge = Judge((language,))
    for text in EVERYDAY[language]:
        assert not any(score.is_flagged for score in labels(judge, text).values()), text
    assert not labels(judge, AT_LENGTH[language])["strict"].is_flagged


EXCLAIMED = [
    "no shit, I had the same issue for weeks",
    "That's fucking brilliant, thank you!",
    "Your new logo is cute as hell",
    "Oh fuck. Holy crap, that was fast!",
    "My dumb ass pushed to master",
    "I was such an asshole in that thread, sorry",
    "You magnificent bastard, you fixed it!",
]
NO_EXCLAMATION = [
    "Fuck this project and fuck everyone who works on it",
    "Holy shit. Thanks for nothing, you fucking idiot",
    "Well shit, what the fuck is wrong with you?",
    "Oh hell, go to hell",
]


@pytest.mark.parametrize("text", EXCLAIMED)
def test_who_curses_at_nobody_praises_or_means_oneself_raises_no_alert(judge, text):
    assert not labels(judge, text)["strict"].is_flagged


@pytest.mark.parametrize("text", NO_EXCLAMATION)
def test_an_exclamation_excuses_nothing_beside_it(judge, text):
    assert labels(judge, text)["strict"].is_flagged


@pytest.mark.parametrize(
    "text",
    [
        'Someone wrote "you are an idiot" in my review. Is that allowed here?',
        "他骂我是傻逼,管理员能处理一下吗",
    ],
)
def test_who_reports_an_attack_makes_none(judge, text):
    assert not labels(judge, text)["strict"].is_flagged


def test_a_score_below_its_threshold_carries_no_accusation(judge):
    score = labels(judge, "Thank you so much, this works great!")["strict"]
    assert (score.reasons, score.sentence, score.unscored_because) == ((), None, None)
    assert score.score < score.threshold


def test_a_sentence_of_another_language_is_judged_by_its_own_model_or_says_nothing(judge):
    spanish = "Hola amigos, yo creo que esto no funciona para nosotros."
    rude = labels(judge, f"{spanish} You are an idiot.")["strict"]
    assert (rude.is_flagged, rude.language, rude.model) == (True, "es", "strict_en")
    assert rude.sentence == "You are an idiot."
    calm = labels(judge, f"{spanish} Thank you and goodbye.")["strict"]
    assert (calm.score, calm.unscored_because, calm.model) == (None, "language", "strict")


@pytest.mark.parametrize("languages", [("de",), ("de", "zh")])
def test_plain_english_is_judged_as_english_where_it_is_no_language_of_the_community(languages):
    judge = Judge(languages)
    for text in ("You are an idiot.", "Fuck off, you moron.", "what an idiot you are"):
        rude = labels(judge, text)["strict"]
        assert (rude.is_flagged, rude.model) == (True, "strict_en"), text
    for text in ("Das ist ein Not-Aus.", "ok danke, that's it", "Wie geht das mit have a look?"):
        assert not labels(judge, text)["strict"].is_flagged


def test_a_language_without_a_model_is_unscored_and_says_so(judge):
    for text, code in [
        ("Bonjour, je ne comprends pas pourquoi cela ne marche pas du tout", "fr"),
        ("プラグインのインストール方法を教えてください", "ja"),
        ("Почему это не работает? Помогите пожалуйста", "ru"),
    ]:
        score = labels(judge, text)["strict"]
        assert (score.language, score.score, score.unscored_because) == (code, None, "language")


ASKED = {
    "German": (
        "Problem mit dem Export",
        "Warum geht das nicht? Der Server meldet error 500.",
        "de",
    ),
    "only a title, in German": ("Kann mir jemand bei diesem Problem helfen?", "", "de"),
    "French": ("", "Comment installer le plugin? Quelle est la bonne version?", "fr"),
    "English": ("Export fails", "Why does the export fail with error 500?", "en"),
    "a German title over English": ("Frage", "How do I export my data to another server?", "en"),
    "only a title, in English": ("How do I export my data to another server?", "", "en"),
    "Chinese": ("导出失败", "请问怎么导出数据？", "zh"),
}


@pytest.mark.parametrize(("title", "text", "code"), ASKED.values(), ids=ASKED)
def test_whether_a_text_asks_is_told_in_languages_with_word_lists_alone(title, text, code):
    judge = Judge(("de", "en", "zh"))
    score = labels(judge, text, title=title, is_first=True)["question"]
    assert score.language == code
    assert score.is_flagged == (code in questions.LANGUAGES)
    assert score.unscored_because == (None if score.is_flagged else "language")
    assert (score.score is None) == (score.threshold is None) == (not score.is_flagged)


def test_the_languages_of_questions_are_those_of_their_word_lists():
    lists = tomllib.loads((Path(cues.__file__).parent / "cues" / "asking.toml").read_text("utf-8"))
    assert all(set(words) == questions.LANGUAGES for words in lists.values())


def test_nothing_but_code_is_unscored_and_says_so(judge):
    score = labels(judge, "```\nkill\n```")["uncivil"]
    assert (score.score, score.unscored_because) == (None, "no_text")


def test_bots_are_not_judged(judge):
    assert list(judge.score([say("you idiot", is_human=False)])) == []


def test_an_insult_inside_a_very_long_post_is_found(judge):
    calm = "The build takes a while on this machine and then it finishes. " * 200
    score = labels(judge, f"{calm}\nYou are an idiot.\n{calm}")["strict"]
    assert score.is_flagged
    assert score.sentence == "You are an idiot."


def test_a_megabyte_is_read_at_both_ends_and_says_so(judge):
    score = labels(judge, "You are an idiot.\n" + "calm words follow. " * 55_000)["strict"]
    assert score.is_flagged
    assert "shortened" in {r.code for r in score.reasons}


def test_a_disguise_is_named(judge):
    for text, word in [("you are a m0r0n", "moron"), ("你就是个煞笔", "傻逼")]:
        reasons = labels(judge, text)["strict"].reasons
        assert [r.values["words"] for r in reasons if r.code == "disguised"] == [word]


@settings(max_examples=60)
@given(st.text(max_size=300), st.sampled_from(["html", "markdown"]))
def test_any_text_is_judged_alike_twice_and_in_any_company(judge, text, form):
    alone = labels(judge, text, form=form, is_first=True)
    together = list(judge.score([say("hello"), say(text, form=form, is_first=True), say("x")]))
    assert list(alone.values()) == together[2:5]
    assert all(s.score is None or 0 <= s.score <= 1 for s in alone.values())


WORDS = ("you", "clearly", "never", "read", "manual", "your", "roof", "broken", "idiot", "thanks")


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20), min_size=2, max_size=40))
def test_words_that_others_use_too_move_no_last_bit(judge, texts):
    said = [say(" ".join(words)) for words in texts]
    assert list(judge.score(said)) == [score for one in said for score in judge.score([one])]


def test_the_version_changes_with_the_languages_and_not_between_judges(judge):
    assert Judge(("zh", "en")).version == judge.version != Judge(("en",)).version


def test_every_reason_has_words_in_both_languages_with_the_same_values():
    def fields(entry):
        text = " ".join(entry.values()) if isinstance(entry, dict) else entry
        return set(re.findall(r"\{(\w+)\}", text))

    assert reasons()
    for code, words in reasons().items():
        assert set(words) == {"en", "zh"}, code
        assert fields(words["en"]) == fields(words["zh"]), code


def test_a_model_file_with_code_in_it_is_refused(tmp_path):
    from skops import io

    file = tmp_path / "en.skops"
    io.dump({"language": "en", "idf": print, "heads": {}}, file)
    with pytest.raises(FixSettings, match="is not a model of Hearth"):
        load(file)
    assert load(Judge.__init__.__defaults__[1] / "en.skops").language == "en"
