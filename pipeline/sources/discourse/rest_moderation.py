"""Reports by members and the staff's actions, by REST; without the texts, which may be private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.records import Bookmark, Bookmarks, Part, Record
from pipeline.sources.discourse.rest import Site, differing, micros, only, state
from pipeline.sources.discourse.streams import STAFF_ACTIONS

LOG_PAGE = 200
PENDING = 0
SHOWS_VALUES = (2, 21)  # trust level and user name, before and after

_REPORT_FIELDS = (
    "id", "type", "status", "category_id", "topic_id", "created_at", "score", "version",
    "created_by_id", "target_created_by_id", "post_id", "target_id", "target_type",
)  # fmt: skip
_SCORE_FIELDS = (
    "id", "score", "status", "created_at", "reviewed_at", "user_id", "score_type_id",
    "reviewed_by_id",
)  # fmt: skip
_ACTION_FIELDS = (
    "id", "action", "action_name", "created_at", "topic_id", "post_id", "category_id",
)  # fmt: skip


def reports(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """Reports and their scores, newest first until a page brings nothing new; then those that were
    pending when last seen."""
    open_categories = {category["id"] for category in site.categories()}
    held = bookmarks["reports"].marks()
    seen: set[str] = set()
    offset = 0
    while True:
        asked_at = site.now()
        wish = {"status": "all", "sort_order": "created_at", "offset": offset}
        answer = site.client._get("/review.json", **wish)
        page = answer["reviewables"]
        records = _reports(answer, open_categories, site, asked_at)
        new = differing(records, bookmarks["reports"])
        fresh = {str(report["id"]) for report in page} - seen
        seen |= fresh
        if not fresh:
            break
        if new:
            yield _with_scores(answer, new, bookmarks["report_scores"], asked_at)
        elif held:
            break
        offset += len(page)
    pending = sorted(
        key
        for key, mark in held.items()
        if key not in seen and f"{mark}|".startswith(f"{PENDING}|")
    )
    for first in range(0, len(pending), 10):
        asked_at = site.now()
        wish = {"status": "all", "ids[]": pending[first : first + 10]}
        answer = site.client._get("/review.json", **wish)
        new = differing(_reports(answer, open_categories, site, asked_at), bookmarks["reports"])
        if new:
            yield _with_scores(answer, new, bookmarks["report_scores"], asked_at)


def _reports(
    answer: dict[str, Any], open_categories: set[int], site: Site, asked_at: int
) -> list[Record]:
    """Reports about readable places: one in a private message has a topic and no category."""
    messages = "private_messages" in site.settings.private
    return [
        Record(
            "reports",
            str(report["id"]),
            only(report, *_REPORT_FIELDS),
            asked_at,
            at=micros(report["created_at"]),
            mark=state(report["status"], report.get("version"), report.get("score")),
        )
        for report in answer["reviewables"]
        if report.get("category_id") in open_categories
        or (report.get("category_id") is None and (messages or not report.get("topic_id")))
    ]


def _with_scores(
    answer: dict[str, Any], new: tuple[Record, ...], bookmark: Bookmark, asked_at: int
) -> Part:
    """These reports and their scores, which come beside them."""
    wanted = {record.key: record for record in new}
    owner = {
        score: report["id"]
        for report in answer["reviewables"]
        if str(report["id"]) in wanted
        for score in report.get("reviewable_score_ids", ())
    }
    scores = [
        Record(
            "report_scores",
            str(score["id"]),
            {**only(score, *_SCORE_FIELDS), "reviewable_id": owner[score["id"]]},
            asked_at,
            at=micros(score.get("reviewed_at") or score["created_at"]),
            mark=state(score["status"], score.get("reviewed_by_id")),
        )
        for score in answer.get("reviewable_scores", ())
        if score["id"] in owner
    ]
    return Part((*new, *differing(scores, bookmark)))


def staff_actions(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """The staff's log, newest first, until a page brings nothing new."""
    bookmark = bookmarks["staff_actions"]
    top = bookmark.top()
    page = 0
    while True:
        asked_at = site.now()
        answer = site.client._get("/admin/logs/staff_action_logs.json", page=page, limit=LOG_PAGE)
        listed = answer["staff_action_logs"]
        records = [
            _action(entry, asked_at) for entry in listed if entry.get("action") in STAFF_ACTIONS
        ]
        new = differing(records, bookmark)
        if new:
            yield Part(new)
        oldest = min((entry["id"] for entry in listed), default=0)
        if len(listed) < LOG_PAGE or (top is not None and oldest <= top):
            return
        page += 1


def _action(entry: dict[str, Any], asked_at: int) -> Record:
    payload = only(entry, *_ACTION_FIELDS)
    if entry["action"] in SHOWS_VALUES:
        payload |= only(entry, "previous_value", "new_value")
    for who in ("acting_user", "target_user"):
        payload[f"{who}_id"] = (entry.get(who) or {}).get("id")
    at = micros(entry["created_at"])
    return Record("staff_actions", str(entry["id"]), payload, asked_at, at=at, mark=state("seen"))
