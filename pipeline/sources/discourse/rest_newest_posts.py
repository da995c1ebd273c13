"""The list of the newest posts by REST: all of it at first, later what is new or of late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.records import HIGHEST, Bookmark, Part, Span, merge_ranges, uncovered
from pipeline.sources.discourse.rest import DAY_US, NIGHTS, Site, micros
from pipeline.sources.discourse.rest_posts import Posts

PAGE = 50  # posts in an answer of /posts.json
OF_LATE_US = NIGHTS * DAY_US
MOST_OF_LATE = 20  # pages of posts to look through again each night


def newest_posts(site: Site, held: Bookmark, posts: Posts) -> Iterator[Part]:
    """`/posts.json` from the newest downwards: over what was written of late, for its edits show
    there and what was hidden since does not, and over what is not covered yet.

    `posts` is told of each post that is listed, and of each one held that should have been."""
    covered = held.covered()
    late = MOST_OF_LATE
    before: int | None = None
    by_rank = False
    while True:
        asked_at = site.now()
        page = site.client.latest_posts(before)["latest_posts"]
        page = [post for post in page if before is None or post["id"] < before]
        ids = [post["id"] for post in page]
        by_rank = by_rank or (len(ids) == PAGE and max(ids) - min(ids) >= PAGE)
        low, high = _reach(ids, before, by_rank)
        posts.miss(low, HIGHEST if before is None else high, set(ids))
        if high >= low:
            records = posts.see(page, asked_at)
            if records or any(uncovered(covered, low, high)):
                yield Part(records, (Span("posts", asked_at, low, high),))
            covered = merge_ranges([*covered, (low, high)])
        late -= 1
        gap = next(uncovered(covered, 1, low), None)
        if late > 0 and len(ids) == PAGE and _is_of_late(site, page):
            before = low
        elif gap is None or high < low:
            return
        else:
            before = gap[1] + 1


def _reach(ids: list[int], before: int | None, by_rank: bool) -> tuple[int, int]:
    """First and last id that an answer with these ids has told all about; `before` is what it was
    asked for, null for the newest.

    Servers before 2024 give a window of 50 ids, which may be empty half-way; others 50 posts by
    rank, so that a shorter answer reaches down to the first."""
    high = max(ids, default=0) if before is None else before - 1
    if (by_rank and len(ids) < PAGE) or (not ids and before is None):
        return 1, high
    return min(ids) if ids else max(1, (before or 1) - PAGE), high


def _is_of_late(site: Site, page: Iterable[dict[str, Any]]) -> bool:
    since = site.now() - OF_LATE_US
    return any((micros(post["created_at"]) or 0) > since for post in page)
