"""The sandbox site's settings and habits that change what a client sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Limits:
    """Rate limits, with Discourse's defaults. None switches one off.

    Discourse exempts loopback addresses from the per-IP limits, and nginx's own limits come only
    with a template of the standard installation, so both are off until a number is given.
    """

    admin_per_minute: int | None = 60
    ip_per_10_seconds: int | None = None  # 50 on a real site
    ip_per_minute: int | None = None  # 200 on a real site
    ip_counts_api: bool = False  # servers before June 2024 count API requests there too
    explorer_per_10_seconds: int | None = 2
    explorer_blocks: bool = False  # max_data_explorer_api_req_mode: "warn" does nothing
    nginx_per_second: float | None = None  # 12, burst 12, on a real site
    nginx_burst: int = 12

    @staticmethod
    def off() -> Limits:
        """No limits at all, for tests that are about something else."""
        return Limits(admin_per_minute=None, explorer_per_10_seconds=None)


@dataclass
class Switches:
    """All of them may be changed while the server runs, but for `solved`."""

    version: str = "2026.8.0"
    title: str = "Sandbox"
    limits: Limits = field(default_factory=Limits)
    read_only: bool = False
    login_required: bool = False
    detailed_404: bool = False
    lazy_categories: bool = False  # lazy_load_categories: 20 a page, none in /site.json
    tags_as_objects: bool = True  # topic lists since 2026.1
    per_page: bool = True  # topic lists honour per_page
    latest_posts_by_window: bool = False  # /posts.json before 2024: 50 ids, not 50 posts
    page_overflow_redirects: bool = True  # /t/{id}?page= past the end: 301, older 404
    mega_topic_posts: int = 10_000
    category_definitions_listed: bool = False
    max_prints_per_hour: int = 5  # for non-admins
    explorer: bool = True  # data_explorer_enabled
    explorer_legacy_only: bool = False  # plugin versions that know only /admin/plugins/explorer
    explorer_limit: int = 1_000  # data_explorer_query_result_limit
    explorer_max_limit: int | None = 10_000  # None: old plugin, any number or "ALL"
    explorer_times_out: Callable[[str, int | None], bool] = lambda sql, limit: False
    solved: int | None = 3  # storage generation; None: the plugin was never installed
    reactions: bool = True
    chat: bool = True
    review_page: int = 10
    user_directory: bool = True
    min_title: int = 15
    min_post: int = 20
    max_post: int = 32_000
    approve_words: tuple[str, ...] = ()  # posts with one of them wait for approval
    memo_seconds: int = 120  # identical API posts within it make one post
