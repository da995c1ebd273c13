"""Reports by members and the staff's actions, by REST; without the texts, which may be private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.records import Bookmark, Bookmarks, Part, Record
from pipeline.sources.discourse.marks import ReportMark, parse, state, written
from pipeline.sources.discourse.rest import Site, differing, micros, newest_first, only
from pipeline.sources.discourse.streams import STAFF_ACTIONS

LOG_PAGE = 200
PENDING = 0
SHOWS_VALUES = (2, 21)  # trust level and user name, before and after

_REPORT_FIELDS = (
    "id",
    "type",
    "status",
    "category_id",
    "topic_id",
    "created_at",
    "score",
    "version",
    "created_by_id",
    "target_created_by_id",
    "post_id",
    "target_id",
    "target_type",
)
_SCORE_FIELDS = (
    "id",
    "score",
    "status",
    "created_at",
    "reviewed_at",
    "user_id",
    "score_type_id",
    "reviewed_by_id",
)
_ACTION_FIELDS = (
    "id",
    "action",
    "action_name",
    "created_at",
    "topic_id",
    "post_id",
    "category_id",
)


def reports(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """Reports and their scores, newest first; then all that are pending, for a new flag opens an
    old report again, and those that were pending when last seen. One about a place that is private
    from now on is gone."""
    open_categories = {category["id"] for category in site.categories(bookmarks)}
    seen: set[str] = set()

    def is_open(report: dict[str, Any]) -> bool:
        topic = report.get("topic_id") or report.get("removed_topic_id")
        if report.get("category_id") is None:
            return not topic or "private_messages" in site.settings.private
        if report["category_id"] in open_categories:
            return True
        # A report may name the category that its topic was in
        return bool(topic and bookmarks["topics"].marks(topic, topic))

    def ask(status: str, **wish: Any) -> tuple[list[dict[str, Any]], Part]:
        asked_at = site.now()
        answer = site.client.fetch("/review.json", status=status, **wish)
        page: list[dict[str, Any]] = answer["reviewables"]
        fresh = [report for report in page if str(report["id"]) not in seen]
        seen.update(str(report["id"]) for report in page)
        told = (_report(report, is_open(report), asked_at) for report in fresh)
        new = differing(told, bookmarks["reports"])
        return page, _with_scores(answer, new, bookmarks["report_scores"], asked_at)

    yield from newest_first(
        lambda offset: ask("all", sort_order="created_at", offset=offset),
        "created_at",
        bookmarks["reports"],
    )
    yield from newest_first(
        lambda offset: ask("pending", sort_order="created_at", offset=offset),
        "created_at",
        Bookmark(),
    )
    pending = sorted(
        key
        for key, mark in bookmarks["reports"].marks().items()
        if key not in seen and parse(ReportMark, mark).status == str(PENDING)
    )
    for first in range(0, len(pending), 10):
        _, part = ask("all", **{"ids[]": pending[first : first + 10]})
        if part.records:
            yield part


def _report(report: dict[str, Any], is_open: bool, asked_at: int) -> Record:
    if not is_open:
        return Record("reports", str(report["id"]), {}, asked_at, gone=True)
    mark = written(
        ReportMark,
        status=report["status"],
        version=report.get("version"),
        score=report.get("score"),
    )
    return Record(
        "reports",
        str(report["id"]),
        only(report, *_REPORT_FIELDS),
        asked_at,
        at=micros(report["created_at"]),
        mark=mark,
    )


def _with_scores(
    answer: dict[str, Any], new: tuple[Record, ...], bookmark: Bookmark, asked_at: int
) -> Part:
    """These reports and their scores, which come beside them and go with them."""
    wanted = {record.key: record for record in new}
    owner = {
        score: report["id"]
        for report in answer["reviewables"]
        if str(report["id"]) in wanted
        for score in report.get("reviewable_score_ids", ())
    }
    scores = [
        _score(score, owner[score["id"]], asked_at)
        if not wanted[str(owner[score["id"]])].gone
        else Record("report_scores", str(score["id"]), {}, asked_at, gone=True)
        for score in answer.get("reviewable_scores", ())
        if score["id"] in owner
    ]
    return Part((*new, *differing(scores, bookmark)))


def _score(score: dict[str, Any], report: int, asked_at: int) -> Record:
    return Record(
        "report_scores",
        str(score["id"]),
        {**only(score, *_SCORE_FIELDS), "reviewable_id": report},
        asked_at,
        at=micros(score.get("reviewed_at") or score["created_at"]),
        mark=state(score["status"], score.get("reviewed_by_id")),
    )


def staff_actions(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """What is new in the staff's log, newest first."""
    bookmark = bookmarks["staff_actions"]

    def ask(offset: int) -> tuple[list[dict[str, Any]], Part]:
        asked_at = site.now()
        wish = {"page": -(-offset // LOG_PAGE), "limit": LOG_PAGE}
        answer = site.client.fetch("/admin/logs/staff_action_logs.json", **wish)
        listed: list[dict[str, Any]] = answer["staff_action_logs"]
        records = [
            _action(entry, asked_at) for entry in listed if entry.get("action") in STAFF_ACTIONS
        ]
        return listed, Part(differing(records, bookmark))

    yield from newest_first(ask, "created_at", bookmark)


def _action(entry: dict[str, Any], asked_at: int) -> Record:
    payload = only(entry, *_ACTION_FIELDS)
    if entry["action"] in SHOWS_VALUES:
        payload |= only(entry, "previous_value", "new_value")
    for who in ("acting_user", "target_user"):
        payload[f"{who}_id"] = (entry.get(who) or {}).get("id")
    at = micros(entry["created_at"])
    return Record("staff_actions", str(entry["id"]), payload, asked_at, at=at, mark=state("seen"))
