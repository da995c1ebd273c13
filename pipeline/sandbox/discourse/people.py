"""People and places of the sandbox forum: accounts, groups, categories, tags, visits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipeline.sandbox.discourse.tables import Row, Tables, action, made, utc

SYSTEM, DISCOBOT = -1, -2
EVERYONE, ADMINS, MODERATORS, STAFF = 0, 1, 2, 3
HISTORY = {  # user_histories.action
    "delete_user": 1,
    "suspend": 10,
    "delete_post": 17,
    "delete_topic": 18,
    "change_username": 21,
    "anonymize": 24,
    "silence": 30,
    "grant_moderation": 34,
    "revoke_moderation": 35,
    "post_edit": 53,
    "recover_topic": 55,
    "merge_user": 65,
}
FULL, CREATE_POST, READ_ONLY = 1, 2, 3  # category_groups.permission_type


class People(Tables):
    """Who is there, and where. All times are aware."""

    def __init__(self, solved: int | None, at: datetime) -> None:
        super().__init__(solved)
        self._visited: set[tuple[int, str]] = set()
        self.filled_by_sql = False  # then in-memory indexes do not know every row
        for group_id, name in (
            (EVERYONE, "everyone"),
            (ADMINS, "admins"),
            (MODERATORS, "moderators"),
            (STAFF, "staff"),
            *((10 + level, f"trust_level_{level}") for level in range(5)),
        ):
            reachable = 99 if group_id == MODERATORS else 0
            self.add(
                "groups",
                id=group_id,
                name=name,
                automatic=True,
                **made(at),
                messageable_level=reachable,
                mentionable_level=reachable,
                visibility_level=3 if group_id in (ADMINS, STAFF) else 0,
            )
        self.add_user("system", "system", at, admin=True, moderator=True, trust_level=4, id=SYSTEM)
        self.add_user(
            "discobot", "discobot", at, admin=True, moderator=True, trust_level=4, id=DISCOBOT
        )

    @action
    def add_user(
        self,
        username: str,
        name: str | None,
        at: datetime,
        *,
        admin: bool = False,
        moderator: bool = False,
        trust_level: int = 1,
        id: int | None = None,  # noqa: A002 - the column's name
        **columns: Any,
    ) -> int:
        """A new account's id. `columns` are further columns of `users`."""
        row = self.add(
            "users",
            id=id,
            username=username,
            username_lower=username.lower(),
            name=name,
            admin=admin,
            moderator=moderator,
            trust_level=trust_level,
            **made(at),
            **columns,
        )
        user_id: int = row["id"]
        domain = "example.invalid"
        self.add(
            "user_emails",
            user_id=user_id,
            email=f"{username.lower()}@{domain}",
            normalized_email=f"{username.lower()}@{domain}",
            **made(at),
        )
        groups = [10 + level for level in range(trust_level + 1)]
        groups += [ADMINS] * admin + [MODERATORS] * moderator + [STAFF] * (admin or moderator)
        if user_id > 0:
            for group_id in groups:
                self.join(group_id, user_id, at)
        return user_id

    @action
    def add_group(
        self, name: str, at: datetime, *, members: Iterable[int] = (), **columns: Any
    ) -> int:
        """A new custom group's id."""
        row = self.add("groups", name=name, **made(at), **columns)
        for user_id in members:
            self.join(row["id"], user_id, at)
        return int(row["id"])

    @action
    def join(self, group_id: int, user_id: int, at: datetime, *, owner: bool = False) -> None:
        """Make an account a member of a group."""
        self.add(
            "group_users",
            group_id=group_id,
            user_id=user_id,
            owner=owner,
            **made(at),
        )
        group = self.get("groups", group_id)
        self.change("groups", group_id, user_count=group["user_count"] + 1)

    @action
    def leave(self, group_id: int, user_id: int) -> None:
        """End a membership; its row is gone."""
        self.write("DELETE FROM group_users WHERE group_id = ? AND user_id = ?", group_id, user_id)
        group = self.get("groups", group_id)
        self.change("groups", group_id, user_count=group["user_count"] - 1)

    @action
    def add_category(
        self,
        name: str,
        slug: str,
        at: datetime,
        *,
        read_restricted: bool = False,
        parent_id: int | None = None,
        id: int | None = None,  # noqa: A002 - the column's name
        groups: Iterable[int] = (STAFF,),
        **columns: Any,
    ) -> int:
        """A new category's id; `groups` may read it where it is restricted."""
        row = self.add(
            "categories",
            id=id,
            name=name,
            name_lower=name.lower(),
            slug=slug,
            read_restricted=read_restricted,
            parent_category_id=parent_id,
            **made(at),
            **columns,
        )
        if read_restricted:
            for group_id in groups:
                self.add(
                    "category_groups",
                    category_id=row["id"],
                    group_id=group_id,
                    permission_type=FULL,
                    **made(at),
                )
        return int(row["id"])

    @action
    def restrict_category(self, category_id: int, at: datetime, groups: Iterable[int]) -> None:
        """Close a category to all but these groups. Its topics and posts do not change."""
        self.change("categories", category_id, read_restricted=True, updated_at=utc(at))
        for group_id in groups:
            self.add(
                "category_groups",
                category_id=category_id,
                group_id=group_id,
                permission_type=FULL,
                **made(at),
            )

    @action
    def add_tag(self, name: str, at: datetime) -> int:
        """The id of the tag of this name, new or not."""
        known = self.read("SELECT id FROM tags WHERE name = ?", name)
        if known:
            return int(known[0]["id"])
        row = self.add("tags", name=name, slug=name, **made(at))
        return int(row["id"])

    @action
    def visit(self, user_id: int, at: datetime) -> None:
        """Note that somebody was here on this day: one row a day, and `last_seen_at`."""
        self.change("users", user_id, last_seen_at=utc(at))
        day = utc(at).date().isoformat()
        if (user_id, day) not in self._visited and user_id > 0:
            self._visited.add((user_id, day))
            self.add("user_visits", user_id=user_id, visited_at=day, posts_read=1, time_read=60)

    @action
    def suspend(
        self, user_id: int, till: datetime, by: int, at: datetime, reason: str = ""
    ) -> None:
        """Suspend an account. For ever is written as a date centuries ahead."""
        self.change(
            "users", user_id, suspended_at=utc(at), suspended_till=utc(till), updated_at=utc(at)
        )
        self.log("suspend", by, at, target_user_id=user_id, details=reason)

    @action
    def silence(
        self, user_id: int, till: datetime, by: int, at: datetime, reason: str = ""
    ) -> None:
        """Silence an account: it may read only."""
        self.change("users", user_id, silenced_till=utc(till), updated_at=utc(at))
        self.log("silence", by, at, target_user_id=user_id, details=reason)

    @action
    def rename_user(self, user_id: int, username: str, at: datetime) -> None:
        """Rename an account. Mentions and quotes in posts follow without `updated_at` moving."""
        old = self.get("users", user_id)["username"]
        self.change(
            "users", user_id, username=username, username_lower=username.lower(), updated_at=utc(at)
        )
        self.log(
            "change_username",
            user_id,
            at,
            target_user_id=user_id,
            previous_value=old,
            new_value=username,
        )
        self._rewrite_mentions(old, username)

    @action
    def anonymise(self, user_id: int, at: datetime) -> None:
        """Take name, e-mail and user name from an account; its posts stay its own."""
        old, new = self.get("users", user_id)["username"], f"anon{user_id:06d}"
        self.change(
            "users",
            user_id,
            username=new,
            username_lower=new,
            name=None,
            title=None,
            updated_at=utc(at),
        )
        email = f"{new}@anonymized.invalid"
        self.write(
            "UPDATE user_emails SET email = ?, normalized_email = ?, updated_at = ?"
            " WHERE user_id = ?",
            email,
            email,
            utc(at),
            user_id,
        )
        self.log("anonymize", SYSTEM, at, target_user_id=user_id, details=f"username: {old}")
        self._rewrite_mentions(old, new)

    @action
    def merge_users(self, from_id: int, into_id: int, at: datetime) -> None:
        """Give one account's posts, likes, reports and place in the staff's log to another by plain
        SQL (no `updated_at` moves); the first account's row is gone. A like both gave stays once.
        """
        gone = self.get("users", from_id)["username"]
        self.write("UPDATE posts SET user_id = ? WHERE user_id = ?", into_id, from_id)
        self.write("UPDATE topics SET user_id = ? WHERE user_id = ?", into_id, from_id)
        self.write(
            "UPDATE topics SET last_post_user_id = ? WHERE last_post_user_id = ?", into_id, from_id
        )
        self.write(
            "DELETE FROM post_actions WHERE user_id = ? AND EXISTS (FROM post_actions AS o"
            " WHERE o.post_id = post_actions.post_id AND o.user_id = ? AND"
            " o.post_action_type_id = post_actions.post_action_type_id)",
            from_id,
            into_id,
        )
        self.write("UPDATE post_actions SET user_id = ? WHERE user_id = ?", into_id, from_id)
        liked = self.read("SELECT post_id FROM post_actions WHERE user_id = ?", into_id)
        self.recount_likes([row["post_id"] for row in liked])
        for table, column in (
            ("reviewables", "created_by_id"),
            ("user_histories", "acting_user_id"),
            ("user_histories", "target_user_id"),
        ):
            self.write(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", into_id, from_id)
        self.filled_by_sql = True
        self._remove_account(from_id)
        self.log("merge_user", SYSTEM, at, target_user_id=into_id, context=f"merged {gone}")

    @action
    def delete_user(self, user_id: int, at: datetime) -> None:
        """Delete an account; its posts stay and belong to nobody, its likes are taken back."""
        gone = self.get("users", user_id)["username"]
        self.write("UPDATE posts SET user_id = NULL WHERE user_id = ?", user_id)
        self.write("UPDATE topics SET user_id = NULL WHERE user_id = ?", user_id)
        liked = "SELECT post_id FROM post_actions WHERE user_id = ? AND deleted_at IS NULL"
        posts = [row["post_id"] for row in self.read(liked, user_id)]
        self.write(
            "UPDATE post_actions SET deleted_at = ?, deleted_by_id = ?"
            " WHERE user_id = ? AND deleted_at IS NULL",
            utc(at),
            SYSTEM,
            user_id,
        )
        self.recount_likes(posts)
        self._remove_account(user_id)
        self.log("delete_user", SYSTEM, at, details=f"username: {gone}")

    def log(self, what: str, by: int, at: datetime, **columns: Any) -> Row:
        """A row of user_histories, which staff read as the staff action log."""
        return self.add(
            "user_histories",
            action=HISTORY[what],
            acting_user_id=by,
            **made(at),
            **columns,
        )

    def recount_likes(self, posts: list[int]) -> None:
        """Make `like_count` of these posts and of their topics true again; no time moves."""
        self.write(
            "UPDATE posts SET like_count = (SELECT count(*) FROM post_actions AS a"
            " WHERE a.post_id = posts.id AND a.post_action_type_id = 2 AND a.deleted_at IS NULL)"
            " WHERE id IN (SELECT unnest(?::INTEGER[]))",
            posts,
        )
        self.write(
            "UPDATE topics SET like_count = (SELECT coalesce(sum(p.like_count), 0) FROM posts AS p"
            " WHERE p.topic_id = topics.id AND p.deleted_at IS NULL) WHERE id IN"
            " (SELECT topic_id FROM posts WHERE id IN (SELECT unnest(?::INTEGER[])))",
            posts,
        )

    def is_staff(self, user_id: int | None) -> bool:
        """Whether this account is an admin or moderator."""
        if user_id is None or not self.has("users", user_id):
            return False
        user = self.get("users", user_id)
        return bool(user["admin"] or user["moderator"])

    def _remove_account(self, user_id: int) -> None:
        for table, column in (
            ("users", "id"),
            ("user_emails", "user_id"),
            ("group_users", "user_id"),
            ("user_visits", "user_id"),
        ):
            self.write(f"DELETE FROM {table} WHERE {column} = ?", user_id)

    def _rewrite_mentions(self, old: str, new: str) -> None:
        pattern = rf"@{re.escape(old)}\b"
        self.write(
            "UPDATE posts SET raw = replace(regexp_replace(raw, ?, ?, 'gi'), ?, ?),"
            " cooked = replace(regexp_replace(cooked, ?, ?, 'gi'), ?, ?)"
            " WHERE raw ILIKE ? OR raw LIKE ?",
            pattern,
            f"@{new}",
            f'[quote="{old},',
            f'[quote="{new},',
            pattern,
            f"@{new}",
            f'data-username="{old}"',
            f'data-username="{new}"',
            f"%@{old}%",
            f'%[quote="{old},%',
        )
