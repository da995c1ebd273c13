"""Whatever happens in a forum, in whatever order, its counters tell the truth of its rows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox.discourse import Forum

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTS = (
    "topic",
    "reply",
    "whisper",
    "answer",
    "edit",
    "like",
    "unlike",
    "delete",
    "recover",
    "destroy",
    "delete_topic",
    "recover_topic",
    "move",
    "close",
    "accept",
    "flag",
)


class History:
    """Plays acts, each with a number that chooses whom and what it is about."""

    def __init__(self) -> None:
        self.forum = Forum(founded=NOON)
        self.category = self.forum.add_category("All", "all", NOON)
        self.people = [self.forum.add_user(f"member{n}", None, NOON) for n in range(3)]
        self.now = NOON

    def play(self, act: str, choice: int) -> None:
        self.now += timedelta(minutes=7)
        topics = [row["id"] for row in self.forum.read("SELECT id FROM topics ORDER BY id")]
        posts = self.forum.read("FROM posts ORDER BY id")
        person = self.people[choice % len(self.people)]
        topic = topics[choice % len(topics)] if topics else None
        post = posts[choice % len(posts)] if posts else None
        if act == "topic" or topic is None or post is None:
            self.forum.create_topic(
                person, self.category, f"Topic {choice}", "Its first words.", self.now
            )
        elif act in ("reply", "whisper", "answer"):
            to = post["post_number"] if act == "answer" else None
            kind = 4 if act == "whisper" else 1
            place = post["topic_id"] if to else topic
            self.forum.reply(place, person, "Words.", self.now, reply_to=to, post_type=kind)
        else:
            self._change(act, topic, post, person)

    def _change(self, act, topic, post, person) -> None:
        forum, now = self.forum, self.now
        alive = post["deleted_at"] is None
        if act == "edit" and alive:
            forum.edit(post["id"], f"Other words at {now}.", now)
        elif act == "like" and alive:
            forum.like(post["id"], person, now)
        elif act == "unlike" and alive:
            forum.unlike(post["id"], person, now)
        elif act == "delete" and alive and post["post_number"] > 1:
            forum.delete_post(post["id"], -1, now)
        elif act == "recover" and not alive:
            forum.recover_post(post["id"], now)
        elif act == "destroy" and post["post_number"] > 1:
            forum.destroy_post(post["id"])
        elif act == "delete_topic":
            forum.delete_topic(topic, -1, now)
        elif act == "recover_topic":
            forum.recover_topic(topic, now)
        elif act == "move" and post["post_number"] > 1 and post["topic_id"] != topic:
            forum.move_posts([post["id"]], topic, now)
        elif act == "close":
            forum.set_status(topic, "closed", True, -1, now)
        elif act == "accept" and alive:
            forum.accept(post["id"], person, now)
        elif act == "flag" and alive:
            forum.flag(post["id"], person, "spam", now)


@settings(max_examples=10, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 50)), min_size=5, max_size=30))
def test_counters_and_places_stay_true(acts):
    history = History()
    for act, choice in acts:
        history.play(act, choice)
    wrong = history.forum.read(
        """
        WITH live AS (SELECT * FROM posts WHERE deleted_at IS NULL),
        counted AS (
            SELECT topic_id, count(*) FILTER (post_type <> 4) AS posts,
                coalesce(max(post_number) FILTER (post_type <> 4), 0) AS highest,
                sum(like_count) AS likes
            FROM live GROUP BY topic_id),
        liked AS (
            SELECT post_id, count(*) AS likes FROM post_actions
            WHERE post_action_type_id = 2 AND deleted_at IS NULL GROUP BY post_id)
        SELECT 'topic' AS kind, t.id FROM topics AS t JOIN counted AS c ON c.topic_id = t.id
        WHERE (t.posts_count, t.highest_post_number, t.like_count)
            IS DISTINCT FROM (c.posts, c.highest, c.likes)
        UNION ALL
        SELECT 'likes', p.id FROM live AS p LEFT JOIN liked AS l ON l.post_id = p.id
        WHERE p.like_count <> coalesce(l.likes, 0)
        UNION ALL
        SELECT 'place', min(id) FROM posts GROUP BY topic_id, post_number HAVING count(*) > 1
        UNION ALL
        SELECT 'time', id FROM posts WHERE updated_at < created_at
        """
    )
    assert wrong == []


def test_readers_see_whole_acts_while_others_write(served):
    """Somebody writes as fast as possible while pages are read: no page shows half an act."""
    topic, _ = served.topic()
    done = threading.Event()

    def write() -> None:
        for n in range(300):
            served.forum.reply(topic, served.bob, f"Answer {n}.", NOON + timedelta(minutes=n))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    sql = (
        "SELECT t.posts_count - (SELECT count(*) FROM posts AS p WHERE p.topic_id = t.id) AS off"
        " FROM topics AS t"
    )
    seen = 0
    while not done.is_set() or seen == 0:
        assert served.rows(sql) == [[0]]
        seen += 1
    writer.join()
    assert served.rows("SELECT posts_count FROM topics") == [[301]]
