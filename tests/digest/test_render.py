"""What a reader sees: every form, in both languages, from the same words."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from pipeline.digest.edition import Claim, Health
from pipeline.digest.files import deliver_files
from pipeline.digest.page import page
from pipeline.digest.render import (
    posts,
    render_chat,
    render_html,
    render_json,
    render_markdown,
    render_rss,
    render_text,
)
from pipeline.digest.selection import select
from pipeline.digest.words import LANGUAGES, Words, catalogue, fields
from pipeline.errors import FixSettings
from pipeline.settings import Language
from pipeline.sources.rocketchat.posting import LONGEST
from tests.digest.night import AS_OF, BUSY, HEALTH, NIGHT, community, edition, row, thanked

DIGEST = Path(__file__).parents[2] / "pipeline" / "digest"


def test_every_language_has_the_same_texts_with_the_same_values():
    english, chinese = catalogue("en"), catalogue("zh")
    assert get_args(Language) == LANGUAGES
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        if key.startswith("date."):
            assert len(text) == len(chinese[key]) or isinstance(text, str)
        else:
            assert fields(text) == fields(chinese[key]), key
    assert all(text for text in chinese.values())


def test_every_text_of_the_catalogue_is_said_somewhere():
    files = (*DIGEST.rglob("*"), *DIGEST.with_name("report").rglob("*.py"))
    code = "".join(file.read_text() for file in files if file.suffix in CODE)
    prefixes = tuple(re.findall(r'f"([a-z_]+\.[a-z_.]*)\{', code))
    unsaid = [key for key in catalogue("en") if f'"{key}"' not in code]
    assert [key for key in unsaid if not key.startswith(prefixes)] == []


CODE = (".py", ".html", ".txt", ".md", ".xml")


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        (
            "en",
            "[Ember users] 2 newcomers waiting · 2 open questions · 1 thread warming · "
            "1 to judge · incomplete — Tue 3 Mar",
        ),
        (
            "zh",
            "[Ember users] 2 位新人在等回复 · 2 个问题待解答 · 1 个话题升温 · "
            "1 条待判断 · 数据不全 — 3月3日 周二",
        ),
    ],
)
def test_the_subject_counts_what_needs_a_person(language, subject):
    assert page(edition(BUSY, HEALTH), language, str).subject == subject


def test_every_reason_of_a_judgement_has_words_in_every_language():
    codes = [key for key in catalogue("en") if key.startswith("reason.")]
    assert len(codes) > 20
    made = edition([row("1", "toxic", reasons=[{"code": "insult", "words": "idiot, fool"}])])
    assert "   - insulting words: i***t, f**l\n" in render_text(made, "en")
    assert "   - 侮辱性词语：i***t, f**l\n" in render_text(made, "zh")


@pytest.mark.parametrize("reason", [{"code": "unheard_of"}, {"code": "insult", "word": "old form"}])
def test_a_reason_without_words_is_shown_by_its_code(reason):
    made = edition([row("1", "toxic", reasons=[reason])])
    assert f"   - another sign ({reason['code']})\n" in render_text(made, "en")


def test_a_quiet_night_is_one_friendly_line():
    text = render_text(edition([], Health(waiting=2)), "en")
    assert text.startswith(
        "Ember users: the morning list\nTue 3 Mar\n\n"
        "A quiet night. Nothing needs you this morning.\n\nHOW WE ARE DOING\n"
    )
    assert page(edition([]), "en", str).subject == "[Ember users] quiet night — Tue 3 Mar"


def test_an_incomplete_night_is_never_called_quiet():
    words = page(edition([], HEALTH), "en", str)
    assert words.subject == "[Ember users] incomplete — Tue 3 Mar"
    assert words.summary == (
        "This list is incomplete: not all could be read. What was read needs nothing of you."
    )
    assert words.alarms == (
        "chat could not be read since Sun 1 Mar, 03:04 (Europe/Berlin): 503 from the server",
    )


def test_a_source_that_failed_tonight_for_the_first_time_is_named():
    health = Health(stale_sources=({"source": "forum/posts", "since": None, "why": "it is down"},))
    words = page(edition([], health), "en", str)
    assert words.alarms == ("forum/posts could not be read tonight: it is down",)


def test_thanks_say_what_for_and_numbers_say_how_sure():
    text = render_text(edition([], HEALTH), "en")
    assert "- Ines\n  first accepted answer ever, first to reply to 2 newcomers\n" in text
    assert "- Tom\n  2 accepted answers, an answer that was liked\n" in text
    assert (
        "First reply by a person: half within 5 h (4 h to 6 h), nine in ten within 3 days\n" in text
    )
    assert "Coverage of the sources: 99 % of the last 30 days read whole\n" in text
    chinese = render_text(edition([], HEALTH), "zh")
    assert "半数在 5 小时（4 小时至 6 小时）内" in chinese


def test_a_warming_thread_tells_its_turn_and_what_one_could_do():
    text = render_text(edition([BUSY[4]]), "en")
    assert "2 other items by this author were confirmed in the last 90 days" in text
    assert (
        "   Just before: Please read the b****y thread before you answer.\n   > You clearly" in text
    )
    assert (
        "   ▁▂▂▅▆ heat over the last 5 turns; the link leads to turn 4\n"
        "   You could: set slow mode for some hours; post a calm reminder of what the thread is about\n"
    ) in text


def test_who_might_know_and_what_was_confirmed_are_for_moderators_alone():
    told = render_text(edition(BUSY), "en")
    assert "   Might know: Tom (4 answers here), Ines (wrote about shader)\n" in told
    readers = community(audiences={"helpers": {}})
    made = select(BUSY, HEALTH, (), readers, "helpers", as_of=AS_OF, night=NIGHT)
    assert not re.search("Might know|confirmed", render_text(made, "en"))


def test_a_claim_and_an_unusual_age_are_told():
    claim = (Claim("ada", datetime(2026, 3, 3, 18, tzinfo=UTC)),)
    claims = {("forum", "1", "unanswered", "aa"): claim}
    text = render_text(edition([row("1", older_than_rate=0.929)], claims=claims), "en")
    assert (
        "   ada is looking after it until Tue 3 Mar, 19:00 (Europe/Berlin) · waiting 30 h, target 24 h"
        " · older than 92 % of answered questions · in Help"
    ) in text
    oldest = render_text(edition([row("1", older_than_rate=1.0)]), "en")
    assert " · older than all answered questions · in Help" in oldest


def test_text_tells_why_how_long_and_where():
    text = render_text(edition([BUSY[5]]), "en")
    assert (
        "1. Bug reports are being ignored\n"
        "   written 6 h ago · in General · by grumpy_dev · 40 views\n"
        "   > This m********r is a u*****s i***t, see hxxp://e**l.example/*\n"
        "   Why: a single sign: look twice\n"
        "   - another sign (model)\n"
        "   https://forum.example.org/t/6\n"
        "   Ref ahk3zxh · uncivil-en 1.2, score 0.93\n"
    ) in text.replace("[.]", ".")


@pytest.mark.parametrize("language", LANGUAGES)
def test_flagged_words_reach_no_reader_in_any_form(language):
    made = edition([row("1", "toxic", title="You idiot", sentence="You utter idiot and fool")])
    forms = [render(made, language) for render in (render_html, render_text, render_rss)]
    forms += [render_json(made), render_markdown(made, language)]
    forms += render_chat(made, language)[1][0]
    assert not [form for form in forms if re.search("idiot|fool|utter", form)]


def test_html_is_one_column_with_headings_in_order_and_nothing_remote():
    html = render_html(edition(BUSY, HEALTH), "en")
    assert re.findall(r"<h(\d)", html) == list("12332332323222")
    assert not re.search(r"<(img|script|link|iframe|object|video|audio|form)\b", html)
    assert not re.search(r"url\(|@import", html)
    assert set(re.findall(r'href="(https?://[^/"]+)', html)) == {"https://forum.example.org"}
    assert '<html lang="en">' in html
    assert 'lang="zh"' in html
    assert "@media (prefers-color-scheme: dark)" in html


@pytest.mark.parametrize("sign", ["宽", '"', "<", "_", "://", "www.a.b "])
def test_the_fullest_digest_stays_below_every_limit(sign):
    long = dict.fromkeys(("title", "sentence", "channel", "person"), sign * 500)
    long |= {"model": "m" * 40, "model_version": "1" * 40, "score": 0.5, "severity": 4}
    long |= {"reasons": [{"code": f"{i}" + sign * 99, "x": sign * 99} for i in range(9)]}
    long |= {"older_than_rate": 0.99, "context": sign * 500, "curve": [0.5] * 40}
    long |= {"who_might_know": [{"person": sign * 99, "answers": 0, "words": [sign * 99] * 3}] * 3}
    long |= {"evidence": ["reports", "pattern"], "confirmed_before": 9}
    kinds = ["newcomer_waiting"] * 10 + ["unanswered"] * 20 + ["sour"] * 3 + ["toxic"] * 12
    kinds += ["answered"] * 5
    rows = [row(str(i), kind, **long) for i, kind in enumerate(kinds)]
    health = Health(
        warnings=("w" * 400,) * 30,
        thanks=(thanked("p" * 90, newcomers=1, accepted=1, liked=1),) * 9,
        precision=(
            {"rule": "r" * 90, "agreed": 1, "judged": 2, "low": 0, "high": 1, "is_shadow": True},
        )
        * 30,
    )
    made = edition(rows, health, most_flags=15, most_questions=20, most_newcomers=10)
    assert sum(len(section.items) for section in made.sections) == 50
    for language in LANGUAGES:
        assert len(render_html(made, language).encode()) < 100_000
        parts = posts(render_markdown(made, language))
        assert max(map(len, parts)) <= 32_000
        assert "\n\n".join(parts) == re.sub(r"\n{2,}", "\n\n", render_markdown(made, language))
        head, items = render_chat(made, language)
        assert max(map(len, [*head.split("\n"), *(text for _, text in items)])) < LONGEST


def test_json_holds_the_list_and_the_numbers():
    tree = json.loads(render_json(edition(BUSY[:1], HEALTH)))
    assert tree["night"] == "2026-03-03"
    assert tree["health"]["waiting"] == 14
    [section] = tree["sections"]
    assert (section["name"], section["items"][0]["ref"]) == ("newcomers", "zmp6zan")
    assert section["items"][0]["title"] == "Where do I start with shaders?"


def test_a_feed_item_keeps_its_id():
    ids = [g.text for g in ET.fromstring(render_rss(edition(BUSY), "en")).iter("guid")]
    later = [g.text for g in ET.fromstring(render_rss(edition(BUSY[:2]), "zh")).iter("guid")]
    assert ids[:2] == later
    assert len(set(ids)) == len(BUSY) - 1  # what was answered needs nobody


def test_chat_has_a_head_and_one_message_an_item():
    head, items = render_chat(edition(BUSY, HEALTH), "en")
    assert head.startswith("*Ember users: the morning list* · Tue 3 Mar\n2 newcomers waiting · ")
    assert [ref for ref, _ in items] == [
        item.ref for section in edition(BUSY).sections[:-1] for item in section.items
    ]
    assert items[0][1] == (
        "*Newcomers waiting*: [Where do I start with shaders?](https://forum.example.org/t/1)\n"
        "waiting 26 h, 6.6 times its target of 4 h · in Getting started · first post by Priya"
        " · no reply · 132 views\n"
        "Might know: Tom (4 answers here), Ines (wrote about shader)\n"
        "✅ agree · ❌ disagree · 🤔 unsure · 🔧 handled · 💤 snooze · 🙋 mine\n"
        "Ref `zmp6zan`"
    )


@pytest.mark.parametrize(
    ("hours", "english", "chinese"),
    [
        (0.0, "1 min", "1 分钟"),
        (0.5, "30 min", "30 分钟"),
        (1, "1 h", "1 小时"),
        (47.4, "47 h", "47 小时"),
        (48, "2 days", "2 天"),
        (400, "17 days", "17 天"),
    ],
)
def test_durations_have_the_unit_a_person_would_choose(hours, english, chinese):
    assert Words("en", str).duration(hours) == english
    assert Words("zh", str).duration(hours) == chinese


def test_files_are_whole_and_a_rerun_replaces_them(tmp_path):
    first = deliver_files(edition(BUSY), tmp_path, ("en", "zh"))
    again = deliver_files(edition(BUSY, HEALTH), tmp_path, ("zh",))
    assert [file.name for file in first] == [
        "digest.html",
        "digest.txt",
        "digest.md",
        "feed.xml",
        "digest.zh.html",
        "digest.zh.txt",
        "digest.zh.md",
        "feed.zh.xml",
        "digest.json",
    ]
    folder = tmp_path / "2026-03-03-moderators"
    assert sorted(tmp_path.iterdir()) == [folder]
    assert sorted(folder.iterdir()) == sorted(again)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    assert (folder / "digest.html").read_text() == render_html(edition(BUSY, HEALTH), "zh")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FixSettings, match="cannot make the folder .*/file/digests"):
        deliver_files(edition(BUSY), tmp_path / "file" / "digests", ("en",))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
