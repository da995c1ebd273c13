"""The forum's own reports, and ours of the same name, day by day."""

from collections import Counter

import pytest
import requests

from pipeline.sandbox.discourse import ADMIN_KEY

SEEN = "t.archetype = 'regular' AND NOT c.read_restricted"
TOPICS = "topics AS t JOIN categories AS c ON c.id = t.category_id"
# The forum's definitions, as SQL over its own tables; what a reader without special rights sees.
DEFINITIONS = {
    "topics_with_no_response": f"""
        SELECT day, count(*)::DOUBLE FROM (
            SELECT t.id, t.created_at::DATE AS day, min(p.post_number) AS first_reply
            FROM {TOPICS} LEFT JOIN posts AS p ON p.topic_id = t.id AND p.user_id != t.user_id
                AND p.deleted_at IS NULL AND p.post_type = 1
            WHERE {SEEN} AND t.deleted_at IS NULL GROUP BY ALL)
        WHERE first_reply IS NULL OR first_reply < 2 GROUP BY ALL""",
    "time_to_first_response": f"""
        SELECT day, avg(hours) FROM (
            SELECT t.id, t.created_at::DATE AS day,
                min(date_diff('microsecond', t.created_at, p.created_at)) / 3600e6 AS hours
            FROM {TOPICS} JOIN posts AS p ON p.topic_id = t.id AND p.user_id != t.user_id
                AND p.deleted_at IS NULL AND p.post_type = 1 AND p.post_number > 1
                AND p.created_at > t.created_at
            WHERE {SEEN} AND t.deleted_at IS NULL GROUP BY ALL) GROUP BY ALL""",
    "daily_engaged_users": f"""
        SELECT day, count(DISTINCT user_id)::DOUBLE FROM (
            SELECT t.user_id, t.created_at::DATE AS day FROM {TOPICS} WHERE {SEEN}
            UNION ALL
            SELECT p.user_id, p.created_at::DATE
            FROM {TOPICS} JOIN posts AS p ON p.topic_id = t.id
            WHERE {SEEN} AND p.deleted_at IS NULL AND p.post_number > 1 AND p.post_type <> 4
            UNION ALL
            SELECT a.user_id, a.created_at::DATE FROM post_actions AS a
            JOIN posts AS p ON p.id = a.post_id JOIN {TOPICS} ON t.id = p.topic_id
            WHERE {SEEN} AND a.post_action_type_id = 2 AND a.deleted_at IS NULL) GROUP BY ALL""",
    "new_contributors": f"""
        SELECT day, count(*)::DOUBLE FROM (
            SELECT min(p.created_at)::DATE AS day
            FROM {TOPICS} JOIN posts AS p ON p.topic_id = t.id JOIN users AS u ON u.id = p.user_id
            WHERE {SEEN} AND u.id > 0 AND p.deleted_at IS NULL AND t.deleted_at IS NULL
                AND p.post_type = 1 GROUP BY p.user_id) GROUP BY ALL""",
    "accepted_solutions": f"""
        SELECT s.created_at::DATE AS day, count(*)::DOUBLE
        FROM {TOPICS} JOIN main.solutions AS s ON s.topic_id = t.id
        WHERE {SEEN} AND t.deleted_at IS NULL GROUP BY ALL""",
}

pytestmark = pytest.mark.slow


def ours(emberfield, report):
    return dict(
        emberfield.published(
            f"SELECT day, value FROM marts.platform_reports WHERE report = '{report}'"
        )
    )


@pytest.mark.parametrize("report", DEFINITIONS)
def test_equals_the_forums_definition(emberfield, report):
    theirs = dict(emberfield.forum.cursor().execute(DEFINITIONS[report]).fetchall())
    assert len(theirs) > 15
    assert ours(emberfield, report) == pytest.approx(theirs)


@pytest.mark.parametrize("report", ["topics", "posts", "likes", "signups"])
def test_equals_the_forums_own_page(emberfield, report):
    answer = requests.get(
        f"{emberfield.address}/admin/reports/{report}.json",
        {"start_date": "2025-01-01", "end_date": "2026-12-31"},
        headers={"Api-Key": ADMIN_KEY, "Api-Username": "system"},
        timeout=10,
    ).json()
    theirs = Counter({row["x"]: row["y"] for row in answer["report"]["data"]})
    assert len(theirs) > 15
    theirs -= unseen(emberfield, report)
    assert Counter({str(day): value for day, value in ours(emberfield, report).items()}) == theirs


def unseen(emberfield, report):
    """What the forum counts in categories that the reader is not shown."""
    if report in ("likes", "signups"):
        return Counter()
    made = "p" if report == "posts" else "t"
    rows = emberfield.forum.cursor().execute(f"""
        SELECT {made}.created_at::DATE, count(DISTINCT {made}.id)
        FROM {TOPICS} JOIN posts AS p ON p.topic_id = t.id
        WHERE c.read_restricted AND {made}.deleted_at IS NULL AND t.deleted_at IS NULL AND p.post_type = 1 GROUP BY ALL""")
    return Counter({str(day): n for day, n in rows.fetchall()})
