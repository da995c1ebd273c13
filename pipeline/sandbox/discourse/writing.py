"""What people write in the sandbox forum: topics, posts, edits.

Which column moves at which change is the point of this module: an edit moves `updated_at` of the
post, a reply that of the topic. Source: Discourse's PostCreator and PostRevisor.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pipeline.sandbox.discourse.cook import LINK, QUOTE, cook
from pipeline.sandbox.discourse.people import People
from pipeline.sandbox.discourse.tables import Row, action, made, utc

REGULAR, MODERATOR_ACTION, SMALL_ACTION, WHISPER = 1, 2, 3, 4
_GRACE = timedelta(seconds=300)  # editing_grace_period
_GRACE_CHARS = 100  # editing_grace_period_max_diff; 400 from trust level 2 on


class Writing(People):
    """Topics, posts and what people do with them. All times are aware."""

    def __init__(self, solved: int | None, at: datetime) -> None:
        super().__init__(solved, at)
        self._numbers: dict[tuple[int, int], int] = {}  # (topic, post number) -> post
        self._tops: dict[int, int] = {}  # topic -> highest post number in use

    @action
    def create_topic(
        self,
        user_id: int | None,
        category_id: int | None,
        title: str,
        raw: str,
        at: datetime,
        *,
        tags: Iterable[str] = (),
        archetype: str = "regular",
        id: int | None = None,  # noqa: A002 - the column's name
        post_id: int | None = None,
        **columns: Any,
    ) -> tuple[int, int]:
        """The ids of a new topic and of its first post. `columns` are further ones of `topics`."""
        topic = self.add(
            "topics",
            id=id,
            user_id=user_id,
            last_post_user_id=user_id,
            category_id=category_id,
            archetype=archetype,
            **made(at),
            bumped_at=utc(at),
            **_named(title),
            **columns,
        )
        self._tops[topic["id"]] = 0
        for name in tags:
            self.add("topic_tags", topic_id=topic["id"], tag_id=self.add_tag(name, at), **made(at))
        if category_id is not None:
            self._count_in_category(category_id, topics=1)
        return topic["id"], self.reply(topic["id"], user_id, raw, at, id=post_id)

    @action
    def private_message(
        self,
        user_id: int,
        to_user_ids: Iterable[int],
        title: str,
        raw: str,
        at: datetime,
        *,
        to_group_ids: Iterable[int] = (),
        **columns: Any,
    ) -> tuple[int, int]:
        """The ids of a new private topic and of its first post."""
        columns.setdefault("subtype", "user_to_user")
        ids = self.create_topic(
            user_id, None, title, raw, at, archetype="private_message", **columns
        )
        for reader in sorted({user_id, *to_user_ids}):
            self.add("topic_allowed_users", topic_id=ids[0], user_id=reader, **made(at))
        for group_id in to_group_ids:
            self.add("topic_allowed_groups", topic_id=ids[0], group_id=group_id)
        return ids

    @action
    def reply(
        self,
        topic_id: int,
        user_id: int | None,
        raw: str,
        at: datetime,
        *,
        reply_to: int | None = None,
        post_type: int = REGULAR,
        id: int | None = None,  # noqa: A002 - the column's name
        **columns: Any,
    ) -> int:
        """The id of a new post. `reply_to` is the number of a post of the same topic."""
        topic = self.get("topics", topic_id)
        number = self._next_number(topic_id)
        cooked = columns.pop("cooked", None)
        post = self.add(
            "posts",
            id=id,
            user_id=user_id,
            topic_id=topic_id,
            post_number=number,
            sort_order=number,
            raw=raw,
            cooked=cook(raw) if cooked is None else cooked,
            **made(at),
            last_version_at=utc(at),
            baked_at=utc(at),
            last_editor_id=user_id,
            reply_to_post_number=reply_to,
            post_type=post_type,
            word_count=len(raw.split()),
            **columns,
        )
        self._numbers[topic_id, number] = post["id"]
        self._count_in_topic(topic, post, at)
        if reply_to is not None:
            self._count_reply(topic_id, reply_to, post["id"])
        self._extract_quotes(post, at)
        self._extract_links(post, at)
        if user_id is not None:
            self.change("users", user_id, last_posted_at=utc(at))
            self.visit(user_id, at)
        return int(post["id"])

    def small_action(self, topic_id: int, by: int, code: str, at: datetime) -> int:
        """The id of a new event post, such as `closed.enabled`: empty, and not bumping."""
        return self.reply(topic_id, by, "", at, post_type=SMALL_ACTION, action_code=code)

    @action
    def edit(
        self,
        post_id: int,
        raw: str,
        at: datetime,
        *,
        by: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Change a post's text. Its author, soon after and by little, leaves no version."""
        post = self.get("posts", post_id)
        editor = post["user_id"] if by is None else by
        old = {"raw": post["raw"], "cooked": post["cooked"]}
        new = {"raw": raw, "cooked": cook(raw)}
        ninja = self._is_ninja(post, editor, raw, at)
        self.change(
            "posts",
            post_id,
            **new,
            updated_at=utc(at),
            baked_at=utc(at),
            last_editor_id=editor,
            edit_reason=reason if reason else post["edit_reason"],
            word_count=len(raw.split()),
            self_edits=post["self_edits"] + (editor == post["user_id"]),
        )
        if not ninja:
            self._revise(post, editor, {key: [old[key], new[key]] for key in old}, at)
        topic = self.get("topics", post["topic_id"])
        if post["post_number"] == topic["highest_post_number"] and post["post_type"] != WHISPER:
            self.change("topics", topic["id"], bumped_at=utc(at))

    @action
    def retitle(self, topic_id: int, title: str, at: datetime, *, by: int | None = None) -> None:
        """Give a topic another title, and with it another slug; a revision of its first post."""
        topic = self.get("topics", topic_id)
        self._revise_first(topic, {"title": [topic["title"], title]}, at, by)
        self.change("topics", topic_id, **_named(title), updated_at=utc(at))

    @action
    def recategorise(
        self, topic_id: int, category_id: int, at: datetime, *, by: int | None = None
    ) -> None:
        """Move a topic to another category; a revision of its first post."""
        topic = self.get("topics", topic_id)
        old = topic["category_id"]
        self._revise_first(topic, {"category_id": [old, category_id]}, at, by)
        self.change("topics", topic_id, category_id=category_id, updated_at=utc(at))
        self._count_in_category(category_id, topics=1, posts=topic["posts_count"])
        if old is not None:
            self._count_in_category(old, topics=-1, posts=-topic["posts_count"])

    @action
    def set_status(self, topic_id: int, status: str, enabled: bool, by: int, at: datetime) -> None:
        """Switch `closed`, `archived`, `visible`, `pinned` or `pinned_globally` of a topic."""
        values: dict[str, Any] = {status: enabled}
        if status in ("pinned", "pinned_globally"):
            values = {
                "pinned_at": utc(at) if enabled else None,
                "pinned_globally": enabled and status == "pinned_globally",
            }
        self.change("topics", topic_id, **values, updated_at=utc(at))
        self.small_action(topic_id, by, f"{status}.{'enabled' if enabled else 'disabled'}", at)

    def _next_number(self, topic_id: int) -> int:
        """The number of the topic's next post. That of a deleted post is not used again; that of a
        last post which was moved or destroyed is."""
        if topic_id not in self._tops:
            sql = "SELECT coalesce(max(post_number), 0) AS top FROM posts WHERE topic_id = ?"
            self._tops[topic_id] = self.read(sql, topic_id)[0]["top"]
        self._tops[topic_id] += 1
        return self._tops[topic_id]

    def _is_ninja(self, post: Row, editor: int | None, raw: str, at: datetime) -> bool:
        if editor != post["user_id"] or utc(at) - post["last_version_at"] > _GRACE:
            return False
        trusted = editor is not None and self.get("users", editor)["trust_level"] >= 2
        return _difference(post["raw"], raw) <= _GRACE_CHARS * (4 if trusted else 1)

    def _revise(
        self, post: Row, editor: int | None, changes: dict[str, list[Any]], at: datetime
    ) -> None:
        """A new version of a post; `changes` maps a field to its old and new value."""
        version = post["version"] + 1
        self.change(
            "posts",
            post["id"],
            version=version,
            public_version=post["public_version"] + 1,
            last_version_at=utc(at),
            updated_at=utc(at),
        )
        yaml = "".join(
            f"{field}:\n"
            + "".join(f"- {json.dumps(value, ensure_ascii=False)}\n" for value in pair)
            for field, pair in changes.items()
        )
        self.add(
            "post_revisions",
            post_id=post["id"],
            user_id=editor,
            number=version,
            modifications="---\n" + yaml,
            **made(at),
        )

    def _revise_first(
        self, topic: Row, changes: dict[str, list[Any]], at: datetime, by: int | None
    ) -> None:
        first = self.post_of(topic["id"], 1)
        if first is not None:
            self._revise(first, by if by is not None else topic["user_id"], changes, at)

    def post_of(self, topic_id: int, number: int) -> Row | None:
        """The post of this number in a topic; null where there is none."""
        known = self._numbers.get((topic_id, number))
        if known is not None and self.has("posts", known):
            post = self.get("posts", known)
            if (post["topic_id"], post["post_number"]) == (topic_id, number):
                return post
        found = self.read(
            "SELECT id FROM posts WHERE topic_id = ? AND post_number = ?", topic_id, number
        )
        return self.get("posts", found[0]["id"]) if found else None

    def _count_in_topic(self, topic: Row, post: Row, at: datetime) -> None:
        number, kind = post["post_number"], post["post_type"]
        values: dict[str, Any] = {"highest_staff_post_number": number, "updated_at": utc(at)}
        if kind != WHISPER:
            values |= {"highest_post_number": number}
            private = topic["archetype"] == "private_message"
            if not (private and kind == SMALL_ACTION):
                values |= {"posts_count": topic["posts_count"] + 1}
        if kind in (REGULAR, MODERATOR_ACTION):
            values |= {
                "last_posted_at": utc(at),
                "last_post_user_id": post["user_id"],
                "bumped_at": max(utc(at), topic["bumped_at"]),
            }
        if post["reply_to_post_number"] is not None:
            values |= {"reply_count": topic["reply_count"] + 1}
        values |= {"word_count": (topic["word_count"] or 0) + post["word_count"]}
        self.change("topics", topic["id"], **values)
        if topic["category_id"] is not None and kind != WHISPER:
            self._count_in_category(topic["category_id"], posts=1)

    def _count_in_category(self, category_id: int, *, topics: int = 0, posts: int = 0) -> None:
        category = self.get("categories", category_id)
        self.change(
            "categories",
            category_id,
            topic_count=category["topic_count"] + topics,
            post_count=category["post_count"] + posts,
        )

    def _count_reply(self, topic_id: int, number: int, reply_id: int) -> None:
        parent = self.post_of(topic_id, number)
        if parent is not None:
            self.change("posts", parent["id"], reply_count=parent["reply_count"] + 1)
            self.change("posts", reply_id, reply_to_user_id=parent["user_id"])

    def _extract_quotes(self, post: Row, at: datetime) -> None:
        quotes = list(QUOTE.finditer(post["raw"]))
        for match in quotes:
            topic_id = int(match["topic"] or post["topic_id"])
            quoted = self.post_of(topic_id, int(match["post"])) if match["post"] else None
            if quoted is not None:
                self.add(
                    "quoted_posts", post_id=post["id"], quoted_post_id=quoted["id"], **made(at)
                )
        if quotes:
            self.change("posts", post["id"], quote_count=len(quotes))

    def _extract_links(self, post: Row, at: datetime) -> None:
        for url in dict.fromkeys(LINK.findall(post["raw"])):
            self.add(
                "topic_links",
                topic_id=post["topic_id"],
                post_id=post["id"],
                user_id=post["user_id"],
                url=url,
                domain=url.split("/")[2],
                **made(at),
            )


def slugify(title: str) -> str:
    """Discourse's slug of a title; "-" where no Latin letter is left."""
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’]", "", title.lower())).strip("-")
    return words[:255] if re.search("[a-z]", words) else "-"


def _named(title: str) -> dict[str, str]:
    return {"title": title, "slug": slugify(title), "fancy_title": html.escape(title, quote=False)}


def _difference(old: str, new: str) -> int:
    """Characters that differ, once the common beginning and end are set aside."""
    short = min(len(old), len(new))
    start = next((n for n in range(short) if old[n] != new[n]), short)
    end = next((n for n in range(short - start) if old[-1 - n] != new[-1 - n]), short - start)
    return max(len(old), len(new)) - start - end
