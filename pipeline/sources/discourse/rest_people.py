"""Accounts by REST, and the site's own small lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from pipeline.errors import BadAnswer
from pipeline.records import Bookmark, Bookmarks, Part, Record
from pipeline.sources.discourse.client import Refused
from pipeline.sources.discourse.marks import (
    INACTIVE,
    SQL_BY_REST,
    PostMark,
    UserMark,
    sql,
    state,
    text_state,
    written,
)
from pipeline.sources.discourse.rest import (
    EPOCH,
    OVERLAP_US,
    Site,
    differing,
    micros,
    only,
    pages,
    some_of,
    unlisted,
    whole,
)

USERS_PAGE = 100
WHOLE_SWEEP = 5  # pages
MOST_AUTHORS = 50  # without an account, to ask for a night
GONE_TURN = 5  # authors whose account is gone, to ask for again a night
SYSTEM = -1  # never in a list

_USER_FIELDS = (
    "id",
    "username",
    "name",
    "active",
    "admin",
    "moderator",
    "last_seen_at",
    "created_at",
    "trust_level",
    "title",
    "time_read",
    "staged",
    "days_visited",
    "posts_read_count",
    "topics_entered",
    "post_count",
    "approved",
    "suspended_at",
    "suspended_till",
    "silenced",
    "silenced_till",
)


def users(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """Accounts: all of a short list; of a long one the newest, those seen since, and a slice.

    Accounts that a list should name and does not are asked for one by one: it holds active ones
    alone. So are authors of posts held who are in none. Staged accounts, made of a mail or an
    import, have a list of their own.
    """
    bookmark = bookmarks["users"]
    since = bookmark.at()
    number_of_pages = -(-len(bookmark.marks()) // USERS_PAGE)
    tonight = range(number_of_pages)
    if since is not None:
        tonight = site.slice(number_of_pages, WHOLE_SWEEP)
        if len(tonight) < number_of_pages:
            for page in _lately(site, since):
                yield _page_part(site, page, bookmark)
    listed: set[int] = set()
    for page in _in_order(site, tonight, number_of_pages):
        yield _page_part(site, page, bookmark)
        listed.update(user["id"] for user in page)
    staged: set[int] = set()
    for page in _staged(site):
        yield _page_part(site, page, bookmark)
        staged.update(user["id"] for user in page)
    if bookmark.marks(1) and not listed and not tonight.start:
        raise BadAnswer(
            f"{site.name}: the forum lists no account, though some are held; nothing is taken for "
            "deleted. See its list of users, and run again"
        )
    missing = unlisted(bookmark, listed | staged, tonight, page=USERS_PAGE)
    authors = _authors(bookmarks) - listed - staged
    system = [] if bookmark.marks(SYSTEM, SYSTEM) else [SYSTEM]
    asked = [*system, *some_of(site, missing), *sorted(authors - {SYSTEM})[:MOST_AUTHORS]]
    doubted = sorted(_gone_authors(bookmarks) - listed - staged - {*asked})
    first = site.night() * GONE_TURN % max(1, len(doubted))
    for user in [*asked, *[*doubted[first:], *doubted[:first]][:GONE_TURN]]:
        yield from _user(site, user, bookmark)


def _authors(bookmarks: Bookmarks) -> set[int]:
    """Authors of posts held whose accounts never were: where many were made at one time, pages in
    order of that time leave some out, and bots are in no list."""
    known = {key for (key,) in bookmarks["users"].ask("SELECT key")}
    return {int(author) for author in _named(bookmarks) - known}


def _gone_authors(bookmarks: Bookmarks) -> set[int]:
    """Authors of posts held whose accounts are gone. A deletion takes the name off the posts, so
    most of these may be there after all."""
    gone = {key for (key,) in bookmarks["users"].ask("SELECT key WHERE gone")}
    return {int(author) for author in _named(bookmarks) & gone} if gone else set()


def _named(bookmarks: Bookmarks) -> set[str]:
    """All authors (as text) that posts held name."""
    authors = bookmarks["posts"].ask(
        f"SELECT DISTINCT {sql(PostMark, 'user')} AS author WHERE NOT gone AND {SQL_BY_REST}"
        " AND author <> ''"
    )
    return {author for (author,) in authors}


def _in_order(site: Site, tonight: range, number_of_pages: int) -> Iterator[list[dict[str, Any]]]:
    """All pages by name, which no two accounts share; or tonight's, oldest accounts first, which
    stay where they are, and one over: nothing hides between slices."""
    order = "username" if len(tonight) == number_of_pages else "created"
    number = tonight.start
    for page in pages(lambda n: _users_page(site, n + 1, order=order, asc="true"), number):
        yield page
        number += 1
        if number > tonight.stop and tonight.stop < number_of_pages:
            return


def _staged(site: Site) -> Iterator[list[dict[str, Any]]]:
    with suppress(Refused):  # servers without that list
        yield from pages(lambda n: _users_page(site, n, "staged", order="created", asc="true"), 1)


def _page_part(site: Site, page: list[dict[str, Any]], bookmark: Bookmark) -> Part:
    asked_at = site.now()
    return Part(differing((_user_record(user, asked_at) for user in page), bookmark))


def _lately(site: Site, since: int) -> Iterator[list[dict[str, Any]]]:
    """The newest accounts, and those seen since."""
    yield _users_page(site, 1, order="created")
    for page in pages(lambda n: _users_page(site, n, order="seen"), 1):
        yield page
        if (micros(page[-1].get("last_seen_at")) or 0) < since - OVERLAP_US:
            return


def _users_page(site: Site, page: int, which: str = "active", **order: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = site.client.list_users(which, page=page, **order)
    return listed


def _user(site: Site, user: int, bookmark: Bookmark) -> Iterator[Part]:
    """One account; one that is not there is gone, also where it never was held, so that it is not
    asked for again."""
    asked_at = site.now()
    try:
        answer = site.client.user_all(user)
    except Refused as refused:
        if refused.is_missing and not bookmark.ask("SELECT 1 WHERE gone AND key = ?", str(user)):
            yield Part((Record("users", str(user), {}, asked_at, gone=True),))
        return
    yield Part(differing([_user_record(answer, asked_at)], bookmark))


def _user_record(user: dict[str, Any], asked_at: int) -> Record:
    payload = only(user, *_USER_FIELDS)
    states = (payload.get(name) for name in _USER_FIELDS if name != "last_seen_at")
    inactive = "" if user.get("active", True) else INACTIVE
    mark = written(UserMark, inactive=inactive, rest=text_state(state(*states)))
    at = micros(user.get("last_seen_at") or user.get("created_at"))
    return Record("users", str(user["id"]), payload, asked_at, at=at, mark=mark)


def categories(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """Categories that may be read; one that is private from now on is gone."""
    asked_at = site.now()
    records = category_records(site, bookmarks)
    yield whole(site, records, bookmarks["categories"], asked_at, "categories")


def category_records(site: Site, bookmarks: Bookmarks) -> list[Record]:
    """The categories that may be read, one record each."""
    asked_at = site.now()
    marked = ("name", "slug", "parent_category_id", "read_restricted", "description")
    listed = site.categories(bookmarks)
    return [_record("categories", category, asked_at, *marked) for category in listed]


def visits(site: Site, bookmarks: Bookmarks) -> Iterator[Part]:
    """People who visited, by day: all days at first, the last fortnight later."""
    asked_at = site.now()
    bookmark = bookmarks["visits"]
    today = datetime.fromtimestamp(asked_at / 1_000_000, UTC).date()
    first = date.fromordinal(today.toordinal() - 14) if bookmark.marks() else date(2010, 1, 1)
    answer = site.client.fetch(
        "/admin/reports/visits.json", start_date=first.isoformat(), end_date=today.isoformat()
    )
    records = [
        Record(
            "visits",
            str(_day(point["x"])),
            {"visited_on": point["x"], "visits": point["y"]},
            asked_at,
            mark=state(point["y"]),
        )
        for point in answer["report"]["data"]
    ]
    yield Part(differing(records, bookmark))


def _day(written: str) -> int:
    return date.fromisoformat(written[:10]).toordinal() - EPOCH.date().toordinal()


def _record(stream: str, item: dict[str, Any], asked_at: int, *mark: str) -> Record:
    text = text_state(state(*(item.get(name) for name in mark)))
    return Record(stream, str(item["id"]), item, asked_at, mark=text)
