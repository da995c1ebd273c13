"""The units of work by plain REST: which streams are read together, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.records import Bookmarks, Part
from pipeline.sources.discourse import rest_moderation, rest_people
from pipeline.sources.discourse.rest import NIGHTS, WHOLE_SWEEP, Site
from pipeline.sources.discourse.rest_likes import Likes
from pipeline.sources.discourse.rest_topics import LIST_PAGE, PAGE, Topics


@dataclass(frozen=True, slots=True)
class Unit:
    """Streams that share their requests."""

    yields: tuple[str, ...]
    read: Callable[[Site, Bookmarks], Iterator[Part]]


def _topics(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    topics = Topics(site, bookmarks)
    yield from topics.read()
    if site.settings.who_liked:
        yield from Likes(site, bookmarks, topics.found.likes).read()


def _places(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    yield from rest_people.categories(site, bookmarks["categories"])
    yield from rest_people.groups(site, bookmarks)
    yield from rest_people.badges(site, bookmarks)
    yield from rest_people.visits(site, bookmarks["visits"])


def _users(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    yield from rest_people.users(site, bookmarks["users"])


def _moderation(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    yield from rest_moderation.reports(site, bookmarks)
    yield from rest_moderation.staff_actions(site, bookmarks["staff_actions"])


REST_UNITS = {
    "places": Unit(
        ("categories", "groups", "group_members", "badges", "user_badges", "visits"), _places
    ),
    "users": Unit(("users",), _users),
    "topics": Unit(("topics", "posts", "likes"), _topics),
    "moderation": Unit(("reports", "report_scores", "staff_actions"), _moderation),
}


def expected_requests(site: Site, bookmarks: Bookmarks) -> dict[str, int]:
    """Requests by unit, from the forum's own totals; a first fill reads all, a night what changed.

    One topic in thirty needs a read of its own on a first fill; a post in seven has likes.
    """
    stats = site.client.about()["about"].get("stats", {})
    topics, posts, users = (
        int(stats.get(f"{what}s_count") or stats.get(f"{what}_count") or 0)
        for what in ("topic", "post", "user")
    )
    if bookmarks["posts"].rows is not None and bookmarks["topics"].at() is not None:
        lists = topics // LIST_PAGE + 1
        swept = lists if lists <= WHOLE_SWEEP else lists // NIGHTS + 2
        return {"places": 15, "users": users // 100 // NIGHTS + 3, "topics": swept + 5,
                "moderation": 3}  # fmt: skip
    likes = min(posts // 7, users + posts // 30) if site.settings.who_liked else 0
    return {
        "places": 60,
        "users": users // 100 + 2,
        "topics": posts // PAGE + topics // LIST_PAGE + topics // 30 + likes + 3,
        "moderation": 10,
    }
