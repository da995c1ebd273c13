"""Emberfield tells the truth about itself, and is the same however it is played."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.community import NIGHT_ONE, Truth, night, play, truth
from pipeline.sandbox.community.script import script
from pipeline.sandbox.community.steps import chat_id
from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.rocketchat import Workspace

NIGHT = 8  # late enough for most planted cases
STATES = ("unanswered", "me_too", "self_answered", "asked_back", "stale", "answered")
Played = tuple[Forum, Workspace]


@pytest.fixture(scope="module")
def step_by_step() -> Played:
    forum, chat = Forum(), Workspace()
    for n in range(1, NIGHT + 1):
        play(forum, chat, through=n, start=n - 1)
    return forum, chat


@pytest.fixture(scope="module")
def known() -> Truth:
    return truth(NIGHT)


def ids(forum: Forum, sql: str, *values: Any) -> set[int]:
    return {row["id"] for row in forum.read(sql, *values)}


def tables(forum: Forum) -> dict[str, list[tuple[Any, ...]]]:
    names = forum.read(
        "SELECT table_name AS name FROM duckdb_tables() WHERE schema_name = 'public'"
    )
    cursor = forum.cursor()
    return {n["name"]: cursor.execute(f"FROM {n['name']} ORDER BY ALL").fetchall() for n in names}


def test_the_script_of_an_earlier_night_is_a_prefix_of_a_later_ones() -> None:
    early, late = script(3), script(12)
    assert len(late) > len(early) > 0
    assert late[: len(early)] == early
    assert all(step.at > night(3) for step in late[len(early) :])


@pytest.mark.slow
def test_playing_night_by_night_ends_where_playing_at_once_ends(step_by_step: Played) -> None:
    forum, chat = Forum(), Workspace()
    play(forum, chat, through=NIGHT)
    assert tables(forum) == tables(step_by_step[0])
    parts = ("rooms", "users", "messages", "trash", "reports", "subscriptions", "removed_rooms")
    assert {p: getattr(chat, p) for p in parts} == {p: getattr(step_by_step[1], p) for p in parts}


def test_the_first_night_finds_a_small_community_with_ninety_days_of_history() -> None:
    first = Counter((step.site, step.do) for step in script(1))
    assert 35 <= first["forum", "add_user"] <= 55
    assert 130 <= first["forum", "create_topic"] <= 180
    assert 750 <= first["forum", "create_topic"] + first["forum", "reply"] <= 1000
    assert 1300 <= first["chat", "post"] <= 1700
    assert timedelta(days=90) <= NIGHT_ONE - script(1)[0].at <= timedelta(days=91)


def test_each_later_night_brings_some_change_to_both_servers() -> None:
    steps = script(40)
    for n in range(2, 41):
        new = Counter(step.site for step in steps if night(n - 1) < step.at <= night(n))
        assert 5 <= new["forum"] <= 90, n
        assert 5 <= new["chat"] <= 90, n


def test_the_script_does_not_end_when_its_texts_are_used_up() -> None:
    titles = [step.args["title"] for step in script(150) if step.do == "create_topic"]
    assert len(titles) > 400
    assert len(set(titles)) == len(titles)


def test_no_word_is_left_unfilled() -> None:
    texts = [str(step.args.get(k, "")) for step in script(40) for k in ("title", "raw", "msg")]
    assert [text for text in texts if re.search(r"\$[a-z]", text)] == []


@pytest.mark.parametrize("n", [1, 8, 31])
def test_every_public_question_is_in_exactly_one_state(n: int) -> None:
    now = truth(n)
    for one, other in combinations([*STATES, "no_question"], 2):
        assert not getattr(now, one) & getattr(now, other), (one, other)
    assert now.bot_only | now.newcomers_waiting <= now.unanswered
    assert now.solved | now.thanked <= now.answered
    assert not now.chat_unanswered & now.chat_answered.keys()


def test_each_planted_case_comes_up_within_a_month() -> None:
    late = truth(31)
    missing = [f.name for f in fields(late) if not getattr(late, f.name)]
    assert missing == []
    assert len(late.sour) >= 6
    assert len(late.toxic) >= 14
    # An unanswered question and a newcomer's wait on the very first night, for the first digest.
    assert truth(1).newcomers_waiting
    assert truth(1).bot_only


def test_questions_without_a_human_reply_are_those_the_forum_shows(
    step_by_step: Played, known: Truth
) -> None:
    forum, _ = step_by_step
    questions: frozenset[int] = frozenset().union(*(getattr(known, state) for state in STATES))
    silent = ids(
        forum,
        """
        SELECT t.id FROM topics AS t WHERE t.deleted_at IS NULL AND NOT EXISTS (
            FROM posts AS p LEFT JOIN users AS u ON u.id = p.user_id
            WHERE p.topic_id = t.id AND p.deleted_at IS NULL AND p.post_type = 1
                AND NOT p.user_deleted AND p.post_number > 1
                AND p.user_id IS DISTINCT FROM t.user_id
                AND coalesce(u.username, '') <> 'ember_helper')
        """,
    )
    assert silent & questions == known.unanswered | known.self_answered


def test_newcomers_waiting_have_written_nothing_before(step_by_step: Played, known: Truth) -> None:
    forum, _ = step_by_step
    first = ids(
        forum,
        """
        SELECT min_by(t.id, p.created_at) AS id FROM posts AS p JOIN topics AS t
            ON t.id = p.topic_id WHERE t.archetype = 'regular' GROUP BY p.user_id
            HAVING min_by(t.user_id, p.created_at) = p.user_id
        """,
    )
    assert known.newcomers_waiting == known.unanswered & first


def test_solutions_deletions_and_hidden_posts_are_those_of_the_forum(
    step_by_step: Played, known: Truth
) -> None:
    forum, _ = step_by_step
    assert known.solved == ids(forum, "SELECT topic_id AS id FROM discourse_solved_solved_topics")
    assert known.deleted_topics == ids(forum, "FROM topics WHERE deleted_at IS NOT NULL")
    assert known.deleted_posts == ids(
        forum,
        "SELECT p.id FROM posts AS p JOIN topics AS t ON t.id = p.topic_id"
        " WHERE t.deleted_at IS NULL AND (p.deleted_at IS NOT NULL OR p.user_deleted)",
    )
    assert known.hidden == ids(forum, "FROM posts WHERE hidden")
    assert known.private_topics == ids(
        forum,
        "SELECT t.id FROM topics AS t LEFT JOIN categories AS c ON c.id = t.category_id"
        " WHERE t.archetype = 'private_message' OR c.read_restricted",
    )


def test_a_sour_thread_is_a_dispute_of_two_with_a_turn_in_it(
    step_by_step: Played, known: Truth
) -> None:
    forum, chat = step_by_step
    assert len(known.sour) == 3
    for topic, turn in known.sour.items():
        posts = forum.read("FROM posts WHERE topic_id = ? ORDER BY post_number", topic)
        assert turn in [post["id"] for post in posts]
        assert len({post["user_id"] for post in posts}) == 2
        assert posts[-1]["id"] in known.toxic
    assert len(known.chat_sour) == 1
    for root, turn_in_chat in known.chat_sour.items():
        assert chat.messages[turn_in_chat]["tmid"] == root


def test_private_words_are_said_in_their_places_only(step_by_step: Played, known: Truth) -> None:
    forum, chat = step_by_step
    open_rooms = {rid for rid, room in chat.rooms.items() if room["t"] == "c"}
    for word in known.private_words:
        posts = forum.read(
            "SELECT topic_id, post_type FROM posts WHERE raw ILIKE '%' || ? || '%'", word
        )
        told = forum.read(
            "SELECT c.read_restricted FROM chat_messages AS m JOIN chat_channels AS h"
            " ON h.id = m.chat_channel_id JOIN categories AS c ON c.id = h.chatable_id"
            " WHERE m.message ILIKE '%' || ? || '%'",
            word,
        )
        said = [message for message in chat.messages.values() if word in message["msg"]]
        assert posts or told or said, word
        assert all(message["read_restricted"] for message in told)
        assert all(p["topic_id"] in known.private_topics or p["post_type"] == 4 for p in posts)
        assert not [message for message in said if message["rid"] in open_rooms]


def test_chat_questions_are_answered_in_the_way_the_truth_says(
    step_by_step: Played, known: Truth
) -> None:
    _, chat = step_by_step
    assert set(known.chat_answered.values()) == {"thread", "mention", "next"}
    for mid, how in known.chat_answered.items():
        assert _ways(chat, mid)[how], (mid, how)
    for mid in known.chat_unanswered:
        ways = _ways(chat, mid)
        assert not ways["thread"], mid
        assert not ways["mention"], mid


def _ways(chat: Workspace, mid: str) -> dict[str, bool]:
    """In which ways somebody else may have answered a message within half an hour, or in its
    thread."""
    question = chat.messages[mid]
    asker = question["u"]["_id"]
    others = [
        message
        for message in chat.by_room[question["rid"]].values()
        if message["u"]["_id"] != asker and message["ts"] > question["ts"]
    ]
    soon = [m for m in others if m["ts"] - question["ts"] < timedelta(minutes=30)]
    return {
        "thread": any(message.get("tmid") == mid for message in others),
        "mention": any(m["_id"] == asker for message in soon for m in message.get("mentions", ())),
        "next": bool(soon),
    }


def test_the_same_question_is_asked_on_both_servers(step_by_step: Played, known: Truth) -> None:
    forum, chat = step_by_step
    ((topic, mid),) = known.asked_twice.items()
    (post,) = forum.read("SELECT raw FROM posts WHERE topic_id = ?", topic)
    assert chat.messages[mid]["msg"].lower() in post["raw"].lower()
    assert topic in known.unanswered
    assert known.chat_answered[mid] == "thread"


def test_people_come_and_go_under_changing_names(step_by_step: Played) -> None:
    forum, chat = step_by_step
    names = {row["username"] for row in forum.read("SELECT username FROM users")}
    assert {"northwind", "pelle_sand", "ember_helper"} <= names
    assert not {"frostbyte", "pelle", "elsa_m", "gone_fishing", "ute"} & names
    assert any(name.startswith("anon") for name in names)
    assert forum.read("FROM posts WHERE user_id IS NULL")
    assert chat.users[chat_id("user", "frostbyte")]["username"] == "northwind"
    assert chat_id("user", "gone_fishing") not in chat.users


def test_the_script_does_not_depend_on_hash_order() -> None:
    code = (
        "import hashlib; from pipeline.sandbox.community.script import script;"
        "print(hashlib.sha256(repr(script(9)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.slow
def test_what_others_wrote_between_two_nights_stays() -> None:
    forum, chat = Forum(), Workspace()
    play(forum, chat, through=1)
    noon = night(1) + timedelta(hours=10)
    guest = forum.add_user("guest", "A Guest", noon)
    topic, post = forum.create_topic(guest, None, "From outside", "A visitor's words.", noon)
    play(forum, chat, through=2, start=1)
    assert forum.get("users", guest)["username"] == "guest"
    assert forum.get("topics", topic)["title"] == "From outside"
    assert forum.get("posts", post)["raw"] == "A visitor's words."
