"""What the last words of an asker, and the first ones of others, do to a question."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.classify import Message, ThreadView, unanswered
from pipeline.classify.message import Score

START = datetime(2026, 3, 1, tzinfo=UTC)
LATER = START + timedelta(days=30)
ASKED = {
    "en": ("The sync stops halfway", "How do I make it go on?"),
    "de": ("Der Abgleich bleibt stehen", "Wie bringe ich ihn dazu, weiterzulaufen?"),
    "zh": ("同步到一半就停", "怎样才能让它继续？"),
}
HELP = {
    "en": "Raise the quota of that folder to 2 GB.",
    "de": "Stell die Quote des Ordners auf 2 GB.",
    "zh": "把文件夹的配额调到 2 GB。",
}


def verdict(language, *turns):
    """Of a question by ann in a language, and what was said to it, an hour apart."""
    title, body = ASKED[language]
    messages = [
        Message(
            "forum",
            "1",
            str(n),
            account,
            START + timedelta(hours=n),
            text,
            "markdown",
            is_first=n == 0,
            title=None if n else title,
            username=account,
        )
        for n, (account, text) in enumerate([("ann", body), *turns])
    ]
    score = Score("forum", "0", "", language, "question", 0.9, 0.5, "question_rules", "1")
    return unanswered(ThreadView("forum", "1", messages, {"0": [score]}), LATER)


def after_help(language, *said):
    """The rule of a question that was answered, after which ann said this."""
    return verdict(language, ("bob", HELP[language]), *(("ann", each) for each in said)).rule


def alone(language, said):
    """The rule of a question to which only bob said this."""
    return verdict(language, ("bob", said)).rule


LAST_WORDS = [
    ("en", "Thanks, I will do that.", "It is at 2 GB now and it still stops."),
    ("en", "That worked, thank you!", "Does it need that for every folder?"),
    ("en", "Ah, thank you!", "That is not the folder I meant."),
    ("de", "Vielen Dank!", "Leider bleibt er immer noch stehen."),
    ("de", "Danke dir, läuft jetzt.", "Muss ich das bei jedem Ordner machen?"),
    ("zh", "谢谢！", "还是不行，到一半又停了。"),
    ("zh", "搞定了，谢谢", "每个文件夹都要这样调吗？"),
]


@pytest.mark.parametrize(("language", "first", "last"), LAST_WORDS)
def test_the_last_word_of_the_asker_counts(language, first, last):
    assert after_help(language, first) in {"thanked", "self_solved"}
    assert after_help(language, first, last) == "asker_last"


def test_thanks_after_the_trouble_end_it_and_a_later_helper_is_heard():
    assert after_help("en", "Thanks!", "It still stops.", "Oh, it was full. Thanks!") == "thanked"
    said = [("ann", "Thanks!"), ("ann", "It still stops."), ("cem", "Look into its log.")]
    found = verdict("en", ("bob", HELP["en"]), *said)
    assert (found.level, found.rule) == ("L1", "no_sign_of_help")


def test_a_like_from_before_the_trouble_is_none():
    said = [("ann", ASKED["en"][1]), ("bob", HELP["en"]), ("ann", "It still stops, same error.")]
    messages = [
        Message("forum", "1", str(n), who, START, text, "markdown", is_first=n == 0)
        for n, (who, text) in enumerate(said)
    ]
    messages[1] = replace(messages[1], thanked_by=frozenset({"ann"}))
    assert unanswered(ThreadView("forum", "1", messages[:2]), LATER).rule == "liked"
    assert unanswered(ThreadView("forum", "1", messages), LATER).rule == "asker_last"


NEW_TROUBLE = [
    ("en", "Thanks. Now I get a warning about the disk."),
    ("en", "Thank you for looking, but the folder has no quota."),
    ("en", "Thanks, raised it to 4 GB, no change."),
    ("en", "Thank you. It didn't get any further."),
    ("en", "That works for small files, but not for the big one."),
    ("en", "Works now, except for the last folder."),
    ("en", "Got it working, thanks! And how do I undo it?"),
    ("en", "Thanks!\n```\nERROR: quota of /srv/a exceeded\n```"),
    ("de", "Danke! Jetzt kommt eine andere Warnung."),
    ("de", "Danke für die Mühe, aber der Ordner hat gar keine Quote."),
    ("de", "Funktioniert jetzt, allerdings nur bei kleinen Dateien."),
    ("zh", "谢谢，调完以后没有变化"),
    ("zh", "可以了，但大文件一到一半就停"),
    ("zh", "感谢，现在提示磁盘已满"),
]


@pytest.mark.parametrize(("language", "said"), NEW_TROUBLE)
def test_thanks_before_new_trouble_end_nothing(language, said):
    assert after_help(language, said) == "asker_last"


ENDS = [
    ("en", "Thanks, I didn't know that."),
    ("en", "It works, but I have no idea why."),
    ("en", "Thank you, it doesn't stop any more!"),
    ("en", "Now it works, thanks!"),
    ("de", "Danke, das wusste ich nicht."),
    ("zh", "好了，但不知道为什么，谢谢"),
]


@pytest.mark.parametrize(("language", "said"), ENDS)
def test_what_one_did_not_know_takes_no_thanks_back(language, said):
    assert after_help(language, said) in {"thanked", "self_solved"}


CALM = [
    ("en", "I will raise it tonight and tell you."),
    ("en", "Two gigabytes it is."),
    ("en", "The admin does that tomorrow."),
    ("de", "Mache ich heute Abend und berichte dann."),
    ("de", "Zwei Gigabyte also."),
    ("zh", "今晚就去调"),
    ("zh", "嗯，我明天改"),
]
WAITING = [
    ("en", "Anybody else?"),
    ("en", "It has no quota."),
    ("en", "The folder is at 2 GB already."),
    ("en", "The error is in line 3."),
    ("en", "`quota -v` says 2 GB."),
    ("en", "It goes up to half, " * 10),
    ("de", "Der Ordner hat keine Quote."),
    ("de", "Weiß es jemand anders?"),
    ("zh", "没有配额这一项"),
    ("zh", "求大佬"),
]


@pytest.mark.parametrize(("language", "said"), CALM)
def test_a_short_calm_last_word_waits_for_nobody(language, said):
    found = verdict(language, ("bob", HELP[language]), ("ann", said))
    assert (found.level, found.state, found.rule) == ("L1", "open", "asker_rests")


@pytest.mark.parametrize(("language", "said"), WAITING)
def test_other_last_words_wait(language, said):
    assert after_help(language, said) == "asker_last"


@pytest.mark.parametrize(
    ("language", "asked", "told"),
    [
        ("en", "How big is the folder?", "It has 3 GB."),
        ("de", "Wie groß ist der Ordner?", "Drei Gigabyte."),
        ("zh", "文件夹有多大？", "三个 GB"),
    ],
)
def test_details_after_a_helper_asked_back_wait(language, asked, told):
    assert verdict(language, ("bob", asked), ("ann", told)).rule == "asker_last"


def test_who_only_talks_to_themselves_waits_unless_they_say_that_it_is_over():
    assert verdict("en", ("ann", "It is version 3.")).rule == "only_asker"
    for language, over in (
        ("en", "Please ignore."),
        ("de", "Alles gut."),
        ("zh", "原来是磁盘满了"),
    ):
        assert verdict(language, ("ann", over)).level == "L3"


ME_TOO = [
    ("en", "I see this too."),
    ("en", "We have it on two servers as well."),
    ("en", "I get exactly the same with version 3."),
    ("en", "I use the same client and just then it stopped here too."),
    ("en", "Same problem on FreeBSD."),
    ("en", "Any news on that from the people who make it?"),
    ("en", "I would love to know that."),
    ("en", "Following."),
    ("de", "Das habe ich auch, seit gestern."),
    ("de", "Würde mich auch interessieren."),
    ("de", "Gute Frage!"),
    ("zh", "我这边也这样"),
    ("zh", "同样的问题"),
    ("zh", "顶一下"),
]
REMARKS = [
    ("en", "No idea, I only use the web page."),
    ("en", ":popcorn:"),
    ("en", "👀"),
    ("en", "^^"),
    ("en", "We have received your message and will get back to you."),
    ("en", "Please search the forum before you post."),
    ("de", "Keine Ahnung, bei mir ist alles alt."),
    ("de", "Bitte zuerst die Suchfunktion verwenden."),
    ("zh", "不清楚"),
    ("zh", "您好，已收到您的反馈，我们会尽快回复。"),
]
ANSWERS = [
    ("en", "Bump the limit to 3 GB."),
    ("en", "The same folder must not be in two lists."),
    ("en", "Mark the folder as shared."),
    ("en", "I had that too, try a bigger quota."),
    ("en", "I had that too. Set the quota to 0."),
    ("en", "Same here until I raised it: `quota 3G`"),
    ("en", "Same here, see https://example.org/quota"),
    ("en", "Not sure, but the disk may be full."),
    ("en", "5.0.1"),
    ("en", "Full disk."),
    ("de", "Dieselbe Quote wie beim ersten Ordner eintragen."),
    ("de", "Das hatte ich auch, nimm eine größere Quote."),
    ("zh", "点置顶帖里的第二个链接"),
    ("zh", "磁盘满了"),
]


@pytest.mark.parametrize(("language", "said"), ME_TOO)
def test_who_joins_the_asker_answers_nothing(language, said):
    assert alone(language, said) == "only_me_too"


@pytest.mark.parametrize(("language", "said"), REMARKS)
def test_some_replies_answer_nothing_whatever_was_asked(language, said):
    found = verdict(language, ("bob", said), ("cem", "Me too"))
    assert (found.level, found.rule) == ("L0", "only_remarks")


@pytest.mark.parametrize(("language", "said"), ANSWERS)
def test_a_short_answer_is_one_whatever_words_it_shares_with_me_too(language, said):
    assert verdict(language, ("bob", said)).level != "L0"


def test_thanks_for_a_remark_are_no_sign_of_help():
    assert verdict("en", ("bob", "No idea, sorry."), ("ann", "Thanks anyway")).level == "L0"
