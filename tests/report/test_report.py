"""Reports over published files whose every row is known."""

import email
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from email.policy import default
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import settings, warehouse
from pipeline.contracts import contracts
from pipeline.digest.words import LANGUAGES, fields, read_words
from pipeline.errors import FixSettings
from pipeline.publish import FILES
from pipeline.report import Period, draw, ended, is_written, page, render, select, send, write
from tests.conftest import MAIL, SECRETS, TOML

AS_OF = datetime(2026, 3, 2, 2)  # a Monday: a week and a month have just ended
WEEK = Period("week", date(2026, 2, 23), date(2026, 3, 2))
DAYS = [date(2026, 2, 2) + timedelta(days=n) for n in range(28)]
WORDS = Path(page.__file__).parent / "words"


def week_read(monday, covered_days=7):
    return {
        "week": str(monday),
        "source": "all",
        "days": 7,
        "covered_days": covered_days,
        "covered_rate": covered_days / 7,
    }


def publish(home, title='Ember <script>alert("1")</script>', extra="", **tables):
    """A community whose published files hold these rows."""
    rows = {
        "health": [{"as_of": AS_OF.isoformat(" ")}],
        "coverage": [
            {"day": str(day), "source": "forum", "is_covered": True, "messages": 1} for day in DAYS
        ],
        "covered_weeks": [week_read(monday) for monday in DAYS[::7]],
    } | tables
    (home / "published").mkdir(parents=True)
    for audience, name in FILES.items():
        with duckdb.connect(home / "published" / name) as db:
            warehouse.prepare(db)
            for contract in contracts().values():
                if contract.publish != audience or contract.build == "view":
                    db.execute(f"DROP TABLE IF EXISTS {contract.table}")
                else:
                    warehouse.insert(db, contract.table, rows.get(contract.name, []))
    text = TOML.format(home=home, forum="http://127.0.0.1:1", chat="http://127.0.0.1:1")
    text = text.replace("[communities.ember]\n", f"[communities.ember]\ntitle = '{title}'\n")
    return settings.parse(text + extra, SECRETS, home / "hearth.toml").community()


def asked(n, day, *, waited_h, happened, asker="regular"):
    return [
        {
            "source": "forum",
            "thread_id": f"{day}-{asker}-{waited_h}-{i}",
            "population": "questions",
            "event": "response",
            "asker": asker,
            "created_at": f"{day} 12:00:00",
            "created_day": str(day),
            "has_happened": happened,
            "is_waiting": not happened,
            "waited_h": waited_h,
            "age_h": 200,
        }
        for i in range(n)
    ]


def figures(found, section):
    return {f.name: (f.value, f.before, f.a_year_before) for f in found.figures[section]}


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.sampled_from(["week", "month"]))
def test_periods_follow_each_other_and_hold_each_day_once(day, kind):
    period = Period.around(kind, day)
    assert period.first <= day < period.after
    assert period.before().after == period.first
    assert Period.around(kind, period.after).before() == period
    assert Period.ended(kind, day) == period.before()
    year = period.a_year_before()
    assert 358 <= (period.first - year.first).days <= 366
    assert year == Period.around(kind, year.last)


def test_a_figure_stands_beside_the_period_before_and_the_season_a_year_ago(tmp_path):
    activity = [
        {
            "day": str(day),
            "source": "forum",
            "channel_id": "1",
            "threads": 1,
            "messages": n,
            "bot_messages": 1,
        }
        for day, n in [(date(2026, 3, 1), 9), (date(2026, 2, 22), 3), (date(2026, 3, 2), 50)]
    ]
    community = publish(tmp_path, daily_activity=activity)
    found = select.findings(community, WEEK)
    assert figures(found, "activity") == {
        "messages": (9, 3, None),
        "threads": (1, 1, None),
        "people": (0, 0, None),
        "helpers": (0, 0, None),
        "bot_rate": (0.1, None, None),
    }
    assert (found.covered, found.is_newest) == (1.0, True)


def welcomed(person, day, source="forum", hour=12, **met):
    return {
        "source": source,
        "person_id": person,
        "created_at": f"{day} {hour}:00:00",
        "created_day": str(day),
        "is_first": True,
        "age_h": 800,
        "is_replied_24h": False,
        "has_second_30d": False,
    } | met


def moved(day, **people):
    kinds = ("contributors", "new_contributors", "reactivated_contributors", "lost_regulars")
    return (
        {"day": str(day), "source": "forum", "inactive_compat": 0}
        | dict.fromkeys(kinds, 0)
        | people
    )


def test_a_month_counts_its_own_days_and_not_the_weeks_that_begin_in_it(tmp_path):
    january, february = date(2026, 1, 31), date(2026, 2, 1)  # a Saturday and a Sunday: one week
    welcomes = [
        *(welcomed(f"a{n}", february, is_replied_24h=n < 2) for n in range(4)),
        welcomed("late", date(2026, 2, 28), is_replied_24h=True),
        welcomed("young", date(2026, 2, 28), age_h=23, is_replied_24h=True),
        welcomed("old", january, is_replied_24h=True),
        welcomed("next", date(2026, 3, 1), is_replied_24h=True),
        welcomed("old", date(2026, 2, 10), source="chat"),  # no newcomer: wrote in the forum before
    ]
    moves = [
        moved(january, reactivated_contributors=1, lost_regulars=1),
        moved(february, reactivated_contributors=2, lost_regulars=3),
        moved(date(2026, 2, 28), reactivated_contributors=1, lost_regulars=4),
        moved(date(2026, 3, 1), reactivated_contributors=7, lost_regulars=7),
    ]
    community = publish(tmp_path, welcomes=welcomes, daily_contributors=moves)
    month = select.findings(community, Period.around("month", february))
    found = {name: now for name, (now, *_) in figures(month, "newcomers").items()}
    assert found == {
        "new_contributors": 6,
        "replied_24h_rate": 0.6,
        "reactivated_contributors": 3,
        "lost_regulars": 7,
    }
    assert [(row["source"], row["replied"], row["unreplied"]) for row in month.tables["again"]] == [
        ("chat", 0, 1),
        ("forum", 4, 2),
    ]


def written(day, messages):
    return {
        "day": str(day),
        "source": "forum",
        "channel_id": "1",
        "threads": 0,
        "messages": messages,
    }


def arrived(week, people):
    none = {"reactivated_contributors": 0, "lost_regulars": 0}
    return {"week": str(week), "source": "forum", "new_contributors": people} | none


def test_a_month_is_drawn_in_whole_weeks(tmp_path):
    first, last = date(2026, 2, 1), date(2026, 2, 28)  # a Sunday and a Saturday
    community = publish(
        tmp_path,
        daily_activity=[
            written(date(2025, 11, 23), 1),  # the day before the thirteen whole weeks
            written(date(2025, 11, 24), 2),
            written(date(2026, 1, 31), 3),
            written(first, 4),
            written(date(2026, 2, 22), 5),
            written(last, 6),  # its week is not whole in this month
        ],
        contributors=[
            arrived("2025-11-17", 1),
            arrived("2026-02-16", 2),
            arrived("2026-02-23", 3),
        ],
    )
    found = select.findings(community, Period.around("month", last))
    weeks = {str(row["week"]): row["n"] for row in found.series["messages"]}
    assert weeks == {"2025-11-24": 2, "2026-01-26": 7, "2026-02-16": 5}
    assert {str(row["week"]) for row in found.series["newcomers"]} == {"2026-02-16"}
    assert [str(row["week"]) for row in found.series["weeks"]] == [
        "2026-02-02",
        "2026-02-09",
        "2026-02-16",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_silent_week_is_an_empty_column_and_an_unread_one_says_so(tmp_path, language):
    mondays = DAYS[::7]
    community = publish(
        tmp_path,
        daily_activity=[written(mondays[0], 5), written(mondays[3], 5)],
        contributors=[arrived(mondays[3], 2)],
        covered_weeks=[
            *(week_read(monday) for monday in mondays[:2]),
            week_read(mondays[2], covered_days=0),
            week_read(mondays[3]),
        ],
    )
    laid = page.page(select.findings(community, WEEK), language)
    for name, bars in (("activity", [0, 3]), ("newcomers", [3])):
        (picture, *_) = next(block for block in laid.blocks if block.name == name).pictures
        step = (draw.WIDTH - draw.LEFT) / 4
        drawn = re.findall(r'<rect class="(\w+)[^"]*" x="([\d.]+)"', picture.drawing)
        places = [(kind, int((float(x) - draw.LEFT) // step)) for kind, x in drawn]
        assert [at for kind, at in places if kind != "unread"] == bars
        assert [at for kind, at in places if kind == "unread"] == [2]
        assert "02-16" in picture.unread
        assert picture.unread in picture.drawing


def test_weeks_that_were_read_whole_are_on_no_ground_of_their_own(tmp_path):
    text = render.render_html(select.findings(publish(tmp_path), WEEK), "en")
    assert 'class="unread"' not in text
    assert "not read whole:" not in text


def stood(person, tier, since, until=None):
    return {
        "source": "forum",
        "person_id": person,
        "tier": tier,
        "reason": "active",
        "valid_from": str(since),
        "valid_to": until and str(until),
        "messages": 1,
        "helps": 0,
        "weeks_active": 1,
    }


MONDAY = date(2026, 3, 2)  # looks back on the weeks up to the end of WEEK and of February
TIERS = [
    stood("risen", "user", date(2026, 1, 5), MONDAY),
    stood("risen", "core", MONDAY),
    stood("new", "user", MONDAY),
    stood("steady", "contributor", date(2026, 1, 5)),
    stood("left", "contributor", date(2026, 1, 5), date(2026, 2, 23)),
    stood("left", "passer_by", date(2026, 2, 23)),
    stood("next", "user", date(2026, 3, 9)),
]


def test_members_are_told_as_of_the_monday_after_the_period(tmp_path):
    community = publish(tmp_path, tiers=TIERS)
    week = select.findings(community, WEEK)
    assert figures(week, "members") == {
        "core": (1, 0, None),
        "contributors": (1, 1, None),
        "users": (1, 1, None),
    }
    moves = [(row["tier_before"], row["tier_after"]) for row in week.tables["moves"]]
    assert moves == [("none", "user"), ("user", "core")]
    drawn = {(str(row["week"]), row["part"]): row["n"] for row in week.series["members"]}
    assert {part: n for (monday, part), n in drawn.items() if monday == "2026-02-23"} == {
        "core": 1,
        "contributor": 1,
        "user": 1,
    }
    assert {part: n for (monday, part), n in drawn.items() if monday == "2026-02-16"} == {
        "contributor": 1,
        "user": 1,
    }


def test_members_of_a_month_are_told_as_of_the_next_monday_where_the_night_has_it(tmp_path):
    community = publish(tmp_path / "later", tiers=TIERS)
    month = Period.around("month", WEEK.first)  # ends on a Saturday
    now = {
        name: now
        for name, (now, *_) in figures(select.findings(community, month), "members").items()
    }
    assert now == {"core": 1, "contributors": 1, "users": 1}
    night = {"health": [{"as_of": "2026-03-01 12:00:00"}]}  # the Sunday before that Monday
    community = publish(tmp_path / "sooner", tiers=TIERS, **night)
    now = {
        name: now
        for name, (now, *_) in figures(select.findings(community, month), "members").items()
    }
    assert now == {"core": 0, "contributors": 1, "users": 1}


def test_who_still_waits_counts_for_as_long_as_they_waited(tmp_path):
    day = WEEK.first
    waits = [
        *asked(9, day, waited_h=1, happened=True),
        *asked(2, day, waited_h=2, happened=False),
        *asked(9, day, waited_h=30, happened=True),
        *asked(19, day - timedelta(days=7), waited_h=1, happened=True),
    ]
    found = select.findings(publish(tmp_path, waits=waits), WEEK)
    assert figures(found, "responses") == {
        "questions": (20, 19, None),
        "answered_24h_rate": (0.45, 1.0, None),
        "solved_168h_rate": (None, None, None),
        "still_waiting": (2, 0, None),
        "topics_24h_rate": (None, None, None),
        "p50_h": (30, None, None),  # 19 are too few to tell
        "p90_h": (30, None, None),
    }
    newcomers, regulars = found.curves
    assert (newcomers.waits, newcomers.steps) == (0, ())
    assert regulars.waits == 39
    assert regulars.steps[0] == (1.0, pytest.approx(11 / 39))


def test_of_questions_from_before_they_were_judged_nothing_is_told(tmp_path):
    found = select.findings(publish(tmp_path), Period.around("month", date(2025, 11, 1)))
    assert figures(found, "responses")["questions"] == (None, None, None)
    assert figures(found, "responses")["still_waiting"] == (None, None, None)


def test_a_percentile_the_curve_does_not_reach_is_never_the_longest_wait(tmp_path):
    waits = [
        *asked(15, WEEK.first, waited_h=3, happened=True),
        *asked(10, WEEK.first, waited_h=100, happened=False),
    ]
    found = select.findings(publish(tmp_path, waits=waits), WEEK)
    assert figures(found, "responses")["p50_h"][0] == 3
    assert figures(found, "responses")["p90_h"][0] is None


def test_days_that_were_not_read_are_said_and_not_compared(tmp_path):
    coverage = [
        {"day": str(day), "source": "forum", "is_covered": day != WEEK.first, "messages": 1}
        for day in DAYS
    ]
    found = select.findings(publish(tmp_path, coverage=coverage), WEEK)
    assert found.covered == pytest.approx(6 / 7)
    assert "86 %" in page.page(found, "en").alarm
    assert 'class="partly"' in render.render_html(found, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trend_is_named_only_in_the_newest_period_and_where_there_is_one(tmp_path, language):
    trend = {"source": "forum", "weeks": 11, "median": 5, "theil_sen_slope": -0.5}
    rows = [
        {**trend, "metric": "messages", "verdict": "falling"},
        {**trend, "metric": "threads", "verdict": "flat"},
    ]
    community = publish(tmp_path, trends=rows)
    newest = page.page(select.findings(community, WEEK), language).lead
    earlier = page.page(select.findings(community, WEEK.before()), language).lead
    assert len(newest) == len(earlier) + 1
    assert ("falling" if language == "en" else "下降") in newest[-1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_from_outside_stays_text(tmp_path, language):
    coverage = [{"day": str(DAYS[-1]), "source": "<img src=x>", "is_covered": True}]
    text = render.render_html(select.findings(publish(tmp_path, coverage=coverage), WEEK), language)
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r'(?:src|href)="(?!#)', text), "nothing remote"


def test_a_number_leads_to_its_definition_and_the_same_night_gives_the_same_page(tmp_path):
    community = publish(tmp_path)
    text, again = (render.render_html(select.findings(community, WEEK), "en") for _ in range(2))
    assert text == again
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links == set(re.findall(r'<dt id="([^"]+)"', text))
    assert {"marts.waits", "marts.daily_activity"} <= links


def test_every_word_is_there_in_both_languages():
    english, chinese = (read_words(WORDS / f"{language}.toml") for language in ("en", "zh"))
    assert english.keys() == chinese.keys()
    assert {k: fields(v) for k, v in english.items()} == {k: fields(v) for k, v in chinese.items()}
    for column, tables in {
        "metric": ["trends"],
        "verdict": ["trends"],
        "kind": ["concentration", "reports"],
        "asker": ["waits"],
        "aspect": ["response_gaps"],
        "status": ["freshness"],
        "tier": ["tiers"],
        "finding": ["verdicts"],
    }.items():
        for table in tables:
            for value in contracts()[f"marts.{table}"].columns[column].values or ():
                assert f"value.{value}" in english, (table, value)


def test_every_column_of_a_table_has_its_heading(tmp_path):
    english = read_words(WORDS / "en.toml")
    with select._opened(publish(tmp_path)) as db:
        columns = {
            name
            for file in select.QUESTIONS.glob("table_*.sql")
            for name, *_ in db.execute(f"DESCRIBE {file.read_text()}").fetchall()
        }
    assert len(columns) > 40
    assert {f"column.{name}" for name in columns} - {
        "column.months_later",
        "column.active_rate",  # of the triangle, which has no such headings
    } <= english.keys()


def test_every_question_has_its_words():
    english = tomllib.loads((WORDS / "en.toml").read_text())
    names = {file.stem for file in select.QUESTIONS.glob("*.sql")} - {
        "macros",
        "waiting",
        "hours",
        "weeks",
    }
    shown = {f"table_{table}" for spec in page.SECTIONS for table in spec.tables}
    shown |= {f"weekly_{spec.weekly}" for spec in page.SECTIONS if spec.weekly}
    sections = {f"figures_{name}" for name in english["section"]}
    assert names <= shown | sections | {"table_retention"}
    assert {spec.name for spec in page.SECTIONS} == set(english["section"])


def test_a_night_of_another_version_is_said_and_writes_nothing(tmp_path):
    community = publish(tmp_path)
    with duckdb.connect(tmp_path / "published" / "current.duckdb") as db:
        db.execute("ALTER TABLE marts.daily_activity DROP COLUMN bot_messages")
    with pytest.raises(FixSettings, match="of another version of Hearth .* run a night first"):
        write(community, WEEK, ["en"], pdf=False)
    assert not (tmp_path / "reports").exists()


def test_reports_are_written_once_and_only_we_can_read_them(tmp_path):
    community = publish(tmp_path, extra='\n[communities.ember.report]\nlanguages = ["en", "zh"]\n')
    week, month = ended(community)
    assert (week, month.name) == (WEEK, "2026-02")
    written = write(community, week, ["en", "zh"], pdf=False)
    assert [file.name for file in written] == ["2026-W09.en.html", "2026-W09.zh.html"]
    assert {file.stat().st_mode & 0o777 for file in written} == {0o600}
    assert [is_written(community, period) for period in (week, month)] == [True, False]


def test_it_is_mailed_once_with_the_page_attached(tmp_path, inbox):
    extra = '\n[communities.ember.report]\nmail_to = ["team@example.org"]\n'
    extra += MAIL.format(port=inbox.port)
    community = publish(tmp_path, title="Ember", extra=extra)
    write(community, WEEK, ["en"], pdf=False)
    sent = [send(community, WEEK, AS_OF.replace(tzinfo=UTC)) for _ in range(2)]
    assert sent == [True, False]
    ((_, readers, content),) = inbox.messages
    message = email.message_from_bytes(content, policy=default)
    (attached,) = message.iter_attachments()
    assert readers == ["team@example.org"]
    assert message["Subject"] == "Ember: the week, 23 Feb 2026 to 1 Mar 2026"
    assert attached.get_filename() == "2026-W09.en.html"
    assert attached.get_content().startswith("<!DOCTYPE html>")


def test_a_reader_who_was_refused_is_named_and_the_others_get_it_once(tmp_path, inbox):
    extra = '\n[communities.ember.report]\nmail_to = ["team@example.org", "gone@example.org"]\n'
    extra += MAIL.format(port=inbox.port)
    community = publish(tmp_path, title="Ember", extra=extra)
    write(community, WEEK, ["en"], pdf=False)
    inbox.refuse_reader = "gone@example.org"
    with pytest.raises(FixSettings, match=r"2026-W09: the mail server refused gone@example\.org"):
        send(community, WEEK, AS_OF.replace(tzinfo=UTC))
    assert not send(community, WEEK, AS_OF.replace(tzinfo=UTC))
    assert [readers for _, readers, _ in inbox.messages] == [["team@example.org"]]


def test_a_browser_that_hangs_is_given_up(tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\nexec sleep 60\n")
    browser.chmod(0o700)
    monkeypatch.setattr(render, "BROWSERS", (str(browser),))
    monkeypatch.setattr(render, "_LONGEST_S", 0.2)
    with pytest.raises(FixSettings, match="did not print .* within 0.2 s"):
        render.print_pdf(tmp_path / "page.html", tmp_path / "page.pdf")


def test_a_week_of_hours_in_which_nothing_was_said_can_be_drawn():
    drawn = draw.heat({(0, 1): 0}, ["Mon"] * 7, 1, "Questions")
    assert 'fill-opacity="0.06"' in drawn
