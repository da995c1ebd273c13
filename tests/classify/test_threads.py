"""How far a question has come, and how heated a thread is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.classify import Judge, Message, Reason, ThreadView, heat, unanswered
from pipeline.classify.chat import Heard
from pipeline.classify.findings import findings
from pipeline.classify.questions import needs_answer
from pipeline.text import authored

START = datetime(2026, 3, 1, tzinfo=UTC)
LATER = START + timedelta(days=30)


def thread(*turns, title="Build fails on Windows", **more):
    """A thread of (account, text) turns, or messages given whole, an hour apart."""
    messages = []
    for n, turn in enumerate(turns):
        account, text, *rest = turn
        message = Message(
            "forum",
            "1",
            str(n),
            account,
            START + timedelta(hours=n),
            text,
            "markdown",
            is_first=n == 0,
            title=title,
            username=account,
        )
        messages.append(replace(message, **(rest[0] if rest else {})))
    return ThreadView("forum", "1", messages, **more)


ASK = ("ann", "How do I build this? It fails with an error.")
CASES = [
    ("nobody replied", [ASK], ("L0", "waiting", "no_reply", None)),
    (
        "bots never answer",
        [ASK, ("bot", "Try the docs.", {"is_human": False})],
        ("L0", "waiting", "only_bots", None),
    ),
    ("the asker talks alone", [ASK, ("ann", "Anyone?")], ("L0", "waiting", "only_asker", None)),
    (
        "same here answers nothing",
        [ASK, ("bob", "Same problem here."), ("cem", "+1")],
        ("L0", "waiting", "only_me_too", None),
    ),
    (
        "self-solved is solved",
        [ASK, ("ann", "Found the problem, I had to update the compiler.")],
        ("L3", "solved", "self_solved", None),
    ),
    (
        "not solved is not solved",
        [ASK, ("ann", "It is still not solved.")],
        ("L0", "waiting", "only_asker", None),
    ),
    (
        "an accepted answer ends it",
        [ASK, ("bob", "Use the new compiler.", {"is_accepted": True}), ("ann", "Hm?")],
        ("L3", "solved", "accepted", "1"),
    ),
    (
        "the asker's thanks go to the reply before",
        [ASK, ("bob", "Use clang."), ("cem", "Set the path first."), ("ann", "Thank you!")],
        ("L2", "helped", "thanked", "2"),
    ),
    (
        "or to the one they name",
        [ASK, ("bob", "Use clang."), ("cem", "Set the path."), ("ann", "Thanks @bob, nice")],
        ("L2", "helped", "thanked", "1"),
    ),
    (
        "thanks in advance thank for nothing yet",
        [ASK, ("bob", "Which version?"), ("ann", "2.0, thanks in advance")],
        ("L1", "stale", "asker_last", None),
    ),
    (
        "the asker's like is a sign",
        [ASK, ("bob", "Use clang.", {"thanked_by": frozenset({"ann"})})],
        ("L2", "helped", "liked", "1"),
    ),
    (
        "a helper asked back and nobody returned",
        [ASK, ("bob", "Which version do you use?")],
        ("L1", "stale", "asked_back", None),
    ),
    (
        "Chinese: thanked and solved",
        [("ann", "怎么编译?一直报错"), ("bob", "升级编译器试试"), ("ann", "解决了,谢谢")],
        ("L3", "solved", "thanked", "1"),
    ),
]


@pytest.mark.parametrize(("_", "turns", "expected"), CASES, ids=[c[0] for c in CASES])
def test_how_far_a_question_has_come(_, turns, expected):
    verdict = unanswered(thread(*turns), LATER)
    assert (verdict.level, verdict.state, verdict.reasons[0].code, verdict.answer) == expected


FRAGE = ("ann", "Wie baue ich das? Es bricht mit einem Fehler ab.")
GERMAN = {
    "not a word": ([FRAGE], ("L0", "waiting", "no_reply", None)),
    "same here": (
        [FRAGE, ("bob", "Bei mir genauso, seit gestern."), ("cem", "Hänge mich mal dran")],
        ("L0", "waiting", "only_me_too", None),
    ),
    "found alone": (
        [FRAGE, ("ann", "Hat sich erledigt, es lag am alten Compiler.")],
        ("L3", "solved", "self_solved", None),
    ),
    "thanked": (
        [FRAGE, ("bob", "Nimm clang."), ("ann", "Super, vielen Dank!")],
        ("L2", "helped", "thanked", "1"),
    ),
    "thanked and solved": (
        [FRAGE, ("bob", "Probier clang."), ("ann", "Danke dir, jetzt läuft es.")],
        ("L3", "solved", "thanked", "1"),
    ),
    "solved by what was said": (
        [FRAGE, ("bob", "Setz erst den Pfad."), ("ann", "Damit geht's!")],
        ("L3", "solved", "self_solved", "1"),
    ),
    "thanked, and it does not work": (
        [FRAGE, ("bob", "Probier clang."), ("ann", "Danke, geht aber leider immer noch nicht.")],
        ("L1", "stale", "asker_last", None),
    ),
    "thanked beforehand": (
        [FRAGE, ("bob", "Welche Version?"), ("ann", "2.0, schon mal danke")],
        ("L1", "stale", "asker_last", None),
    ),
    "not at all": (
        [FRAGE, ("bob", "Probier clang."), ("ann", "Klappt bei mir nicht, gleicher Fehler.")],
        ("L1", "stale", "asker_last", None),
    ),
    "asked back": (
        [FRAGE, ("bob", "Zeig mal bitte das ganze Protokoll.")],
        ("L1", "stale", "asked_back", None),
    ),
    "in English": (
        [FRAGE, ("bob", "Use clang."), ("ann", "thx, works now")],
        ("L3", "solved", "thanked", "1"),
    ),
}


@pytest.mark.parametrize(("turns", "expected"), GERMAN.values(), ids=GERMAN)
def test_how_far_a_german_question_has_come(turns, expected):
    asked = thread(*turns, title="Bauen unter Windows schlägt fehl")
    scores = list(Judge(("de",)).score(asked.messages[:1]))
    assert {s.language for s in scores if s.label == "question"} == {"de"}
    verdict = unanswered(replace(asked, scores={"0": scores}), LATER)
    assert (verdict.level, verdict.state, verdict.reasons[0].code, verdict.answer) == expected


@pytest.mark.parametrize(
    ("title", "level"), [("[Gelöst] Bauen schlägt fehl", "L3"), ("[ungelöst] Bauen", "L0")]
)
def test_a_title_says_in_german_whether_it_is_solved(title, level):
    assert unanswered(thread(FRAGE, title=title), LATER).level == level


def test_who_waits_waits_since_the_question_or_since_their_last_word():
    assert unanswered(thread(ASK), LATER).waiting_since == START
    verdict = unanswered(thread(ASK, ("bob", "Which?"), ("ann", "2.0")), LATER)
    assert verdict.waiting_since == START + timedelta(hours=2)
    solved = unanswered(thread(ASK, title="[SOLVED] Build fails"), LATER)
    assert (solved.level, solved.waiting_since) == ("L3", None)


def test_a_deleted_asker_does_not_turn_replies_into_monologue():
    verdict = unanswered(thread((None, "How?"), (None, "Which one do you mean?")), LATER)
    assert verdict.level == "L1"


QUESTIONS = [
    ("Failed to connect to server", "I tried Linux and Windows and get the same error."),
    ("Double sided textures", "How can I make them?"),
    ("", "can someone tell me how to mount a drive"),
    ("", "请问怎么安装这个插件"),
    ("", "怎么用？"),
    ("部署后报错", "日志如下,有没有人遇到过?"),
    ("", "what does this mean? https://example.org/paste/1"),
    ("", "How do I do that?\n> error: no such file"),
    ("", "how do I do it on 22.04?"),
    ("", "昨天的问题有人解决了吗？怎么解决的？"),
]
STATEMENTS = [
    ("My new game is released", "Check it out, I hope you like it!"),
    ("Version 2.0 released", "Download it now. Here is the changelog."),
    ("", "hi everyone"),
    ("", "有人吗"),
    ("", "哪个？"),
    ("", "那怎么办？然后呢？"),
    ("", "谢谢昨天帮忙的朋友"),
    ("", "感谢昨天帮忙的各位，问题解决了"),
    ("开源了一个小工具", "欢迎试用,分享给大家"),
    ("", "We moved the meeting to Monday."),
    ("", "hola?"),
    ("", "@bob you there?"),
    ("Hello", "Is there anyone who’d see this?"),
    ("", "which one?"),
    ("", "Why? And then what?"),
]


GERMAN_QUESTIONS = [
    (
        "Synchronisation hakt",
        "Seit der neuen Fassung bleibt sie bei 98 % hängen. Was kann ich tun?",
    ),
    ("Kalender synct nicht", "Die Protokolle sind leer, der Speicher reicht."),
    ("Welche Platte für den Keller?", "Budget 150 Euro, soll leise sein."),
    ("Bin ratlos: Lüfter dreht voll auf", "Paste erneuert, nichts hat geholfen."),
    ("", "wie schalte ich beim router den gastzugang ab"),
    ("", "weiß einer von euch, ob der adapter mit dem neuen board läuft"),
    ("", "hallo zusammen, mein scanner taucht nach dem update nicht mehr in der liste auf"),
    ("", "ich komm bei der einrichtung nicht weiter, er will ein passwort"),
    ("", "krieg den treiber ned installiert"),
    ("", "kann mir bitte jemand erklaeren wie das mit den rechten funktioniert"),
    ("", "Könnten Sie mir sagen, wo die Rechnungen liegen?"),
    ("", "moin, hat wer ne idee warum die uhr nachgeht"),
    ("", "die datei lässt sich seit gestern nicht öffnen"),
    ("", "hat jemand any idea zu diesem linker flag?"),
]
GERMAN_STATEMENTS = [
    ("Neues Thema veröffentlicht", "Das dunkle Thema ist ab sofort da. Viel Spaß damit!"),
    ("Wir ziehen um", "Ab Montag ist das Forum unter neuer Adresse erreichbar."),
    ("Mein Schrank voller Rechner", "Zwei kleine, ein großer. Bilder unten."),
    ("Wie wir unsere Testzeit halbiert haben", "Ein Bericht aus drei Monaten Arbeit."),
    ("Danke für die tolle Konferenz", "Es war großartig, euch alle zu sehen. Folien folgen."),
    ("", "guten morgen zusammen, der kaffee ist fertig"),
    ("", "hat sich geklärt, war ein tippfehler"),
    ("", "kann ich verstehen, ging mir früher genauso"),
    ("", "wer mitmachen will, meldet sich bei mir"),
    ("", "die neue version gefällt mir nicht so gut wie die alte"),
    ("", "jemand da?"),
    ("", "Und welche denn?"),
    ("", "was soll das, kann man das so sagen?"),
    ("Hallo", "Ist da wer? Könntet ihr mir bitte mal was sagen?"),
]


REPORTS = [  # which a chat line of the same words does not
    ("en", "Lamp stays dark", "It was fine until I moved the hub. Nothing in the log."),
    ("en", "Sync of shared folders", "Our second server never gets the new files."),
    ("de", "Rollladen im Bad", "Seit dem Umbau fährt er morgens nur halb und gar nicht zurück."),
    ("zh", "二楼的灯", "换了网关以后，我这边二楼的灯一直收不到指令"),
]
WITH_ERRORS = [
    '```\nTraceback (most recent call last):\n  File "a.py", line 3, in run\n```',
    "```\nerror[E0502]: borrow of moved value\n```",
    "It says `Connection refused` there.",
]
WITH_CODE = [
    '```\nprint("error: " + text)\n```',
    "```\ncatch (IOException e) { throw new Error(e); }\n```",
]


@pytest.mark.parametrize(("language", "title", "text"), REPORTS)
def test_a_titled_text_that_says_what_does_not_go_and_of_whose_or_since_when_asks(
    language, title, text
):
    value, reasons = needs_answer(title, authored(text, "markdown"), language)
    assert value >= 0.5
    assert "reports" in {reason.code for reason in reasons}
    _, reasons = needs_answer("", authored(text, "markdown"), language)
    assert "reports" not in {reason.code for reason in reasons}


def test_a_report_is_short_and_neither_shows_nor_links_to_anything():
    said = "Our second server never gets the new files. "
    for text in (said * 12, f"{said} https://example.org/", f"{said} Now available for download."):
        _, reasons = needs_answer("Sync of folders", authored(text, "markdown"))
        assert "reports" not in {reason.code for reason in reasons}


@pytest.mark.parametrize("text", WITH_ERRORS)
def test_what_a_program_says_when_it_fails_asks_under_a_title(text):
    value, reasons = needs_answer("Import of the list", authored(text, "markdown"))
    assert value >= 0.5
    assert "with_error" in {reason.code for reason in reasons}
    assert needs_answer("", authored(text, "markdown"))[0] < 0.5


@pytest.mark.parametrize("text", WITH_CODE)
def test_code_that_speaks_of_errors_does_not(text):
    assert needs_answer("Import of the list", authored(text, "markdown"))[0] < 0.5


NOUNS = [  # which tell nothing by themselves
    ("en", "Gate shows open", "How can I make it see that it is closed?"),
    ("en", "Crash in the release build", "Why does only that one fail?"),
    ("en", "The new version has no menu", "Where did it go?"),
    ("en", "Sound in my game", "How do I play two at once?"),
    ("zh", "收不到通知", "怎样打开？"),
    ("zh", "发布时报错", "怎么解决？"),
]


@pytest.mark.parametrize(("language", "title", "text"), NOUNS)
def test_a_noun_of_announcements_cancels_no_question(language, title, text):
    assert needs_answer(title, authored(text, "markdown"), language)[0] >= 0.5


TEACHES = [
    ("en", "Guide: how to put the hub on a wall", "Why? It hears more there. Four screws do."),
    ("en", "How I halved the size of my backups", "What helped? Mostly the new filter."),
    ("en", "Why we left the old server", "Was it slow? It was."),
    (
        "en",
        "How to sort the list by size",
        "Open the menu, choose the second entry, and hold the key while you click on the column.",
    ),
    ("de", "Anleitung: Was tun, wenn der Speicher voll ist", "Zuerst den Ordner leeren."),
    ("de", "Wie ich den Zähler auslese", "Was braucht man? Einen Lesekopf und Geduld."),
    ("zh", "教程：如何备份", "怎么做？先停服务，再复制。"),
    ("zh", "我是如何备份的", "先停服务，再复制。需要多久？一小时。"),
]
ASKS_ALL_THE_SAME = [
    ("en", "How I can sort the list?", "By size."),
    ("en", "How can I sort the list", "By size, please."),
    ("en", "How to sort the list by size", "I looked through the whole menu, and I found nothing."),
    ("en", "How to sort the list", "By size."),
    ("en", "Guide for beginners?", "Is there one?"),
    ("de", "Wie ich den Zähler auslesen kann?", "Er steht im Keller."),
    ("zh", "教程在哪里？", "找不到了"),
]


@pytest.mark.parametrize(("language", "title", "text"), TEACHES)
def test_a_title_that_announces_an_explanation_asks_nothing(language, title, text):
    assert needs_answer(title, authored(text, "markdown"), language)[0] < 0.5


@pytest.mark.parametrize(("language", "title", "text"), ASKS_ALL_THE_SAME)
def test_a_title_that_asks_how_still_asks(language, title, text):
    assert needs_answer(title, authored(text, "markdown"), language)[0] >= 0.5


def test_a_question_in_few_words_that_is_answered_at_once_asks_nothing():
    told = "The server moves on Monday. {} Write to the list."
    for short in ("What now?", "Questions?", "Who helps?"):
        text = authored(told.format(short), "markdown")
        assert needs_answer("The server moves", text)[0] < 0.5
    for more in ("What will become of the old one?", "Any ideas?"):
        text = authored(told.format(more), "markdown")
        assert needs_answer("The server moves?", text)[0] >= 0.5


def test_a_poll_asks_nobody_in_particular():
    body = '<p>Which one do you use?</p><div class="poll" data-poll-name="p"><ul></ul></div>'
    asked = Message("f", "1", "1", "ann", START, body, "html", is_first=True, title="Which one?")
    plain = replace(asked, body="<p>Which one do you use?</p><div class='polling'></div>")
    found = [s.is_flagged for s in Judge().score([asked, plain]) if s.label == "question"]
    assert found == [False, True]


@pytest.mark.parametrize(("title", "text"), GERMAN_QUESTIONS)
def test_these_need_an_answer_in_german(title, text):
    value, reasons = needs_answer(title, authored(text, "markdown"), "de")
    assert value >= 0.5
    assert reasons


@pytest.mark.parametrize(("title", "text"), GERMAN_STATEMENTS)
def test_these_do_not_in_german(title, text):
    assert needs_answer(title, authored(text, "markdown"), "de")[0] < 0.5


@pytest.mark.parametrize(("title", "text"), QUESTIONS)
def test_these_need_an_answer(title, text):
    value, reasons = needs_answer(title, authored(text, "markdown"))
    assert value >= 0.5
    assert reasons


@pytest.mark.parametrize(("title", "text"), STATEMENTS)
def test_these_do_not(title, text):
    assert needs_answer(title, authored(text, "markdown"))[0] < 0.5


def test_a_question_that_begins_nothing_in_its_channel_is_none():
    asked = thread(ASK, title=None)
    asked = replace(asked, scores={"0": list(Judge().score(asked.messages))})
    for begins, kinds in ((True, ["question"]), (False, [])):
        found = findings(asked, START, Heard(begins, answered=0.1))
        assert [row["kind"] for row in found] == kinds


def test_what_quotes_a_question_in_a_channel_replies_to_it():
    said = thread(ASK, ("bob", "Raise its limit to two."), title=None)
    said = replace(said, scores={"0": list(Judge().score(said.messages[:1]))})
    outside = replace(said.messages[1], thread_id="2")
    for reply_to, level in ((None, "L0"), ("0", "L1"), ("7", "L0")):
        quoting = [said.messages[0], replace(outside, reply_to=reply_to)]
        [row] = findings(replace(said, messages=quoting), START, Heard(True, answered=0.1))
        assert row["level"] == level


def test_what_the_asker_finds_in_a_channel_solves_the_question():
    asked = thread(ASK, title=None)
    asked = replace(asked, scores={"0": list(Judge().score(asked.messages))})
    [row] = findings(asked, START, Heard(True, answered=0.1, solved="nvm, found it"))
    assert (row["level"], row["state"], row["rule"]) == ("L3", "solved", "self_solved")


def test_a_question_in_a_channel_comes_with_what_was_said_before_it():
    asked = thread(ASK, title=None)
    asked = replace(asked, scores={"0": list(Judge().score(asked.messages))})
    before = replace(asked.messages[0], message_id="b", body="> no\n\nThe *beta* is out.")
    [row] = findings(asked, START, Heard(begins=True, answered=0.1, before=before))
    assert (row["context"], row["context_id"]) == ("The *beta* is out.", "b")
    [row] = findings(asked, START, Heard(begins=True, answered=0.1))
    assert "context" not in row


@pytest.mark.parametrize(
    ("title", "sentence"), [(None, "It fails with an error here."), ("Help", None)]
)
def test_what_has_neither_title_nor_sentence_is_told_by_its_beginning(title, sentence):
    asked = thread(("ann", "It fails with an\nerror here."), title=title)
    [score] = [s for s in Judge().score(asked.messages) if s.label == "question"]
    score = replace(score, score=0.9, threshold=0.5, sentence=None)
    [row] = findings(replace(asked, scores={"0": [score]}), START)
    assert row["sentence"] == sentence


def test_a_plain_rule_speaks_for_a_thread_before_the_surest_alert_of_a_model():
    said = thread(ASK, ("bob", "Fuck you."), ("cem", "What a clown."))
    scores = {s.message_id: [s] for s in Judge().score(said.messages) if s.label == "strict"}
    scores["2"] = [replace(scores["2"][0], score=0.99, reasons=(Reason("insult"),))]
    [row] = [row for row in findings(replace(said, scores=scores), START) if row["kind"] == "toxic"]
    assert (row["message_id"], row["evidence"]) == ("1", ["rule"])


def judged(*turns, **more):
    view = thread(*turns, **more)
    scores = {}
    for score in Judge(("en",)).score(view.messages):
        scores.setdefault(score.message_id, []).append(score)
    return replace(view, scores=scores)


def heated(*turns, **more):
    return heat(judged(*turns, **more))


def test_a_calm_thread_shows_no_evidence():
    found = heated(ASK, ("bob", "Use clang, it is in the manual."), ("ann", "Works, thanks!"))
    assert (found.severity, found.kinds, found.turn, found.is_warming) == (0, (), None, False)
    assert found.score < 0.2


def test_a_quarrel_is_found_by_several_kinds_of_evidence_and_its_turn():
    found = heated(
        ASK,
        ("bob", "Use clang."),
        ("ann", "You did not read what I wrote."),
        ("bob", "You never gave any details, this is ridiculous."),
        ("ann", "You are an idiot, shut up."),
        ("bob", "Fuck you. You have no idea what you talk about."),
    )
    assert {"alert", "tone", "wording", "pattern"} <= set(found.kinds)
    assert found.severity == len(found.kinds) == len(found.reasons)
    assert found.is_warming
    assert found.turn == 4  # neither "you did not" nor what is merely rough
    assert len(found.curve) == 6
    assert found.curve[-1] == max(found.curve)


def test_a_quarrel_is_told_by_its_first_rough_message_however_it_goes_on():
    calm = [("bob", f"It works with option {n}.") for n in range(9)]
    first = ("ann", "You are an idiot, shut up.")
    later = ("bob", "Fuck you. You have no idea what you talk about.")
    quarrel = [ASK, ("bob", "You did not mention the version."), first]
    assert heated(*quarrel, later).turn == 2
    assert heated(*quarrel, later, first, later).turn == 2
    assert heated(*quarrel, *calm, later, first).turn == 3 + len(calm)  # another quarrel


def test_a_sour_thread_is_told_with_the_rough_sentence_and_its_author():
    view = judged(
        ASK,
        ("bob", "You did not mention the version."),
        ("ann", "Read it again. You are an idiot, shut up."),
        ("bob", "Fuck you. You have no idea what you talk about."),
    )
    [sour] = [row for row in findings(view, LATER) if row["kind"] == "sour"]
    assert (sour["message_id"], sour["turn"]) == ("2", 3)
    assert sour["sentence"] == "You are an idiot, shut up."


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("You never read it", True),
        ("Du liest es nie", True),
        ("Das ist nicht dein Ernst", True),
        ("你根本没看", True),
        ("Geht das nicht? Du kannst es neu starten", False),
        ("The du command does not count links", False),
    ],
)
def test_you_with_not_is_heard_in_each_language_within_a_sentence(said, found):
    kinds = heated(ASK, ("bob", said), ("ann", "Use clang."), ("bob", said)).kinds
    assert ("wording" in kinds) == found


def test_two_who_curse_at_nobody_do_not_quarrel():
    found = heated(
        ASK,
        ("bob", "Oh shit, same here."),
        ("ann", "Damn, since the update?"),
        ("bob", "Holy crap, it is the cache."),
        ("ann", "Fuck yeah, that was it, thanks!"),
        ("bob", "Hell yeah, what a day"),
    )
    assert (found.kinds, found.is_warming) == (("pattern",), False)


def test_an_alert_says_whose_it_is_unless_a_plain_rule_found_one_too():
    said = thread(ASK, ("bob", "What a clown."), ("cem", "Fuck you."))
    [first, second] = [
        replace(score, score=0.99, reasons=reasons)
        for score, reasons in zip(
            [s for s in Judge().score(said.messages) if s.label == "strict"][1:],
            [(Reason("insult"),), (Reason("curses_you"),)],
            strict=True,
        )
    ]
    modelled = heat(replace(said, scores={"1": [first]}))
    assert modelled.reasons[0] == Reason("alert_messages", {"n": 1, "models": "strict_en"})
    ruled = heat(replace(said, scores={"1": [first], "2": [second]}))
    assert ruled.reasons[0] == Reason("alert_messages", {"n": 2})


def test_reports_by_members_call_for_a_moderator_whatever_the_model_says():
    found = heated(ASK, ("bob", "Use clang."), ("cem", "Not here."), reports={"2": 1, "1": 2})
    assert (found.kinds, found.reasons) == (("reports",), (Reason("reported", {"n": 3}),))
    assert found.turn == 1
    assert found.is_warming


def test_a_thread_in_no_known_language_has_no_heat():
    found = heated(("ann", "Почему это не работает? Помогите пожалуйста"))
    assert (found.score, found.severity) == (None, 0)
