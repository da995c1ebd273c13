"""What the author wrote, and what others, programs and machines wrote into the same message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import Authored, authored, sentences, text_hash

CASES = [
    ("plain words stay", "markdown", "Hello  there\n\nfriend", Authored("Hello there\nfriend")),
    ("empty stays empty", "html", "", Authored("")),
    (
        "a reply quotes the post before",
        "markdown",
        '[quote="ann, post:3, topic:7"]\nyou are all idiots\n[/quote]\nPlease stay calm.',
        Authored("Please stay calm.", quotes=("you are all idiots",)),
    ),
    (
        "quotes nest, and the text after them is the author's",
        "markdown",
        "before [quote]outer [quote]inner[/quote] end[/quote] after",
        Authored("before\nafter", quotes=("outer  inner  end",)),
    ),
    (
        "an open quote runs to the end",
        "markdown",
        "mine [quote]theirs and theirs",
        Authored("mine", quotes=("theirs and theirs",)),
    ),
    (
        "lines that begin with > are quoted, one run is one quote",
        "markdown",
        "> kill it\n> now\nwhy?\n> because",
        Authored("why?", quotes=("kill it\nnow", "because")),
    ),
    (
        "rows of one mark part what is said",
        "markdown",
        "Setup\n=====\nmy config\n\n* * *\n*************\nwhat the **** is this ...\n...",
        Authored("Setup\nmy config\nwhat the **** is this ...\n..."),
    ),
    (
        "fenced, indented and inline code",
        "markdown",
        "Try `abort()` or\n```c\nkill(child);\n```\nthen\n\n    die();\n\nthanks",
        Authored("Try … or\nthen\nthanks", code=("kill(child);", "die();", "abort()")),
    ),
    (
        "speech is speech, also where it is marked as code",
        "markdown",
        "`you are what you eat` and `exit 1`\n\n    who do you think you are\n    int main();",
        Authored(
            "you are what you eat and …\nwho do you think you are", code=("exit 1", "int main();")
        ),
    ),
    (
        "and in HTML, but not in a block of code",
        "html",
        "<p><code>you are what you eat</code></p><pre><code>you are what you eat</code></pre>",
        Authored("you are what you eat", code=("you are what you eat",)),
    ),
    (
        "a quoted mail's heading may be folded",
        "markdown",
        "Thanks!\nOn Fri, Jan 22, 2021, 1:36 AM Ann <ann@example.org>\nwrote:\nyou are wrong",
        Authored(
            "Thanks!",
            quotes=("On Fri, Jan 22, 2021, 1:36 AM Ann <ann@example.org>\nwrote:\nyou are wrong",),
        ),
    ),
    (
        "code wins over tags inside it",
        "markdown",
        "use `<blockquote>` here",
        Authored("use … here", code=("<blockquote>",)),
    ),
    (
        "a program's type is no tag",
        "markdown",
        "a vector<int> of ints",
        Authored("a vector<int> of ints"),
    ),
    (
        "links keep their words",
        "markdown",
        "see [the manual](https://example.org/a_(b)) and https://example.org/x, ok",
        Authored(
            "see the manual and …, ok",
            links=("https://example.org/a_(b)", "https://example.org/x"),
        ),
    ),
    (
        "mentions and mail addresses leave",
        "markdown",
        "@ann.b write to bob@example.org",
        Authored("… write to …", links=("bob@example.org",), mentions=("ann.b",)),
    ),
    (
        "an e-mail's trail and signature",
        "markdown",
        "I agree.\n\nOn Mon, 3 Mar 2025 at 10:00, Ann <ann@example.org> wrote:\n> you fool",
        Authored(
            "I agree.",
            quotes=("On Mon, 3 Mar 2025 at 10:00, Ann <ann@example.org> wrote:\n> you fool",),
        ),
    ),
    (
        "a German e-mail's trail",
        "markdown",
        "Stimmt.\nAm 03.03.2025 um 10:00 schrieb Ann Beispiel <ann@example.org>:\n> nein",
        Authored(
            "Stimmt.",
            quotes=("Am 03.03.2025 um 10:00 schrieb Ann Beispiel <ann@example.org>:\n> nein",),
        ),
    ),
    (
        "a sentence that tells what somebody wrote is no trail",
        "markdown",
        "Am Montag schrieb ich ein Skript, das so geht:\nEs liest alles.",
        Authored("Am Montag schrieb ich ein Skript, das so geht:\nEs liest alles."),
    ),
    ("a signature", "markdown", "I agree.\n-- \nAnn\nBoss of all", Authored("I agree.")),
    ("Chinese signature", "markdown", "同意。\n发自我的iPhone", Authored("同意。")),
    (
        "machines write lines too",
        "markdown",
        "It stops:\n[12:01:02] fatal: child killed\nERROR core/main.c:12 abort\n"
        "  at org.x.Main.run(Main.java:12)\nWhy?",
        Authored(
            "It stops:\nWhy?",
            code=(
                "[12:01:02] fatal: child killed\nERROR core/main.c:12 abort\n"
                "  at org.x.Main.run(Main.java:12)",
            ),
        ),
    ),
    (
        "a person who shouts is no machine",
        "markdown",
        "WARNING: you are idiots",
        Authored("WARNING: you are idiots"),
    ),
    (
        "a person who ends with a statement, or writes figures for letters, is no machine",
        "markdown",
        "You are missing a current_id = id;\ny0u 4r3 4 fuck1ng 1d107\n48 89 e5 48 83 ec 10 c7 45 fc 00 00 00 00\n"
        "int id = 1;",
        Authored(
            "You are missing a current_id = id;\ny0u 4r3 4 fuck1ng 1d107",
            code=("48 89 e5 48 83 ec 10 c7 45 fc 00 00 00 00\nint id = 1;",),
        ),
    ),
    (
        "code that goes on with a word is a word",
        "markdown",
        "fu`cking` `x`",
        Authored("fucking …", code=("x",)),
    ),
    ("cooked, too", "html", "<p>fu<code>ck</code>ing</p>", Authored("fucking")),
    (
        "cooked quote with its author's title",
        "html",
        '<aside class="quote no-group" data-username="ann"><div class="title">ann:</div>'
        "<blockquote><p>you idiot</p></blockquote></aside><p>Calm &amp; kind</p>",
        Authored("Calm & kind", quotes=("ann:\n\n\nyou idiot",)),
    ),
    (
        "cooked preview, mention, emoji and picture",
        "html",
        '<p><a class="mention" href="/u/ann">@ann</a> look '
        '<img class="emoji" title=":tada:" alt=":tada:" src="x.png"></p>'
        '<aside class="onebox"><header><a href="https://example.org">e</a></header>stupid</aside>',
        Authored("… look :tada:", links=("/u/ann", "https://example.org"), mentions=("ann",)),
    ),
    (
        "cooked code",
        "html",
        "<p>so <code>kill -9</code> it</p><pre><code>if (a &lt; b) abort();</code></pre>",
        Authored("so … it", code=("kill -9", "if (a < b) abort();")),
    ),
    (
        "a tag that never ends, and one with > in an attribute",
        "html",
        '<p>one</p><a href="x" title="a > b">two</a><p three',
        Authored("one\ntwo<p three", links=("x",)),
    ),
]


@pytest.mark.parametrize(("_", "form", "body", "expected"), CASES, ids=[c[0] for c in CASES])
def test_a_message_taken_apart(_, form, body, expected):
    assert authored(body, form) == expected


MARKUP = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "</",
            "<a href='",
            '"',
            "`",
            "```\n",
            "[quote]",
            "[/quote]",
            "> ",
            "\n",
            "@ann",
            "<pre>",
            "</pre>",
            "<blockquote>",
            "](",
            "https://",
            "&lt;",
            "&#x0;",
            "-- \n",
            "    ",
        ]
    )
    | st.text(max_size=8)
).map("".join)


@given(MARKUP, st.sampled_from(["html", "markdown"]))
def test_any_text_is_taken_apart_into_tidy_lines(body, form):
    text = authored(body, form).text
    assert all(line == " ".join(line.split()) != "" for line in text.split("\n")) or text == ""


@pytest.mark.parametrize(
    "repeated", ["`x `", "````x````", "~~~x ", "`x`", "``x` ", "[quote]", "<a "]
)
def test_a_long_post_of_marks_takes_no_longer_than_its_length_asks(repeated):
    """Where each mark looked through all that follow, this would take hours."""
    assert isinstance(authored("```" + repeated * 10_000, "markdown").text, str)


@given(MARKUP.filter(lambda s: "[" not in s))
def test_what_is_quoted_is_never_the_authors(quoted):
    mine = authored(f"calm\n[quote]{quoted} you fool[/quote]\nwords", "markdown")
    assert mine.text == "calm\nwords"


@given(st.text(alphabet="ab <>`\n", max_size=60).filter(lambda s: "```" not in s))
def test_what_stands_in_a_fence_is_never_the_authors(program):
    mine = authored(f"calm\n```\n{program}\n```\nwords", "markdown")
    assert (mine.text, mine.code) == ("calm\nwords", (program.strip(),) if program.strip() else ())


@given(
    st.lists(st.text(alphabet="abc", min_size=1), min_size=1), st.sampled_from([" ", "\n", "\t  "])
)
def test_a_hash_does_not_see_white_space(words, space):
    assert text_hash(space.join(words)) == text_hash(" ".join(words))
    assert text_hash(" ".join(words)) != text_hash("".join(words) + "x")


def test_sentences_end_at_marks_of_both_scripts_and_at_lines():
    assert sentences("It fails. Why? v1.2 is fine\n请问怎么办？谢谢。") == [
        "It fails.",
        "Why?",
        "v1.2 is fine",
        "请问怎么办？",
        "谢谢。",
    ]
