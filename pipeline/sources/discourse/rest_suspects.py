"""Topics to read again by REST though no list and no count asks for it.

An edit, a hiding, an author's own deletion and another accepted answer leave a topic's counts as
they were, and so do accounts that are merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pipeline.errors import BadAnswer, FixAccess, SourceDown
from pipeline.records import Bookmark, Bookmarks
from pipeline.sources.discourse.marks import (
    DELETED,
    SQL_BY_REST,
    PostMark,
    TopicMark,
    sql,
    sql_number,
)
from pipeline.sources.discourse.rest import (
    DAY_US,
    EPOCH,
    HASTY_S,
    NIGHTS,
    Site,
    micros,
)

DELETED_TURN = 5  # topics a night that are read to see whether what is deleted is still there
TURN = 40  # topics a night that are read for no other reason than that it is their turn
SAVED_US = 10_000_000  # so much later than the post itself the note of its edit may be written


def suspects(site: Site, bookmarks: Bookmarks, descriptions: Mapping[int, bool]) -> set[int]:
    """Topics held whose posts may differ from what is held. None before all was read once.

    `descriptions`: the topics that describe open categories, which no list names, with whether
    that category looks otherwise than it is held."""
    topics = bookmarks["topics"]
    reached = topics.at()
    if reached is None:
        return set()
    changed = {topic for topic, is_changed in descriptions.items() if is_changed}
    return (
        changed
        | _left_behind(bookmarks)
        | _edited(site, bookmarks["posts"], reached)
        | _in_turn(site, [*_last_bumped(topics), *descriptions])
    )


def with_deleted(site: Site, bookmarks: Bookmarks) -> set[int]:
    """Tonight's share of the topics held as deleted, and of those with a post held as deleted."""
    topic = sql_number(PostMark, "topic")
    posts = bookmarks["posts"].ask(
        f"SELECT DISTINCT -{topic} AS topic WHERE NOT gone AND topic > 0 AND {SQL_BY_REST}"
    )
    topics = bookmarks["topics"].ask(
        f"SELECT CAST(key AS BIGINT) WHERE NOT gone AND {sql(TopicMark, 'deleted')} = '{DELETED}'"
    )
    found = sorted({topic for (topic,) in (*posts, *topics)})
    first = site.night() * DELETED_TURN % max(1, len(found))
    return {*[*found[first:], *found[:first]][:DELETED_TURN]}


def _left_behind(bookmarks: Bookmarks) -> set[int]:
    """Topics with a post whose account is gone: by now it is another's, or nobody's."""
    gone = [user for (user,) in bookmarks["users"].ask("SELECT key WHERE gone")]
    rows = gone and bookmarks["posts"].ask(
        f"SELECT DISTINCT abs({sql_number(PostMark, 'topic')}) AS topic WHERE NOT gone"
        f" AND topic IS NOT NULL AND {SQL_BY_REST}"
        f" AND list_contains(?, {sql(PostMark, 'user')})",
        gone,
    )
    return {topic for (topic,) in rows}


def _edited(site: Site, posts: Bookmark, reached: int) -> set[int]:
    """Topics with a post that another than its author has edited, moved or given away since it was
    held, by the forum's own report of that. It quotes posts, private ones too: that goes nowhere.

    Source: `app/models/concerns/reports/post_edits.rb`."""
    first, last = reached - NIGHTS * DAY_US, max(reached, site.now()) + DAY_US
    try:
        answer = site.client.fetch(
            "/admin/reports/post_edits.json",
            patience_s=HASTY_S,
            start_date=_day(first),
            end_date=_day(last),
        )
    except (BadAnswer, FixAccess, SourceDown):  # not for this key, or too much for this forum
        return set()
    edits: list[dict[str, Any]] = answer["report"].get("data") or []
    written = _written(posts, {str(edit["topic_id"]) for edit in edits})
    return {
        edit["topic_id"]
        for edit in edits
        if (at := written.get((edit["topic_id"], edit["post_number"]))) is not None
        and (micros(edit["created_at"]) or 0) > at + SAVED_US
    }


def _written(posts: Bookmark, topics: set[str]) -> dict[tuple[int, int], int]:
    """Topic and number of the posts held of these topics -> when they were last written (µs)."""
    rows = posts.ask(
        f"SELECT {sql_number(PostMark, 'topic')}, {sql_number(PostMark, 'number')},"
        f" {sql(PostMark, 'updated_at')} WHERE NOT gone AND {SQL_BY_REST}"
        f" AND list_contains(?, {sql(PostMark, 'topic')})",
        sorted(topics),
    )
    return {(topic, number): micros(at) or 0 for topic, number, at in rows}


def _last_bumped(topics: Bookmark) -> list[int]:
    """The topics bumped last, as many as can have their turn in a week."""
    rows = topics.ask(
        "SELECT CAST(key AS BIGINT) AS topic"
        f" WHERE NOT gone AND {sql(TopicMark, 'deleted')} <> '{DELETED}'"
        f' ORDER BY "at" DESC NULLS LAST, topic LIMIT {TURN * NIGHTS}'
    )
    return [topic for (topic,) in rows]


def _in_turn(site: Site, topics: Iterable[int]) -> set[int]:
    return {topic for topic in topics if (topic - site.night()) % NIGHTS == 0}


def _day(at: int) -> str:
    return (EPOCH + timedelta(microseconds=at)).date().isoformat()
