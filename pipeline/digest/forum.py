"""A digest as messages of a forum: one thread a week and audience, one reply a night."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime, timedelta
from typing import Any

from pipeline.digest.edition import Edition
from pipeline.digest.page import page
from pipeline.digest.render import posts, render_markdown
from pipeline.digest.safe import for_header
from pipeline.errors import FixAccess, FixSettings
from pipeline.sources import ForumWriter
from pipeline.sources.discourse.client import Refused

_MOST = 31_900  # characters; a post may have 32,000, and our mark needs some


def post_to_group(client: ForumWriter, group: str, edition: Edition, language: str) -> str:
    """Send the edition to a group as a private message; returns the thread's address.

    May run twice, also after a kill between two posts: the week's thread is found again by its
    `external_id`, and each post carries a mark, invisible to readers, by which it is recognised.
    Raises FixSettings where the forum lets the account write no message to the group.
    """
    key = _key(edition.community, edition.audience, edition.night)
    parts = posts(render_markdown(edition, language), _MOST)
    marks = [_mark(edition, number) for number in range(len(parts))]
    topic = thread_of(client, key)
    said = "".join(post["raw"] for post in _posts(client, topic)) if topic else ""
    for part, mark in zip(parts, marks, strict=True):
        if mark in said:
            continue
        raw = f"{part}\n\n{mark}"
        if topic is None:
            topic = create(
                client,
                raw,
                archetype="private_message",
                target_recipients=group,
                title=_title(edition, language),
                external_id=key,
            )
        else:
            create(client, raw, topic_id=topic)
    return f"{client.host}/t/{topic}"


def check_group(client: ForumWriter, group: str) -> None:
    """Raise FixSettings where the account sees no such group."""
    try:
        client.fetch(f"/groups/{group}/members.json", limit=1)
    except Refused as refusal:
        raise FixSettings(
            f"{client.source}: the account sees no group {group!r} "
            f"({refusal.status}); change the name in hearth.toml, or let the account see it"
        ) from None


def may_write(client: ForumWriter) -> bool:
    """Whether the key may write posts. An empty one is sent, which the forum never takes."""
    try:
        client.submit("/posts.json")
    except FixAccess:
        return False
    except Refused as refusal:
        return refusal.status != 403
    return True


def answers(
    client: ForumWriter, community: str, audience: str, night: date
) -> list[tuple[str, str, datetime]]:
    """(account, Markdown, when) of what readers wrote into the thread of this week and those of the
    two before. What is written later than the week after a thread's own is not read: nobody would
    ask for it long enough to see it taken back."""
    found = []
    monday = night - timedelta(days=night.weekday())
    for weeks in (2, 1, 0):
        own = monday - timedelta(weeks=weeks)
        topic = thread_of(client, _key(community, audience, own))
        for post in _posts(client, topic) if topic else ():
            at = datetime.fromisoformat(post["created_at"])
            if at.date() < own + timedelta(weeks=2) and not _MARK.search(post["raw"]):
                found.append((post["username"], post["raw"], at))
    return found


def _key(community: str, audience: str, night: date) -> str:
    r"""At most 50 characters of `[\w-]`, the same for all nights of a week."""
    year, week, _ = night.isocalendar()
    names = f"{community}/{audience}".encode()
    return f"hearth-{hashlib.blake2b(names, digest_size=8).hexdigest()}-{year}-w{week:02}"


_MARK = re.compile(r"<!-- hearth \d{4}-\d{2}-\d{2} \d+ -->")  # a post of ours, whatever its account


def _mark(edition: Edition, number: int) -> str:
    return f"<!-- hearth {edition.night:%Y-%m-%d} {number} -->"


def _title(edition: Edition, language: str) -> str:
    words = page(edition, language, str)
    year, week, _ = edition.night.isocalendar()
    return for_header(words.say("page.week", title=words.title, year=str(year), week=week))


def thread_of(client: ForumWriter, key: str) -> int | None:
    """The thread with this `external_id`; null if there is none."""
    try:
        found = client.fetch(f"/t/external_id/{key}.json")
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise
    return int(found["id"])


def _posts(client: ForumWriter, topic: int) -> list[dict[str, Any]]:
    """Posts of a thread with their Markdown; a week's posts fit into one answer."""
    found = client.fetch(f"/t/{topic}.json", include_raw="true", print="true")
    return [post for post in found["post_stream"]["posts"] if post.get("raw")]


def create(client: ForumWriter, raw: str, **where: Any) -> int:
    """Write one post; returns the id of its thread. Raises FixSettings where it may not."""
    try:
        post = client.create_post(raw, **where)
    except Refused as refusal:
        raise FixSettings(
            f"{refusal}; the account needs the right to write there, and a group must take "
            "messages from it (the group's setting “Who can message this group?”)"
        ) from refusal
    if "topic_id" not in post:
        raise FixSettings(
            f"{client.source}: the digest waits in the forum's review queue; let the "
            "account post without approval"
        )
    return int(post["topic_id"])
