"""What each change moves, and what it leaves: the truth an incremental reader must live with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sandbox.discourse import Forum

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=3)
MINUTE = timedelta(minutes=1)
ALL_TABLES = ("topics", "posts", "users", "post_actions", "post_revisions", "user_histories")


class Small:
    """A forum with a category, a moderator, two members and a topic with three replies."""

    def __init__(self) -> None:
        self.forum = Forum()
        self.category = self.forum.add_category("Support", "support", NOON)
        self.mod, self.ada, self.bob = (
            self.forum.add_user(name, name.title(), NOON, moderator=name == "mod")
            for name in ("mod", "ada", "bob")
        )
        self.topic, first = self.forum.create_topic(
            self.ada, self.category, "How do I light a fire?", "It is cold here.", NOON
        )
        self.posts = [first] + [
            self.forum.reply(self.topic, self.bob, f"Answer {n}.", NOON + n * MINUTE)
            for n in (1, 2, 3)
        ]

    def post(self, number: int) -> dict:
        return self.row("posts", self.posts[number - 1])

    def row(self, table: str, row_id: int) -> dict:
        (row,) = self.forum.read(f"FROM {table} WHERE id = ?", row_id)
        return row

    def all(self) -> dict[str, list[dict]]:
        return {table: self.forum.read(f"FROM {table} ORDER BY id") for table in ALL_TABLES}

    def moved(self, act, *tables: str) -> dict[str, dict]:
        """What an act changes: {"table id": {column: new value}}; new rows have all columns."""
        before = {(t, row["id"]): row for t in ALL_TABLES for row in self.all()[t]}
        act()
        after = {(t, row["id"]): row for t in ALL_TABLES for row in self.all()[t]}
        changes = {}
        for key, row in after.items():
            old = before.get(key, {})
            new = {name: value for name, value in row.items() if old.get(name, "-") != value}
            if new:
                changes[f"{key[0]} {key[1]}"] = new
        gone = {f"{t} {i}": None for t, i in before.keys() - after.keys()}
        return {key: new for key, new in (changes | gone).items() if key.split()[0] in tables}


@pytest.fixture
def small() -> Small:
    return Small()


def plain(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


def test_a_reply_moves_its_topic(small):
    made = small.moved(
        lambda: small.forum.reply(small.topic, small.ada, "Thank you.", LATER), "topics"
    )
    assert made == {
        "topics 1": {
            "last_posted_at": plain(LATER),
            "updated_at": plain(LATER),
            "bumped_at": plain(LATER),
            "posts_count": 5,
            "highest_post_number": 5,
            "highest_staff_post_number": 5,
            "last_post_user_id": small.ada,
            "word_count": 12,
        }
    }


def test_a_whisper_is_counted_for_staff_only(small):
    made = small.moved(
        lambda: small.forum.reply(small.topic, small.mod, "Hm.", LATER, post_type=4), "topics"
    )
    assert set(made["topics 1"]) == {"updated_at", "highest_staff_post_number", "word_count"}


def test_a_small_action_does_not_bump(small):
    small.forum.set_status(small.topic, "closed", True, small.mod, LATER)
    topic = small.row("topics", small.topic)
    assert (topic["closed"], topic["posts_count"], topic["highest_post_number"]) == (True, 5, 5)
    assert topic["bumped_at"] == plain(NOON + 3 * MINUTE)
    (event,) = small.forum.read("FROM posts WHERE post_type = 3")
    assert (event["action_code"], event["raw"], event["cooked"]) == ("closed.enabled", "", "")


def test_an_edit_makes_a_version_and_bumps_only_from_the_last_post(small):
    def change(number):
        return small.moved(
            lambda: small.forum.edit(small.posts[number - 1], "Another answer.", LATER),
            "posts",
            "topics",
            "post_revisions",
        )

    middle = change(2)
    assert set(middle) == {"posts 2", "post_revisions 1"}
    assert set(middle["posts 2"]) == {
        "raw",
        "cooked",
        "updated_at",
        "baked_at",
        "last_version_at",
        "version",
        "public_version",
        "self_edits",
    }
    assert middle["post_revisions 1"]["number"] == 2
    assert middle["post_revisions 1"]["modifications"] == (
        '---\nraw:\n- "Answer 1."\n- "Another answer."\n'
        'cooked:\n- "<p>Answer 1.</p>"\n- "<p>Another answer.</p>"\n'
    )
    last = change(4)
    assert last["topics 1"] == {"bumped_at": plain(LATER)}


def test_a_small_and_early_edit_leaves_no_version(small):
    soon = NOON + 4 * MINUTE
    made = small.moved(lambda: small.forum.edit(small.posts[1], "Answer one.", soon), "posts")
    assert made["posts 2"]["updated_at"] == plain(soon)
    assert "version" not in made["posts 2"]
    assert small.forum.read("FROM post_revisions") == []


@pytest.mark.parametrize(
    ("late", "text", "by"),
    [(301, "Answer one.", "bob"), (100, "x" * 200, "bob"), (100, "Answer one.", "mod")],
    ids=["too late", "too much", "somebody else"],
)
def test_an_edit_outside_the_grace_period_makes_a_version(small, late, text, by):
    at = NOON + MINUTE + timedelta(seconds=late)
    small.forum.edit(small.posts[1], text, at, by=getattr(small, by))
    assert small.post(2)["version"] == 2


def test_a_like_and_its_end_move_no_time(small):
    like = small.moved(
        lambda: small.forum.like(small.posts[1], small.ada, LATER), "posts", "topics"
    )
    assert like == {"posts 2": {"like_count": 1}, "topics 1": {"like_count": 1}}
    unlike = small.moved(
        lambda: small.forum.unlike(small.posts[1], small.ada, LATER + MINUTE),
        "posts",
        "topics",
        "post_actions",
    )
    assert unlike == {
        "posts 2": {"like_count": 0},
        "topics 1": {"like_count": 0},
        "post_actions 1": {"deleted_at": plain(LATER + MINUTE), "deleted_by_id": small.ada},
    }


def test_a_like_given_again_is_the_old_row_without_any_trace(small):
    small.forum.like(small.posts[1], small.ada, NOON)
    before = small.row("post_actions", 1)
    small.forum.unlike(small.posts[1], small.ada, NOON + MINUTE)
    small.forum.like(small.posts[1], small.ada, LATER)
    assert small.forum.read("FROM post_actions") == [before]


def test_a_deletion_by_staff_moves_no_updated_at_of_the_post(small):
    small.forum.like(small.posts[1], small.ada, NOON)
    made = small.moved(
        lambda: small.forum.delete_post(small.posts[1], small.mod, LATER),
        "posts",
        "topics",
        "post_actions",
        "user_histories",
    )
    log = made.pop("user_histories 1")
    assert (log["action"], log["post_id"], log["target_user_id"]) == (17, 2, small.bob)
    assert made == {
        "posts 2": {"deleted_at": plain(LATER), "deleted_by_id": small.mod, "like_count": 0},
        "topics 1": {"updated_at": plain(LATER), "posts_count": 3, "like_count": 0},
        "post_actions 1": {"deleted_at": plain(LATER), "deleted_by_id": small.mod},
    }


def test_a_recovery_by_staff_moves_no_updated_at_of_the_post(small):
    small.forum.like(small.posts[1], small.ada, NOON)
    before = small.all()
    small.forum.delete_post(small.posts[1], small.mod, LATER)
    small.forum.recover_post(small.posts[1], LATER + MINUTE)
    after = small.all()
    assert after["posts"] == before["posts"]
    assert after["post_actions"] == before["post_actions"]
    assert small.row("topics", 1)["updated_at"] == plain(LATER + MINUTE)


def test_an_authors_deletion_is_a_stub_for_a_day(small):
    small.forum.delete_post(small.posts[1], small.bob, LATER)
    stub = small.post(2)
    assert (stub["raw"], stub["user_deleted"], stub["deleted_at"], stub["version"]) == (
        "(post deleted by author)",
        True,
        None,
        2,
    )
    assert stub["updated_at"] == plain(LATER)
    small.forum.run_jobs(LATER + timedelta(hours=23))
    assert small.post(2)["deleted_at"] is None
    small.forum.run_jobs(LATER + timedelta(hours=30))
    gone = small.post(2)
    assert gone["deleted_at"] == plain(LATER + timedelta(hours=24))
    assert gone["updated_at"] == plain(LATER)


def test_an_author_takes_the_stub_back(small):
    small.forum.delete_post(small.posts[1], small.bob, LATER)
    small.forum.recover_post(small.posts[1], LATER + MINUTE)
    small.forum.run_jobs(LATER + timedelta(days=9))
    post = small.post(2)
    assert (post["raw"], post["user_deleted"], post["deleted_at"], post["version"]) == (
        "Answer 1.",
        False,
        None,
        3,
    )


def test_a_deleted_topic_leaves_its_replies_as_they_are(small):
    made = small.moved(
        lambda: small.forum.delete_topic(small.topic, small.mod, LATER), "posts", "topics"
    )
    assert made["posts 1"] == {"deleted_at": plain(LATER), "deleted_by_id": small.mod}
    assert made["topics 1"]["deleted_at"] == plain(LATER)
    assert set(made) == {"posts 1", "topics 1"}
    small.forum.recover_topic(small.topic, LATER + MINUTE, by=small.mod)
    assert small.post(1)["deleted_at"] is None
    assert [row["action"] for row in small.forum.read("FROM user_histories ORDER BY id")] == [
        18,
        55,
    ]


def test_a_permanent_deletion_leaves_nothing(small):
    small.forum.like(small.posts[1], small.ada, NOON)
    small.forum.edit(small.posts[1], "Wholly another text.", LATER)
    small.forum.destroy_post(small.posts[1])
    found = small.all()
    assert [post["id"] for post in found["posts"]] == [1, 3, 4]
    assert (found["post_actions"], found["post_revisions"]) == ([], [])
    assert small.row("topics", 1)["posts_count"] == 3
    small.forum.destroy_topic(small.topic)
    assert (small.all()["posts"], small.all()["topics"]) == ([], [])


def test_moved_replies_keep_their_rows_and_a_first_post_is_copied(small):
    other, first = small.forum.create_topic(
        small.bob, small.category, "Another topic here", "Its first post.", NOON
    )
    ids = small.forum.move_posts([small.posts[0], small.posts[2]], other, LATER, by=small.mod)
    assert ids[1] == small.posts[2]
    assert ids[0] not in small.posts
    there = small.forum.read("FROM posts WHERE topic_id = ? ORDER BY post_number", other)
    assert [post["id"] for post in there] == [first, *ids]
    assert [post["post_number"] for post in there] == [1, 2, 3]
    assert small.post(3)["updated_at"] == plain(NOON + 2 * MINUTE)  # unmoved
    here = small.forum.read("FROM posts WHERE topic_id = ? ORDER BY post_number", small.topic)
    assert [post["post_number"] for post in here] == [1, 2, 4, 5]
    assert here[-1]["action_code"] == "split_topic"


def test_a_topic_in_another_category_under_another_title_is_revised(small):
    other = small.forum.add_category("Off Topic", "off-topic", NOON)
    small.forum.recategorise(small.topic, other, LATER, by=small.mod)
    small.forum.retitle(small.topic, "Fire, and how to light it", LATER, by=small.mod)
    topic = small.row("topics", small.topic)
    assert (topic["category_id"], topic["slug"]) == (other, "fire-and-how-to-light-it")
    assert topic["updated_at"] == plain(LATER)
    assert topic["bumped_at"] == plain(NOON + 3 * MINUTE)
    changes = [row["modifications"] for row in small.forum.read("FROM post_revisions ORDER BY id")]
    assert changes[0] == f"---\ncategory_id:\n- {small.category}\n- {other}\n"
    assert changes[1].startswith('---\ntitle:\n- "How do I light a fire?"\n')
    counts = small.forum.read("SELECT slug, topic_count, post_count FROM categories ORDER BY id")
    assert [tuple(row.values()) for row in counts] == [("support", 0, 0), ("off-topic", 1, 4)]


def test_a_new_name_rewrites_mentions_without_a_trace(small):
    post = small.forum.reply(small.topic, small.ada, "Thanks, @bob and @bobby!", LATER)
    quote = f'[quote="bob, post:2, topic:{small.topic}"]\nAnswer 1.\n[/quote]\n\nYes.'
    second = small.forum.reply(small.topic, small.ada, quote, LATER)
    small.forum.rename_user(small.bob, "robert", LATER + MINUTE)
    mention, quoting = small.row("posts", post), small.row("posts", second)
    assert mention["raw"] == "Thanks, @robert and @bobby!"
    assert quoting["raw"].startswith('[quote="robert, post:2,')
    assert {mention["updated_at"], quoting["updated_at"]} == {plain(LATER)}
    assert small.row("users", small.bob)["updated_at"] == plain(LATER + MINUTE)
    (log,) = small.forum.read("FROM user_histories")
    assert (log["action"], log["previous_value"], log["new_value"]) == (21, "bob", "robert")


def test_an_anonymised_account_keeps_its_posts_and_loses_its_names(small):
    small.forum.anonymise(small.bob, LATER)
    user = small.row("users", small.bob)
    assert (user["username"], user["name"]) == (f"anon{small.bob:06}", None)
    (email,) = small.forum.read("SELECT email FROM user_emails WHERE user_id = ?", small.bob)
    assert email["email"].endswith("@anonymized.invalid")
    assert small.post(2)["user_id"] == small.bob


def test_merged_accounts_share_posts_and_likes_once(small):
    small.forum.like(small.posts[0], small.bob, NOON)
    small.forum.like(small.posts[0], small.mod, NOON)
    made = small.moved(
        lambda: small.forum.merge_users(small.bob, small.mod, LATER), "posts", "users"
    )
    assert made == {
        f"users {small.bob}": None,
        "posts 1": {"like_count": 1},
        **{f"posts {post}": {"user_id": small.mod} for post in small.posts[1:]},
    }
    assert [row["user_id"] for row in small.forum.read("FROM post_actions")] == [small.mod]
    small.forum.like(small.posts[0], small.mod, LATER)  # given already
    assert small.post(1)["like_count"] == 1


def test_a_deleted_accounts_posts_belong_to_nobody(small):
    small.forum.like(small.posts[0], small.bob, NOON)
    small.forum.delete_user(small.bob, LATER)
    assert {small.post(n)["user_id"] for n in (2, 3, 4)} == {None}
    assert small.post(1)["like_count"] == 0
    (action,) = small.forum.read("FROM post_actions")
    assert action["deleted_at"] == plain(LATER)
    assert small.forum.read("FROM users WHERE id = ?", small.bob) == []


def test_a_report_is_a_reviewable_with_scores_and_an_outcome(small):
    first = small.forum.flag(small.posts[1], small.ada, "spam", LATER)
    assert small.forum.flag(small.posts[1], small.mod, "off_topic", LATER + MINUTE) == first
    small.forum.review(first, "approved", small.mod, LATER + 2 * MINUTE)
    reviewable = small.row("reviewables", first)
    assert (reviewable["status"], reviewable["target_id"], reviewable["score"]) == (1, 2, 2.0)
    scores = small.forum.read("FROM reviewable_scores ORDER BY id")
    assert [(s["reviewable_score_type"], s["status"], s["reviewed_by_id"]) for s in scores] == [
        (8, 1, small.mod),
        (3, 1, small.mod),
    ]
    assert all(row["agreed_at"] for row in small.forum.read("FROM post_actions"))


def test_replies_and_quotes_are_links_until_the_reply_is_deleted(small):
    reply = small.forum.reply(small.topic, small.ada, "To you.", LATER, reply_to=2)
    quote = f'[quote="bob, post:3, topic:{small.topic}"]\nAnswer 2.\n[/quote]\n\nNo.'
    quoting = small.forum.reply(small.topic, small.ada, quote, LATER)
    links = "SELECT post_id, reply_post_id FROM post_replies ORDER BY ALL"
    assert [tuple(row.values()) for row in small.forum.read(links)] == [(2, reply), (3, quoting)]
    assert small.post(2)["reply_count"] == 1
    small.forum.delete_post(reply, small.mod, LATER)
    assert [tuple(row.values()) for row in small.forum.read(links)] == [(3, quoting)]
    assert small.post(2)["reply_count"] == 0


def test_ids_have_gaps_and_may_commit_late(small):
    late = small.forum.next_id("posts")
    passed = small.forum.reply(small.topic, small.ada, "First to commit.", LATER)
    small.forum.reply(small.topic, small.bob, "Began before.", LATER - MINUTE, id=late)
    assert late < passed
    after = small.forum.reply(small.topic, small.bob, "The next.", LATER)
    assert after == passed + 1


def test_a_forbidden_column_name_is_an_error_and_writes_nothing(small):
    with pytest.raises(TypeError, match="users has no column colour"):
        small.forum.add_user("eve", "Eve", NOON, colour="red")
    assert small.forum.read("FROM users WHERE username = 'eve'") == []
