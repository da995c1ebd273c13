"""Reports by members and the staff's actions, by REST; without the texts, which may be private."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.errors import FixAccess
from pipeline.records import Bookmark, Bookmarks, Part, Record
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.marks import (
    ReportMark,
    TopicMark,
    is_private_message,
    is_whole,
    parse,
    state,
    written,
)
from pipeline.sources.discourse.rest import (
    MESSAGE,
    MOST_MISSING,
    Site,
    differing,
    micros,
    newest_first,
    only,
)
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
    places = _Places(site, bookmarks)
    seen: set[str] = set()

    def ask(status: str, **wish: Any) -> tuple[list[dict[str, Any]], Part]:
        asked_at = site.now()
        answer = site.client.fetch("/review.json", status=status, **wish)
        page: list[dict[str, Any]] = answer["reviewables"]
        fresh = [report for report in page if str(report["id"]) not in seen]
        seen.update(str(report["id"]) for report in page)
        places.look(fresh, answer.get("topics") or ())
        told = (_report(report, places.is_open(report), asked_at) for report in fresh)
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


class _Places:
    """Where the topics of reports are now. A report keeps the category that its topic was in when
    it was made, and none where that was a private message then."""

    def __init__(self, site: Site, bookmarks: Bookmarks) -> None:
        self._site = site
        self._topics = bookmarks["topics"]
        self._gone = {int(key) for (key,) in self._topics.ask("SELECT key WHERE gone")}
        self._open = {category["id"] for category in site.categories(bookmarks)}
        self._readable: dict[int, bool] = {}  # topics seen tonight -> whether they may be
        self._left = MOST_MISSING

    def look(self, listed: Iterable[dict[str, Any]], beside: Iterable[dict[str, Any]]) -> None:
        """Learn where the topics of these reports are; `beside` are those that came with them. A
        list of just these tells it, but for private messages and what is deleted."""
        messages = [topic["id"] for topic in beside if topic.get("archetype") == MESSAGE]
        self._readable.update(dict.fromkeys(messages, self._site.keeps_messages))
        reports = [report for report in listed if report.get("topic_id")]
        wanted = {report["topic_id"] for report in reports} - self._readable.keys()
        if not wanted:
            return
        ids = ",".join(map(str, sorted(wanted)))
        answer = self._site.client.latest_topics(page=0, topic_ids=ids, order="created")
        topics = answer["topic_list"]["topics"]
        found = {topic["id"]: topic.get("category_id") in self._open for topic in topics}
        if not found.keys() <= wanted:  # a server that gives others than were asked for
            return
        self._readable |= found
        for report in reports:
            if report["topic_id"] not in self._readable and self.is_open(report):
                self._look_at(report["topic_id"])

    def _look_at(self, topic: int) -> None:
        """Learn where a topic is that should be open and is in no list."""
        self._left -= 1
        if self._left < 0:
            return
        try:
            shown = self._site.client.fetch(f"/t/{topic}.json")
        except Refused as refused:
            if refused.is_missing:
                self._readable[topic] = False
        except FixAccess:  # a scope that does not reach so far
            return
        else:
            is_message = shown.get("archetype") == MESSAGE or shown.get("category_id") is None
            is_open = shown.get("category_id") in self._open
            self._readable[topic] = self._site.keeps_messages if is_message else is_open

    def is_open(self, report: dict[str, Any]) -> bool:
        """Whether a report's place may be read, as far as it is known."""
        topic = report.get("topic_id") or report.get("removed_topic_id")
        category = report.get("category_id")
        if not topic:
            return category is None or category in self._open
        if topic in self._readable:
            return self._readable[topic]
        if topic in self._gone:
            return False
        held = self._topics.marks(topic, topic).get(str(topic))
        if held is None:
            return self._site.keeps_messages if category is None else category in self._open
        if is_private_message(held):
            return self._site.keeps_messages
        mark = parse(TopicMark, held)
        return not is_whole(mark) or int(mark.category or 0) in self._open


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
