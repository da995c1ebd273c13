"""The units of work by plain REST: which streams are read together, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.errors import BadAnswer, FixAccess, SourceDown
from pipeline.records import Bookmarks, Part
from pipeline.sources.discourse import rest_chat, rest_moderation, rest_people
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.rest import (
    BLIND_SPOTS,
    CHAT_BLIND_SPOTS,
    HASTY_S,
    NIGHTS,
    REPORTS_BLIND_SPOTS,
    STAFF_BLIND_SPOTS,
    USERS_BLIND_SPOTS,
    Site,
)
from pipeline.sources.discourse.rest_likes import MOST_AT_FIRST, Likes
from pipeline.sources.discourse.rest_newest_posts import MOST_OF_LATE, PAGE
from pipeline.sources.discourse.rest_suspects import TURN
from pipeline.sources.discourse.rest_topics import LIST_PAGE, WHOLE_SWEEP, Topics


@dataclass(frozen=True, slots=True)
class Unit:
    """Streams that share their requests.

    probe        a path that only answers where they exist
    blind_spots  what this way in cannot see of them
    """

    yields: tuple[str, ...]
    read: Callable[[Site, Bookmarks], Iterator[Part]]
    probe: str = ""
    blind_spots: tuple[str, ...] = ()

    def missing(self, site: Site) -> str | None:
        """Why this forum does not give these streams tonight; null where it does. A path that is
        sick costs these alone: the forum itself answered before."""
        if self.probe:
            try:
                site.client.fetch(self.probe, patience_s=HASTY_S)
            except Refused as refused:
                return f"{self.probe} is refused ({refused.status}): {refused.said}"
            except FixAccess as error:  # the key is good, but its scopes do not reach so far
                return str(error)
            except (BadAnswer, SourceDown) as error:
                return str(error)
        return None


def _topics(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    topics = Topics(site, bookmarks, rest_people.category_records(site, bookmarks))
    yield from topics.read()
    if site.settings.who_liked:
        posts = topics.posts
        yield from Likes(site, bookmarks, posts.likes, posts.buried).read()


REST_UNITS = {
    "categories": Unit(("categories",), rest_people.categories),
    "users": Unit(("users",), rest_people.users, blind_spots=USERS_BLIND_SPOTS),
    "topics": Unit(("topics", "posts", "likes", "like_counts"), _topics, blind_spots=BLIND_SPOTS),
    "chat": Unit(
        ("chat_channels", "chat_messages"),
        rest_chat.chat,
        "/chat/api/channels.json",
        CHAT_BLIND_SPOTS,
    ),
    "reports": Unit(
        ("reports", "report_scores"), rest_moderation.reports, "/review.json", REPORTS_BLIND_SPOTS
    ),
    "staff_actions": Unit(
        ("staff_actions",),
        rest_moderation.staff_actions,
        "/admin/logs/staff_action_logs.json",
        STAFF_BLIND_SPOTS,
    ),
    "visits": Unit(("visits",), rest_people.visits, "/admin/reports/visits.json"),
}
SMALL_UNITS = REST_UNITS.keys() - {"users", "topics", "chat"}  # a few requests, whatever the size


def expected_requests(site: Site, bookmarks: Bookmarks) -> dict[str, int]:
    """Requests by unit, from the forum's own totals; a first fill reads all, a night what changed.

    One topic in thirty needs a read of its own on a first fill; a post in seven has likes.
    """
    stats = site.client.about()["about"].get("stats", {})
    topics, posts, users, messages = (
        int(stats.get(f"{what}s_count") or stats.get(f"{what}_count") or 0)
        for what in ("topic", "post", "user", "chat_message")
    )
    chat = rest_chat.expected_requests(site, bookmarks, messages)
    if bookmarks["posts"].rows is not None and bookmarks["topics"].at() is not None:
        lists = topics // LIST_PAGE + 1
        swept = lists if lists <= WHOLE_SWEEP else lists // NIGHTS + 2
        of_late = min(MOST_OF_LATE, int(stats.get("posts_7_days") or 0) // PAGE)
        again = of_late + min(TURN, topics // NIGHTS)
        return {
            "users": users // 100 // NIGHTS + 3,
            "topics": swept + again + 5,
            "chat": chat,
            "all others": 10,
        }
    likes = min(posts // 7, users + posts // 30, MOST_AT_FIRST) if site.settings.who_liked else 0
    return {
        "users": users // 100 + 2,
        "topics": posts // PAGE + topics // LIST_PAGE + topics // 30 + likes + 3,
        "chat": chat,
        "all others": 10,
    }
