"""Hostile text reaches no reader in a live form, in any form of the digest."""

import email.policy
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser

import markdown_it
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.digest import safe
from pipeline.digest.edition import Claim, Health
from pipeline.digest.render import (
    render_chat,
    render_html,
    render_json,
    render_markdown,
    render_rss,
    render_text,
)
from tests.digest.hostile import BATTERY
from tests.digest.night import AS_OF, SITE, edition, row, thanked

PIECES = st.sampled_from([*"<>[]()*_~`|#@:!&\\\"'=$/.\n\r\t ", "http://", "evil.com", "\u202e"])
ANY_TEXT = st.one_of(
    st.text(max_size=80),
    st.lists(st.one_of(PIECES, st.sampled_from(BATTERY[:90])), max_size=8).map("".join),
)


def everywhere(text):
    """An edition with the text in every place a member, a server or a rule can write to."""
    rows = [
        row(
            "1",
            "newcomer_waiting",
            title=text,
            channel=text,
            person=text,
            is_newcomer=True,
            who_might_know=[
                {"person": text, "answers": 0, "words": [text]},
                {"person": text, "answers": 2, "words": []},
            ],
        ),
        row(
            "2",
            "toxic",
            title="t",
            sentence=text,
            model="m",
            model_version="1",
            score=0.5,
            reasons=[{"code": "made_up", "word": text}],
        ),
        row(
            "3", "sour", title="t", sentence=text, context=text, curve=[0.1, 0.9], evidence=["tone"]
        ),
    ]
    health = Health(
        stale_sources=({"source": "forum", "since": None, "why": text},),
        warnings=(text,),
        thanks=(thanked(text, newcomers=1),),
        precision=(
            {"rule": text, "agreed": 1, "judged": 2, "low": 0, "high": 1, "is_shadow": False},
        ),
    )
    rows.append(row("4", title=text))  # told before, and in somebody's hands
    told = edition(rows[3:]).keys
    claim = (Claim(text, AS_OF),)
    claims = {("forum", "1", "newcomer_waiting", "aa"): claim, told[0][:4]: claim}
    return edition(rows, health, told=told, claims=claims)


def meek(text):
    """Harmless words where the text leaves anything to see, nothing where it leaves nothing."""
    return everywhere("x" if safe.plain(text) else "")


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.seen = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, sorted((k, v) for k, v in attrs if k != "lang")))

    def handle_endtag(self, tag):
        self.seen.append(tag)

    def handle_comment(self, data):
        self.seen.append("comment")


def shape(markdown):
    """Types of all tokens that Markdown with HTML, tables and struck-out text allowed sees."""
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [
        (token.type, [child.type for child in token.children or () if child.type != "text_special"])
        for token in parser.parse(markdown)
    ]


def assert_harmless(text):
    bad, good = everywhere(text), meek(text)
    for language in ("en", "zh"):
        page = render_html(bad, language)
        assert Tags(page).seen == Tags(render_html(good, language)).seen
        assert shape(render_markdown(bad, language)) == shape(render_markdown(good, language))
        assert render_text(bad, language).count("\n") == render_text(good, language).count("\n")
        feed, meek_feed = render_rss(bad, language), render_rss(good, language)
        assert [e.tag for e in ET.fromstring(feed).iter()] == [
            e.tag for e in ET.fromstring(meek_feed).iter()
        ]
        assert_chat_is_flat(bad, good, language)
        for form in (page, render_markdown(bad, language), render_text(bad, language), feed):
            assert_no_live_link(form)
        assert not re.search(r"@\w", render_markdown(bad, language))
    assert json.loads(render_json(bad))["audience"] == "moderators"
    assert not re.search("[<>&]", render_json(bad))


def assert_chat_is_flat(bad, good, language):
    head, items = render_chat(bad, language)
    meek_head, meek_items = render_chat(good, language)
    pairs = [(head, meek_head)]
    pairs += [(item, other) for (_, item), (_, other) in zip(items, meek_items, strict=True)]
    for said, meekly in pairs:
        signs = Counter(c for c in said if c in "_~`[]<>|#@$\\\n")
        assert signs == Counter(c for c in meekly if c in "_~`[]<>|#@$\\\n")
        assert not re.search(r":[\w+-]+:", re.sub("https?://", "", said))
        assert len(said) < 5000


def assert_no_live_link(form):
    kinds = {unicodedata.category(c) for c in form if c != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not re.search(r"https?:/*(?!/*forum\.example\.org)\w", form, re.IGNORECASE)
    assert not re.search(r"evil\.com(?![a-z0-9-])", form, re.IGNORECASE)


@pytest.mark.parametrize("text", BATTERY, ids=range(len(BATTERY)))
def test_battery(text):
    assert_harmless(text)


@settings(max_examples=60)
@given(ANY_TEXT)
def test_any_text(text):
    assert_harmless(text)


@given(st.one_of(st.sampled_from(BATTERY), ANY_TEXT), st.integers(10, 300))
def test_washing_twice_changes_nothing(text, most):
    once = safe.plain(text, most)
    assert safe.plain(once, 1000) == once
    assert len(once.replace("[.]", ".").replace("[:]", ":")) <= most + 1


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("See http://evil.com/a.b now", "See hxxp://evil[.]com/a.b now"),
        ("HTTPS://Evil.Com", "hxxPS://Evil[.]Com"),
        ("www.evil.com", "www[.]evil[.]com"),
        ("看evil.com的", "看evil[.]com的"),
        ("ask evil.co.uk or me", "ask evil[.]co[.]uk or me"),
        ("node.js, main.py, Fig.2, e.g. and 1.2.3", "node.js, main.py, Fig.2, e.g. and 1.2.3"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("http://a.com/?u=https://evil.com", "hxxp://a[.]com/?u=hxxps://evil[.]com"),
        ("ftp://x.y:/z", "ftp[:]//x.y[:]/z"),
        ("two\r\nlines\u2028here", "two lines here"),
        ("\u202ecba\u202c \u200bx", "cba x"),
        ("Việt café", "Việt café"),
        ("\u3164\u115f\u2800", ""),
    ],
)
def test_plain(said, shown):
    assert safe.plain(said) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [("abcdefghij", "abcdefghij"), ("abcdefghijk", "abcdefghi…"), ("新手求助", "新手…")],
)
def test_wide_signs_take_more_room(said, shown):
    assert safe.plain(said, 10) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("You are a useless idiot.", "You are a u*****s i***t."),
        ("what a sh1t answer, I don't need you", "what a s**t answer, I don't need you"),
        ("f o o and xy", "* * * and **"),
        ("你是个傻逼", "你是个**"),
        ("3 times on 2026", "3 times on 2026"),
    ],
)
def test_masked(said, shown):
    assert safe.masked(safe.plain(said)) == shown


def test_title_is_masked_where_it_repeats_the_flagged_words():
    assert safe.masked_like("The idiot renderer", "you idiot") == "The i***t renderer"


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "javascript:alert(1)",
        "http://evil.com/t/1",
        f"{SITE}.evil.com/t/1",
        f"{SITE}@evil.com/",
        f"{SITE}/t/1\r\nX: y",
        f'{SITE}/"onclick=',
        f"{SITE}/t/1)",
        f"{SITE}/ ",
        f"{SITE}/t/(1)",
        f"{SITE}/テ",
    ],
)
def test_foreign_or_strange_addresses_are_no_link(url):
    assert safe.web_address(url, (SITE,)) is None


def test_own_addresses_are_links():
    for url in (SITE, f"{SITE}/t/-/12/3?u=a&b=%20c#x"):
        assert safe.web_address(url, (SITE,)) == url


@given(ANY_TEXT)
def test_header_is_one_line(text):
    line = safe.for_header(text)
    email.policy.SMTP.header_factory("Subject", line)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)
