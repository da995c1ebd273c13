"""What can happen on a forum, at random or all of it, and what is then true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pipeline.sandbox.discourse import Forum

CLOSED_WORDS = ("zebrafinch", "quagga", "thylacine", "numbat")  # PM, whisper, restricted, its title


class History:
    """A small forum that goes on living. Each method is one thing that happens."""

    def __init__(self, forum: Forum, start: datetime) -> None:
        self.forum = forum
        self.now = start
        self.open = [forum.add_category(n, n.lower(), start) for n in ("General", "Support")]
        self.closed = forum.add_category("Staff only", "staff-only", start, read_restricted=True)
        self.people = [
            forum.add_user(name, name.title(), start, trust_level=1)
            for name in ("ann", "ben", "cem", "dora", "eli")
        ]
        self.admin = forum.add_user("admin", "Admin", start, admin=True, trust_level=4)
        self.topics: list[int] = []
        self.posts: list[int] = []
        self.gone: set[int] = set()
        for n in range(3):
            self.topic(n, n)
            self.reply(n, n + 1)
        self.secrets()

    def later(self, minutes: int = 7) -> datetime:
        self.now += timedelta(minutes=minutes)
        return self.now

    def secrets(self) -> None:
        """A private message, a whisper and a topic in a restricted category."""
        pm, whisper, restricted, title = CLOSED_WORDS
        f, people = self.forum, self.people
        f.private_message(
            people[0], [people[1]], "Between the two of us", f"It is {pm}", self.later()
        )
        f.reply(self.topics[0], self.admin, f"Only staff: {whisper}", self.later(), post_type=4)
        topic, post = f.create_topic(
            self.admin, self.closed, f"Where the {title} lives", f"It is {restricted}", self.later()
        )
        f.like(post, people[2], self.later())

    def topic(self, who: int, category: int) -> None:
        person = self._of(self.people, who)
        topic, post = self.forum.create_topic(
            person,
            self._of(self.open, category),
            f"A question about thing {len(self.topics)}",
            f"How does thing {len(self.topics)} work, by the way?",
            self.later(),
            tags=("how-to",),
        )
        self.topics.append(topic)
        self.posts.append(post)

    def reply(self, topic: int, who: int) -> None:
        target = self._topic(topic)
        if target is None:
            return
        text = f"Answer number {len(self.posts)}, quite long enough"
        self.posts.append(self.forum.reply(target, self._of(self.people, who), text, self.later()))

    def edit(self, post: int, minutes: int) -> None:
        if (target := self._post(post)) is not None:
            self.forum.edit(
                target, f"Edited at {self.now}, and still long enough", self.later(minutes)
            )

    def like(self, post: int, who: int) -> None:
        if (target := self._post(post)) is not None:
            self.forum.like(target, self._of(self.people, who), self.later())

    def unlike(self, post: int, who: int) -> None:
        if (target := self._post(post)) is not None:
            self.forum.unlike(target, self._of(self.people, who), self.later())

    def delete(self, post: int) -> None:
        if (target := self._post(post)) is not None and not self._is_first(target):
            self.forum.delete_post(target, self.admin, self.later())

    def recover(self, post: int) -> None:
        target = self._of(self.posts, post)
        rows = self.forum.read("SELECT deleted_at FROM posts WHERE id = ?", target)
        if rows and rows[0]["deleted_at"] is not None and not self._is_first(target):
            self.forum.recover_post(target, self.later())

    def destroy(self, post: int) -> None:
        if (target := self._post(post)) is not None and not self._is_first(target):
            self.forum.destroy_post(target)

    def delete_topic(self, topic: int) -> None:
        if (target := self._topic(topic)) is not None:
            self.forum.delete_topic(target, self.admin, self.later())

    def recover_topic(self, topic: int) -> None:
        target = self._of(self.topics, topic)
        rows = self.forum.read("SELECT deleted_at FROM topics WHERE id = ?", target)
        if rows and rows[0]["deleted_at"] is not None:
            self.forum.recover_topic(target, self.later())

    def destroy_topic(self, topic: int) -> None:
        if (target := self._topic(topic)) is not None and len(self.topics) > 2:
            self.forum.destroy_topic(target)

    def move(self, post: int, topic: int) -> None:
        source, target = self._post(post), self._topic(topic)
        if source is not None and target is not None and not self._is_first(source):
            self.forum.move_posts([source], target, self.later())

    def accept(self, post: int) -> None:
        if (target := self._post(post)) is not None and not self._is_first(target):
            self.forum.accept(target, self.admin, self.later())

    def unaccept(self, post: int) -> None:
        if (target := self._post(post)) is not None:
            self.forum.unaccept(target, self.later())

    def retitle(self, topic: int) -> None:
        if (target := self._topic(topic)) is not None:
            self.forum.retitle(target, f"Called something else at {self.now}", self.later())

    def recategorise(self, topic: int, category: int) -> None:
        if (target := self._topic(topic)) is not None:
            self.forum.recategorise(
                target, self._of([*self.open, self.closed], category), self.later()
            )

    def rename(self, who: int) -> None:
        name = f"name{self.now:%d%H%M}"
        self.forum.rename_user(self._of(self.people, who), name, self.later())

    def anonymise(self, who: int) -> None:
        self.forum.anonymise(self._of(self.people, who), self.later())

    def merge(self, who: int) -> None:
        if len(self.people) > 3:
            gone = self.people.pop(who % len(self.people))
            self.forum.merge_users(gone, self.people[0], self.later())

    def delete_user(self, who: int) -> None:
        if len(self.people) > 3:
            self.forum.delete_user(self.people.pop(who % len(self.people)), self.later())

    def flag(self, post: int, who: int) -> None:
        target, person = self._post(post), self._of(self.people, who)
        if target is not None and not self.forum.read(
            "FROM post_actions WHERE post_id = ? AND user_id = ? AND post_action_type_id > 2",
            target,
            person,
        ):
            found = self.forum.flag(target, person, "spam", self.later())
            self.forum.review(found, "approved", self.admin, self.later())

    def rest(self, hours: int) -> None:
        self.later(60 * hours)

    def _of(self, known: list[int], number: int) -> int:
        return known[number % len(known)]

    def _post(self, number: int) -> int | None:
        """A post that stands, of an open topic that stands."""
        post = self._of(self.posts, number)
        rows = self.forum.read(
            "SELECT p.id FROM posts p JOIN topics t ON t.id = p.topic_id"
            " WHERE p.id = ? AND p.deleted_at IS NULL AND t.deleted_at IS NULL"
            " AND t.category_id <> ?",
            post,
            self.closed,
        )
        return post if rows else None

    def _topic(self, number: int) -> int | None:
        topic = self._of(self.topics, number)
        rows = self.forum.read(
            "SELECT id FROM topics WHERE id = ? AND deleted_at IS NULL AND category_id <> ?",
            topic,
            self.closed,
        )
        return topic if rows else None

    def _is_first(self, post: int) -> bool:
        rows = self.forum.read("SELECT post_number FROM posts WHERE id = ?", post)
        return not rows or rows[0]["post_number"] == 1


number = st.integers(0, 20)
EVENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "topic": st.tuples(number, number),
    "reply": st.tuples(number, number),
    "edit": st.tuples(number, st.sampled_from([1, 30])),
    "like": st.tuples(number, number),
    "unlike": st.tuples(number, number),
    "delete": st.tuples(number),
    "recover": st.tuples(number),
    "destroy": st.tuples(number),
    "delete_topic": st.tuples(number),
    "recover_topic": st.tuples(number),
    "destroy_topic": st.tuples(number),
    "move": st.tuples(number, number),
    "accept": st.tuples(number),
    "unaccept": st.tuples(number),
    "retitle": st.tuples(number),
    "recategorise": st.tuples(number, number),
    "rename": st.tuples(number),
    "anonymise": st.tuples(number),
    "merge": st.tuples(number),
    "delete_user": st.tuples(number),
    "flag": st.tuples(number, number),
    "rest": st.tuples(st.integers(1, 30)),
}
event = st.sampled_from(sorted(EVENTS)).flatmap(
    lambda name: EVENTS[name].map(lambda given: (name, *given))
)
nights = st.lists(st.lists(event, max_size=8), min_size=1, max_size=4)


def play(history: History, events: list[tuple[Any, ...]]) -> None:
    for name, *given in events:
        happen: Callable[..., None] = getattr(history, name)
        happen(*given)


_OPEN = """
    JOIN topics t ON t.id = p.topic_id JOIN categories c ON c.id = t.category_id
    WHERE t.archetype = 'regular' AND NOT c.read_restricted
"""
_US = "epoch_us({0}) AS {1}"
TRUTH = {
    "categories": "SELECT id, name, slug FROM categories WHERE NOT read_restricted",
    "users": "SELECT id, username, name, trust_level, admin, active FROM users",
    "topics": "SELECT t.id, t.title, t.user_id, t.category_id, t.posts_count, t.like_count, t.views,"
    " t.closed, t.visible, epoch_us(t.deleted_at) AS deleted_us, epoch_us(t.bumped_at) AS bumped_us"
    " FROM topics t JOIN categories c ON c.id = t.category_id"
    " WHERE t.archetype = 'regular' AND NOT c.read_restricted",
    "posts": "SELECT p.id, p.topic_id, p.user_id, p.post_number, p.post_type, p.raw, p.like_count,"
    " p.version, p.user_deleted, p.reply_to_post_number, epoch_us(p.deleted_at) AS deleted_us,"
    " epoch_us(p.updated_at) AS updated_us FROM posts p" + _OPEN + " AND p.post_type <> 4",
    "solutions": "SELECT a.answer_post_id AS id, s.topic_id, a.answer_post_id, a.accepter_user_id"
    " FROM discourse_solved_topic_answers a"
    " JOIN discourse_solved_solved_topics s ON s.id = a.solved_topic_id"
    " JOIN topics t ON t.id = s.topic_id JOIN categories c ON c.id = t.category_id"
    " WHERE NOT c.read_restricted",
    "revisions": "SELECT r.id, r.post_id, r.user_id, r.number FROM post_revisions r"
    " JOIN posts p ON p.id = r.post_id" + _OPEN + " AND NOT r.hidden AND p.post_type <> 4",
    "reports": "SELECT r.id, r.status, r.target_id, r.created_by_id FROM reviewables r"
    " LEFT JOIN topics t ON t.id = r.topic_id LEFT JOIN categories c ON c.id = t.category_id"
    " WHERE r.topic_id IS NULL OR (t.archetype = 'regular' AND NOT c.read_restricted)",
}
LIKES = (
    "SELECT DISTINCT a.post_id, a.user_id FROM post_actions a JOIN posts p ON p.id = a.post_id"
    + _OPEN
    + " AND p.post_type <> 4 AND a.post_action_type_id = 2 AND a.deleted_at IS NULL"
)


def truth(forum: Forum, stream: str) -> dict[str, dict[str, Any]]:
    """Key -> what the forum's own tables say, of all that may be read."""
    return {str(row["id"]): row for row in forum.read(TRUTH[stream])}
