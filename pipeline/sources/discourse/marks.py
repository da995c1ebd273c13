"""What the marks of a forum's things are made of: the one place that knows where each part stands.

A mark is text, its parts joined by "|". Those by REST are written here. Those by Data Explorer are
made by the forum's own SQL (`Table.state`) of the columns that its version has, so that only their
first parts can be told by place; which of them stand where those by REST do is said below.

A mark that differs from the one held has its thing read again. So whoever changes what is written
has everything of that stream read again once, and marks of older versions, which have fewer parts,
stay as they are where nothing else changed.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeVar

BETWEEN = "|"
DELETED, INACTIVE = "deleted", "inactive"


class PostMark(NamedTuple):
    """Of a post. `topic`, `number` and `likes` are the same by Data Explorer, but for the minus.

    topic     has a minus before it where the post does not count there, because it is deleted or a
              whisper; 0.1 left it empty then
    accepted  "1" or "0"
    """

    topic: str | None
    number: str | None
    likes: str | None
    accepted: str | None
    updated_at: str | None
    deleted_at: str | None
    user: str | None
    username: str | None
    version: str | None
    hidden: str | None
    user_deleted: str | None
    reply_to: str | None
    post_type: str | None
    raw: str | None


class TopicMark(NamedTuple):
    """Of a topic; Data Explorer's has no part in common. 0.1 knew no author."""

    deleted: str | None
    bumped_at: str | None
    posts: str | None
    likes: str | None
    highest: str | None
    accepted: str | None
    category: str | None
    title: str | None
    closed: str | None
    archived: str | None
    visible: str | None
    pinned: str | None
    views: str | None
    tags: str | None
    author: str | None


class SolutionMark(NamedTuple):
    """Of an accepted answer, which Data Explorer alone tells of by itself."""

    topic: str | None
    rest: str | None


class UserMark(NamedTuple):
    """Of an account; Data Explorer's has no part in common."""

    inactive: str | None
    rest: str | None


class ReportMark(NamedTuple):
    """Of a report; Data Explorer's has no part in common."""

    status: str | None
    version: str | None
    score: str | None


class ChannelMark(NamedTuple):
    """Of a channel of the chat; Data Explorer's has no part in common.

    threads  whether replies stand in threads; empty where the server knows none
    """

    threads: str | None
    rest: str | None


class ChatMark(NamedTuple):
    """Of a message of the chat. `channel` is the same by Data Explorer.

    first  the message that began the thread which this one answers; 0.1 had no such part
    """

    channel: str | None
    user: str | None
    deleted_at: str | None
    edited: str | None
    message: str | None
    reactions: str | None
    first: str | None
    replies: str | None
    last_reply: str | None


Mark = TypeVar("Mark", bound=NamedTuple)


def state(*parts: object) -> str:
    """A mark of these parts; null is empty."""
    return BETWEEN.join(map(_part, parts))


def _part(value: object) -> str:
    return "" if value is None else str(value)


def text_state(text: object) -> str:
    """A short stand-in for a text in a mark."""
    return hashlib.md5(str(text).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def written(kind: type[Mark], **parts: object) -> str:
    """A mark of this kind, to be given every part by name; null is empty."""
    if parts.keys() != {*kind._fields}:
        raise TypeError(f"{kind.__name__} has the parts {', '.join(kind._fields)}")
    return text(kind._make(_part(parts[name]) for name in kind._fields))


def parse(kind: type[Mark], mark: str | None) -> Mark:
    """The parts of a stored mark. Null are those it ends before: the last ones of an older
    version's mark, all of none. What is too much for this kind stays in the last part."""
    width = len(kind._fields)
    parts = [] if mark is None else mark.split(BETWEEN, width - 1)
    return kind._make([*parts, *[None] * (width - len(parts))])


def text(mark: NamedTuple) -> str:
    """The mark as it is stored: what `parse` was given."""
    return BETWEEN.join(part for part in mark if part is not None)


def is_whole(mark: NamedTuple) -> bool:
    """Whether it has as many parts as its kind; those of older versions have fewer."""
    return mark[-1] is not None and BETWEEN not in mark[-1]


def beginning(kind: type[NamedTuple], **first: object) -> str:
    """How marks of this kind begin whose first parts are these: a quick question to ask of many."""
    if tuple(first) != kind._fields[: len(first)]:
        raise TypeError(f"{kind.__name__} begins with {', '.join(kind._fields)}")
    return state(*first.values(), "")


def sql(kind: type[NamedTuple], name: str) -> str:
    """SQL of a part of the column `mark`, as text; empty where the mark ends before it."""
    return f"split_part(mark, '{BETWEEN}', {kind._fields.index(name) + 1})"


def sql_number(kind: type[NamedTuple], name: str) -> str:
    """SQL of a part as a number; null where it is none."""
    return f"TRY_CAST({sql(kind, name)} AS BIGINT)"


def sql_is_number(kind: type[NamedTuple], name: str) -> str:
    """SQL of whether a part is a number without a sign."""
    return f"regexp_matches({sql(kind, name)}, '^[0-9]+$')"


def sql_begins_with_numbers(kind: type[NamedTuple], last: str) -> str:
    """SQL of whether all parts down to this one, which is not the kind's last, are such numbers."""
    numbers = r"[0-9]+\|" * (kind._fields.index(last) + 1)
    return f"regexp_matches(mark, '^{numbers}')"


def sql_is_whole(kind: type[NamedTuple]) -> str:
    """SQL of whether the column `mark` has as many parts as this kind."""
    return f"len(string_split(mark, '{BETWEEN}')) = {len(kind._fields)}"


# Whether a post's mark is one by REST: there times are text, by Data Explorer numbers
SQL_BY_REST = f"contains({sql(PostMark, 'updated_at')}, 'T')"


_OUT_OF_SIGHT = (beginning(TopicMark, deleted=DELETED), beginning(UserMark, inactive=INACTIVE))


_MESSAGE = f"{BETWEEN}private_message{BETWEEN}"  # by Data Explorer, which tells a topic's archetype


def is_private_message(mark: str | None) -> bool:
    """Whether this is the mark of a topic that is a private message: those are in no category."""
    topic = parse(TopicMark, mark)
    return _MESSAGE in (mark or "") or (is_whole(topic) and not topic.category)


def is_out_of_sight(mark: str | None) -> bool:
    """Whether this is the mark of what lists do not name: a deleted topic, an inactive account."""
    return (mark or "").startswith(_OUT_OF_SIGHT)
