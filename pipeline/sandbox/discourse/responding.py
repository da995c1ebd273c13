"""How people respond to posts in the sandbox forum: likes, reactions, accepted answers.

Neither moves `updated_at` of the post. Source: Discourse's PostActionCreator and
PostActionDestroyer; the Solved and Reactions plugins.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.sandbox.discourse.tables import Row, action, made, utc
from pipeline.sandbox.discourse.writing import Writing

LIKE = 2  # post_actions.post_action_type_id
HEART = "heart"  # the reaction that is stored as a mere like


class Responding(Writing):
    """Likes, reactions and solutions. All times are aware."""

    def __init__(self, solved: int | None, at: datetime) -> None:
        super().__init__(solved, at)
        self._solved = solved
        self._actions: dict[tuple[int, int, int], int] = {}  # (post, user, kind) -> row
        self._once_solved: set[int] = set()  # topics that have or had a solution

    @action
    def like(self, post_id: int, user_id: int, at: datetime) -> int:
        """The id of a like. Given again after it was taken back, the old row comes back to life,
        with its old `created_at` and `updated_at`."""
        row_id = self._find_action(post_id, user_id, LIKE)
        if row_id is None:
            row_id = self._add_action(post_id, user_id, LIKE, at)["id"]
        elif self.get("post_actions", row_id)["deleted_at"] is not None:
            self.change("post_actions", row_id, deleted_at=None, deleted_by_id=None)
        else:
            return row_id
        self._count_like(post_id, 1)
        self.visit(user_id, at)
        return int(row_id)

    @action
    def unlike(self, post_id: int, user_id: int, at: datetime) -> None:
        """Take a like back: its row stays, marked deleted. Without one nothing happens."""
        row_id = self._find_action(post_id, user_id, LIKE)
        if row_id is None or self.get("post_actions", row_id)["deleted_at"] is not None:
            return
        self.change("post_actions", row_id, deleted_at=utc(at), deleted_by_id=user_id)
        self._count_like(post_id, -1)

    @action
    def react(self, post_id: int, user_id: int, emoji: str, at: datetime) -> None:
        """React with an emoji: a like, and unless it is the heart a row of the plugin's own."""
        self.like(post_id, user_id, at)
        if emoji == HEART:
            return
        known = self.read(
            "SELECT id, reaction_users_count FROM discourse_reactions_reactions"
            " WHERE post_id = ? AND reaction_value = ?",
            post_id,
            emoji,
        )
        stamp = made(at)
        reaction = (
            known[0]
            if known
            else self.add(
                "discourse_reactions_reactions", post_id=post_id, reaction_value=emoji, **stamp
            )
        )
        self.add(
            "discourse_reactions_reaction_users",
            reaction_id=reaction["id"],
            user_id=user_id,
            post_id=post_id,
            **stamp,
        )
        self.change(
            "discourse_reactions_reactions",
            reaction["id"],
            updated_at=utc(at),
            reaction_users_count=reaction["reaction_users_count"] + 1,
        )

    @action
    def accept(
        self, post_id: int, by: int | None, at: datetime, *, beside_others: bool = False
    ) -> None:
        """Accept a post as its topic's solution, in this site's storage generation. An older one
        gives way, unless this one stands `beside_others`."""
        topic_id = self.get("posts", post_id)["topic_id"]
        if not beside_others:
            self._clear_solution(topic_id)
        self._once_solved.add(topic_id)
        stamp = made(at)
        if self._solved == 1:
            self.add(
                "topic_custom_fields",
                topic_id=topic_id,
                name="accepted_answer_post_id",
                value=str(post_id),
                **stamp,
            )
            self.add(
                "post_custom_fields",
                post_id=post_id,
                name="is_accepted_answer",
                value="true",
                **stamp,
            )
        elif self._solved == 2:
            self.add(
                "discourse_solved_solved_topics",
                topic_id=topic_id,
                answer_post_id=post_id,
                accepter_user_id=by,
                **stamp,
            )
        elif self._solved == 3:
            solved = self.add("discourse_solved_solved_topics", topic_id=topic_id, **stamp)
            self.add(
                "discourse_solved_topic_answers",
                solved_topic_id=solved["id"],
                answer_post_id=post_id,
                accepter_user_id=by,
                **stamp,
            )

    @action
    def unaccept(self, post_id: int, at: datetime) -> None:
        """Take an acceptance back: its rows are gone."""
        self._clear_solution(self.get("posts", post_id)["topic_id"])

    def _clear_solution(self, topic_id: int) -> None:
        if topic_id not in self._once_solved:
            return
        if self._solved == 1:
            self.write(
                "DELETE FROM post_custom_fields WHERE name = 'is_accepted_answer' AND"
                " post_id IN (SELECT id FROM posts WHERE topic_id = ?)",
                topic_id,
            )
            self.write(
                "DELETE FROM topic_custom_fields WHERE name = 'accepted_answer_post_id'"
                " AND topic_id = ?",
                topic_id,
            )
        elif self._solved is not None:
            solved = "SELECT id FROM discourse_solved_solved_topics WHERE topic_id = ?"
            if self._solved == 3:
                self.write(
                    "DELETE FROM discourse_solved_topic_answers"
                    f" WHERE solved_topic_id IN ({solved})",
                    topic_id,
                )
            self.write("DELETE FROM discourse_solved_solved_topics WHERE topic_id = ?", topic_id)

    def has_acted(self, post_id: int, user_id: int, kind: int) -> bool:
        """Whether this person's like or report of this kind stands on the post."""
        row_id = self._find_action(post_id, user_id, kind)
        return row_id is not None and self.get("post_actions", row_id)["deleted_at"] is None

    def _count_like(self, post_id: int, step: int) -> None:
        post = self.change(
            "posts", post_id, like_count=self.get("posts", post_id)["like_count"] + step
        )
        topic = self.get("topics", post["topic_id"])
        self.change("topics", topic["id"], like_count=topic["like_count"] + step)

    def _add_action(self, post_id: int, user_id: int, kind: int, at: datetime) -> Row:
        row = self.add(
            "post_actions", post_id=post_id, user_id=user_id, post_action_type_id=kind, **made(at)
        )
        self._actions[post_id, user_id, kind] = row["id"]
        return row

    def _find_action(self, post_id: int, user_id: int, kind: int) -> int | None:
        """The row, deleted or not, that this person's action on this post has."""
        known = self._actions.get((post_id, user_id, kind))
        if known is not None or not self.filled_by_sql:
            return known
        found = self.read(
            "SELECT id FROM post_actions WHERE post_id = ? AND user_id = ?"
            " AND post_action_type_id = ?",
            post_id,
            user_id,
            kind,
        )
        return found[0]["id"] if found else None
