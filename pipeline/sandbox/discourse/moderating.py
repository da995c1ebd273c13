"""What staff do in the sandbox forum: delete, recover, move, hide, flag, review.

Source: Discourse's PostDestroyer, PostMover, PostActionCreator and Reviewable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeline.sandbox.discourse.cook import cook
from pipeline.sandbox.discourse.people import SYSTEM
from pipeline.sandbox.discourse.responding import Responding
from pipeline.sandbox.discourse.tables import Row, action, made, utc
from pipeline.sandbox.discourse.writing import WHISPER

FLAGS = {
    "off_topic": 3,
    "inappropriate": 4,
    "notify_user": 6,
    "notify_moderators": 7,
    "spam": 8,
    "illegal": 10,
}
STATUS = {"pending": 0, "approved": 1, "rejected": 2, "ignored": 3, "deleted": 4}
_SCORE_STATUS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 1}  # pending, agreed, disagreed, ignored
_DECISION = {1: "agreed", 2: "disagreed", 3: "deferred", 4: "agreed"}
_SELF_DELETED = "(post deleted by author)"
_STUB_LIFE = timedelta(hours=24)  # delete_removed_posts_after


class Moderating(Responding):
    """Staff's part. All times are aware."""

    def __init__(self, solved: int | None, at: datetime) -> None:
        super().__init__(solved, at)
        self._stubs: dict[int, datetime] = {}

    @action
    def delete_post(self, post_id: int, by: int, at: datetime) -> None:
        """Delete a post softly; its first post takes the topic with it. A member who deletes an
        own reply leaves a stub with another text, which `run_jobs` deletes a day later."""
        post = self.get("posts", post_id)
        if post["post_number"] == 1:
            self.delete_topic(post["topic_id"], by, at)
        elif by == post["user_id"] and not self.is_staff(by):
            self.edit_by_force(post, _SELF_DELETED, at)
            self.change("posts", post_id, user_deleted=True)
            self._stubs[post_id] = at
        else:
            self._trash(post, by, at)
            if self.is_staff(by) and by != post["user_id"]:
                self.log(
                    "delete_post",
                    by,
                    at,
                    topic_id=post["topic_id"],
                    post_id=post_id,
                    target_user_id=post["user_id"],
                    details=post["raw"][:200],
                )

    @action
    def recover_post(self, post_id: int, at: datetime) -> None:
        """Undo a deletion. Staff's recovery moves no `updated_at` of the post; an author who takes
        a stub back makes one more version."""
        post = self.get("posts", post_id)
        if post["user_deleted"] and post["deleted_at"] is None:
            (last,) = self.read(
                "SELECT modifications FROM post_revisions WHERE post_id = ?"
                " ORDER BY number DESC LIMIT 1",
                post_id,
            )
            self.edit_by_force(post, _first_value(last["modifications"]), at)
            self.change("posts", post_id, user_deleted=False)
            self._stubs.pop(post_id, None)
            return
        self.change("posts", post_id, deleted_at=None, deleted_by_id=None, user_deleted=False)
        trashed = self.read(
            "SELECT id FROM post_actions WHERE post_id = ? AND post_action_type_id = 2"
            " AND deleted_at = ?",
            post_id,
            post["deleted_at"],
        )
        for row in trashed:
            self.change("post_actions", row["id"], deleted_at=None, deleted_by_id=None)
        self._recount(post["topic_id"], at)
        self.recount_likes([post_id])

    @action
    def destroy_post(self, post_id: int) -> None:
        """Delete a post for good: its row and all that hangs on it are gone."""
        topic_id = self.get("posts", post_id)["topic_id"]
        self._forget("posts", "id = ?", post_id)
        self._tops.pop(topic_id, None)
        for table in ("post_actions", "post_revisions", "quoted_posts", "post_custom_fields"):
            self._forget(table, "post_id = ?", post_id)
        self._recount(topic_id, None)

    @action
    def delete_topic(self, topic_id: int, by: int, at: datetime) -> None:
        """Delete a topic softly: its own row and its first post; its replies do not change."""
        first = self.post_of(topic_id, 1)
        if first is not None and first["deleted_at"] is None:
            self._trash(first, by, at)
        topic = self.change(
            "topics", topic_id, deleted_at=utc(at), deleted_by_id=by, updated_at=utc(at)
        )
        if topic["category_id"] is not None:
            self._count_in_category(topic["category_id"], topics=-1, posts=-topic["posts_count"])
        self.log("delete_topic", by, at, topic_id=topic_id, target_user_id=topic["user_id"])

    @action
    def recover_topic(self, topic_id: int, at: datetime, *, by: int = SYSTEM) -> None:
        """Undo the deletion of a topic and of its first post."""
        topic = self.change(
            "topics", topic_id, deleted_at=None, deleted_by_id=None, updated_at=utc(at)
        )
        first = self.post_of(topic_id, 1)
        if first is not None:
            self.recover_post(first["id"], at)
        topic = self.get("topics", topic_id)
        if topic["category_id"] is not None:
            self._count_in_category(topic["category_id"], topics=1, posts=topic["posts_count"])
        self.log("recover_topic", by, at, topic_id=topic_id)

    @action
    def destroy_topic(self, topic_id: int) -> None:
        """Delete a topic and its posts for good."""
        for row in self.read("SELECT id FROM posts WHERE topic_id = ?", topic_id):
            self.destroy_post(row["id"])
        self._clear_solution(topic_id)
        self._forget("topics", "id = ?", topic_id)
        for table in ("topic_tags", "topic_allowed_users", "topic_custom_fields", "topic_links"):
            self._forget(table, "topic_id = ?", topic_id)

    @action
    def move_posts(
        self, post_ids: Iterable[int], to_topic_id: int, at: datetime, *, by: int = SYSTEM
    ) -> list[int]:
        """Append posts to another topic; the ids they have there. A reply keeps its row, with
        another topic and number and no `updated_at`; a first post is copied to a new row."""
        ids, sources = [], set()
        for post_id in post_ids:
            post = self.get("posts", post_id)
            source, number = post["topic_id"], post["post_number"]
            sources.add(source)
            target = self._next_number(to_topic_id)
            if number == 1:
                post = self.add("posts", **{**post, "id": None})
            self.change(
                "posts",
                post["id"],
                topic_id=to_topic_id,
                post_number=target,
                sort_order=target,
                reply_to_post_number=None,
            )
            self.add(
                "moved_posts",
                old_topic_id=source,
                old_post_id=post_id,
                old_post_number=number,
                new_topic_id=to_topic_id,
                new_post_id=post["id"],
                new_post_number=target,
                user_id=by,
                **made(at),
            )
            self._numbers[to_topic_id, target] = post["id"]
            self._recount(to_topic_id, at)
            ids.append(post["id"])
        for source in sources:
            self._tops.pop(source, None)
            self._recount(source, at)
            self.small_action(source, by, "split_topic", at)
        return ids

    @action
    def hide_post(self, post_id: int, at: datetime, *, reason: int = 1) -> None:
        """Hide a post from all but staff and its author, as enough flags do."""
        self.change(
            "posts",
            post_id,
            hidden=True,
            hidden_at=utc(at),
            hidden_reason_id=reason,
            updated_at=utc(at),
        )

    @action
    def flag(self, post_id: int, user_id: int, kind: str, at: datetime) -> int:
        """The id of the reviewable that this report of a post opened or joined."""
        post = self.get("posts", post_id)
        self._add_action(post_id, user_id, FLAGS[kind], at)
        counter = f"{kind}_count"
        if counter in post:
            self.change("posts", post_id, **{counter: post[counter] + 1})
        known = self.read(
            "SELECT id FROM reviewables WHERE target_id = ? AND target_type = 'Post'"
            " AND type = 'ReviewableFlaggedPost'",
            post_id,
        )
        reviewable = (
            self.get("reviewables", known[0]["id"])
            if known
            else self.add(
                "reviewables",
                type="ReviewableFlaggedPost",
                created_by_id=user_id,
                topic_id=post["topic_id"],
                target_id=post_id,
                target_type="Post",
                category_id=self.get("topics", post["topic_id"])["category_id"],
                target_created_by_id=post["user_id"],
                payload="{}",
                created_at=utc(at),
            )
        )
        self._add_score(reviewable, user_id, FLAGS[kind], at)
        return int(reviewable["id"])

    @action
    def enqueue(self, user_id: int, category_id: int, title: str, raw: str, at: datetime) -> int:
        """The id of a reviewable: a post that waits for approval and is not public yet."""
        payload = json.dumps({"raw": raw, "title": title, "tags": []}, ensure_ascii=False)
        reviewable = self.add(
            "reviewables",
            type="ReviewableQueuedPost",
            created_by_id=SYSTEM,
            target_created_by_id=user_id,
            category_id=category_id,
            payload=payload,
            created_at=utc(at),
        )
        self._add_score(reviewable, SYSTEM, 9, at)
        return int(reviewable["id"])

    @action
    def review(self, reviewable_id: int, status: str, by: int, at: datetime) -> None:
        """Decide a reviewable: `approved`, `rejected`, `ignored` or `deleted` (the post too)."""
        code = STATUS[status]
        reviewable = self.get("reviewables", reviewable_id)
        self.change(
            "reviewables",
            reviewable_id,
            status=code,
            updated_at=utc(at),
            version=reviewable["version"] + 1,
        )
        for score in self.read(
            "SELECT id FROM reviewable_scores WHERE reviewable_id = ? AND status = 0", reviewable_id
        ):
            self.change(
                "reviewable_scores",
                score["id"],
                status=_SCORE_STATUS[code],
                reviewed_by_id=by,
                reviewed_at=utc(at),
                updated_at=utc(at),
            )
        self._add_history(reviewable_id, 1, code, by, at)
        if reviewable["target_type"] != "Post":
            return
        decision = _DECISION[code]
        for row in self.read(
            "SELECT id FROM post_actions WHERE post_id = ? AND deleted_at IS NULL"
            " AND post_action_type_id IN (3, 4, 6, 7, 8, 10)",
            reviewable["target_id"],
        ):
            self.change(
                "post_actions",
                row["id"],
                updated_at=utc(at),
                **{f"{decision}_at": utc(at), f"{decision}_by_id": by},
            )
        if status == "deleted":
            self.delete_post(reviewable["target_id"], by, at)

    @action
    def run_jobs(self, at: datetime) -> None:
        """Do what background jobs have had time for: stubs a day old are deleted."""
        for post_id, since in list(self._stubs.items()):
            if at - since >= _STUB_LIFE:
                del self._stubs[post_id]
                self._trash(self.get("posts", post_id), SYSTEM, since + _STUB_LIFE)

    def edit_by_force(self, post: Row, raw: str, at: datetime) -> None:
        """A new version of a post by its author, whatever the grace period says."""
        changes = {"raw": [post["raw"], raw], "cooked": [post["cooked"], cook(raw)]}
        self._revise(post, post["user_id"], changes, at)
        self.change("posts", post["id"], raw=raw, cooked=cook(raw), baked_at=utc(at))

    def _trash(self, post: Row, by: int, at: datetime) -> None:
        self.change("posts", post["id"], deleted_at=utc(at), deleted_by_id=by, like_count=0)
        for row in self.read(
            "SELECT id FROM post_actions WHERE post_id = ? AND deleted_at IS NULL"
            " AND post_action_type_id = 2",
            post["id"],
        ):
            self.change("post_actions", row["id"], deleted_at=utc(at), deleted_by_id=by)
        if post["reply_to_post_number"] is not None:
            parent = self.post_of(post["topic_id"], post["reply_to_post_number"])
            if parent is not None:
                self.change("posts", parent["id"], reply_count=max(0, parent["reply_count"] - 1))
        self._recount(post["topic_id"], at)

    def _recount(self, topic_id: int, at: datetime | None) -> None:
        """Make a topic's counters true again; `updated_at` moves where a time is given."""
        counts = self.read(
            f"""
            SELECT count(*) FILTER (post_type <> {WHISPER}) AS posts_count,
                coalesce(max(post_number) FILTER (post_type <> {WHISPER}), 0)
                    AS highest_post_number,
                coalesce(max(post_number), 0) AS highest_staff_post_number,
                max(created_at) FILTER (post_type IN (1, 2)) AS last_posted_at,
                max_by(user_id, post_number) FILTER (post_type IN (1, 2)) AS last_post_user_id,
                count(reply_to_post_number) AS reply_count,
                coalesce(sum(like_count), 0)::INTEGER AS like_count
            FROM posts WHERE topic_id = ? AND deleted_at IS NULL
            """,
            topic_id,
        )[0]
        moved = {} if at is None else {"updated_at": utc(at)}
        self.change("topics", topic_id, **counts, **moved)

    def _forget(self, table: str, where: str, value: int) -> None:
        self.write(f"DELETE FROM {table} WHERE {where}", value)

    def _add_score(self, reviewable: Row, user_id: int, kind: int, at: datetime) -> None:
        self.add(
            "reviewable_scores",
            reviewable_id=reviewable["id"],
            user_id=user_id,
            score=1.0,
            reviewable_score_type=kind,
            **made(at),
        )
        self.change(
            "reviewables",
            reviewable["id"],
            score=reviewable["score"] + 1.0,
            status=0,
            latest_score=utc(at),
            updated_at=utc(at),
        )
        self._add_history(reviewable["id"], 0, 0, user_id, at)

    def _add_history(
        self, reviewable_id: int, kind: int, status: int, by: int, at: datetime
    ) -> None:
        self.add(
            "reviewable_histories",
            reviewable_id=reviewable_id,
            reviewable_history_type=kind,
            status=status,
            created_by_id=by,
            **made(at),
        )


def _first_value(modifications: str) -> str:
    """The text before the change, from a revision's YAML as `Writing` wrote it."""
    line = modifications.split("raw:\n- ", 1)[1].split("\n", 1)[0]
    return str(json.loads(line))
