"""What members reported to the moderators, and what became of it.

There is no list of reports: one walks from reported authors to their reported messages to the
reports of each. A report that was dealt with leaves these lists but can still be read by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.records import HIGHEST, Bookmarks, Part, Record
from pipeline.sources.rocketchat.client import (
    MOST_A_PAGE,
    Client,
    Doc,
    Refused,
    Reply,
    iso,
    rows_of,
    to_ms,
)

_FIELDS = {
    "reportsByUsers": ("userId", "count"),
    "user.reportedMessages": ("message",),
    "reports": ("_id", "ts"),
}


@dataclass(frozen=True, slots=True)
class _Open:
    """The mark of a report nobody has dealt with: its author, and how many open reports the server
    counted of them then."""

    author: str
    count: int

    def mark(self) -> str:
        return f"open {self.author} {self.count}"

    @staticmethod
    def parse(mark: str | None) -> _Open | None:
        if mark is None or not mark.startswith("open "):
            return None
        _, author, count = mark.split()
        return _Open(author, int(count))


@dataclass
class ReportReader:
    """Reads reports of messages in rooms that `may_be_read`; others are not written down."""

    client: Client
    bookmarks: Bookmarks
    may_be_read: Callable[[str], bool]

    def read(self) -> Iterator[Part]:
        """New reports, and the outcome of those that were open when last seen.

        An author is walked who has new reports, or another number of open ones than last time:
        one report more and one less on the same day leave the number as it was.
        """
        marks = self.bookmarks["reports"].marks()
        before = {key: found for key, mark in marks.items() if (found := _Open.parse(mark))}
        held = {found.author: found.count for found in before.values()}
        counts = self._authors(0)
        since_ms = (self.bookmarks["reports"].at() or 0) // 1000
        news = self._authors(since_ms) if since_ms and counts else {}
        changed = {a for a in counts.keys() | held.keys() if counts.get(a) != held.get(a)}
        for author in sorted(changed | news.keys()):
            now = _Open(author, counts.get(author, 0))
            records = list(self._of_author(now)) if now.count else []
            known = {key for key, found in before.items() if found.author == author}
            known -= {record.key for record in records}
            yield Part((*records, *self._outcomes(known, now)))

    def _authors(self, since_ms: int) -> dict[str, int]:
        """Reported authors, with the number of their open reports after this time."""
        rows = self._pages("reportsByUsers", "reports", oldest=iso(since_ms))
        return {row["userId"]: int(row["count"]) for _, row in rows}

    def _of_author(self, now: _Open) -> Iterator[Record]:
        messages: dict[str, Doc] = {}  # one that was often reported is on several pages
        for _, row in self._pages("user.reportedMessages", "messages", userId=now.author):
            messages.setdefault(row["message"]["_id"], row["message"])
        for message in messages.values():
            if not self.may_be_read(message["rid"]):
                continue
            for reply, report in self._pages("reports", "reports", msgId=message["_id"]):
                yield _record({**report, "message": message}, now, reply)

    def _outcomes(self, keys: set[str], now: _Open) -> Iterator[Record]:
        for key in sorted(keys):
            try:
                reply = self.client.get("moderation.reportInfo", reportId=key)
            except Refused as refusal:
                if refusal.code != "error-report-not-found":
                    raise
                continue
            yield _record(reply.value["report"], now, reply)

    def _pages(self, endpoint: str, name: str, **params: str) -> Iterator[tuple[Reply, Doc]]:
        """All rows of a list that must not be asked for without a limit (the server fails).

        The answer's own count says how far the next page is: the server leaves out rows of a page
        that are about the same message, after it counted them."""
        offset = 0
        while True:
            page: dict[str, Any] = {**params, "count": MOST_A_PAGE, "offset": offset}
            reply = self.client.get(f"moderation.{endpoint}", **page)
            rows = rows_of(reply, name, *_FIELDS[endpoint])
            yield from ((reply, row) for row in rows)
            offset += max(len(rows), int(reply.value.get("count") or 0))
            if not rows or offset >= int(reply.value.get("total", HIGHEST)):
                return


def _record(report: Doc, now: _Open, reply: Reply) -> Record:
    mark = "closed" if report.get("_hidden") else now.mark()
    at = to_ms(report["ts"]) * 1000
    return Record("reports", report["_id"], report, reply.asked_at, at, mark=mark)
