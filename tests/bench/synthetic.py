"""Landing files of a community that never was, in sizes and shapes that real ones have.

Four of five messages are chat: a 200-room workspace whose people come and go, talk in bursts, answer
in threads, quote, mention and react. The rest are posts of a forum read by Data Explorer, with topics,
likes and accepted answers. What is said is words of the sandbox, as many as recordings of a forum and
of a team's chat have: log-normal, with a median of 395 bytes of HTML (mean 753) and of 84 bytes (mean
128). Ids of the chat are 17 characters, as Rocket.Chat's clients make them: they cannot be squeezed. A
record is a function of its number, so equal sizes give equal files. Written by DuckDB: a hundred times
faster than by Python.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb

from pipeline.landing import Landing, Report
from pipeline.sandbox.community.steps import texts

AS_OF = datetime(2026, 3, 2, 2, tzinfo=UTC)
YEARS, ROOMS, EACH = 3, 200, 7  # of a million messages; posts a topic has
STREAMS = {"chat": "messages", "forum": "forum"}  # the unit that brings what is said
CHAT_PART, POST_PART = 1_000, 4_096  # records an answer of these servers brings

# What is the same for all of a chat: who, where and when, by a message's number. Every fourth message
# but the first of four may answer the thread that the first of an earlier four began.
MACROS = """
CREATE MACRO dice(n, salt) AS (hash(n, salt) % 1000003) / 1000003.0;
CREATE MACRO phrase(list, n, salt) AS list[1 + (hash(n, salt) % len(list))::INTEGER];
CREATE MACRO id(kind, n) AS substr(md5(kind || n), 1, 17);
CREATE MACRO size(n, middle, spread) AS
    middle * exp(spread * sqrt(-2 * ln(1 - dice(n, 'size'))) * cos(2 * pi() * dice(n, 'angle')));
CREATE MACRO said(n, bytes) AS array_to_string(
    [phrase(getvariable('words'), n, k) FOR k IN range(1 + (least(bytes, 30000) / 5.6)::INTEGER)], ' '
);
CREATE MACRO author(n, whole, crowd) AS CASE
    WHEN dice(n, 'old') < 0.3 THEN floor(300 * dice(n, 'who') ** 2)
    ELSE greatest(0, floor(crowd * (n / whole) - crowd / 8 * dice(n, 'who') ** 3))
END::BIGINT;
CREATE MACRO root(n) AS CASE
    WHEN n % 4 <> 3 OR n < 400 OR dice(n, 'replies') < 0.3 THEN n
    ELSE (n - 1 - floor(200 * dice(n, 'far') ** 2)::BIGINT) // 4 * 4
END;
CREATE MACRO room(n) AS floor(getvariable('rooms') * dice(root(n) // 16, 'room') ** 2)::BIGINT;
CREATE MACRO spoken_ms(n, whole) AS CASE
    WHEN n >= whole THEN getvariable('until_ms') + (n - whole) * 43000
    ELSE getvariable('until_ms') - getvariable('span_ms') * (1 - (n // 16 * 16) / whole) + n % 16 * 15000
END::BIGINT;
CREATE MACRO posted_ms(n, whole) AS CASE
    WHEN n >= whole THEN getvariable('until_ms') + (n - whole) * 173000
    ELSE getvariable('until_ms') - getvariable('span_ms') * (1 - (n // 7 * 7) / whole)
        + (n % 7) ** 2 * 3600000 * dice(n, 'wait')
END::BIGINT;
CREATE MACRO iso(ms) AS strftime(epoch_ms(ms), '%Y-%m-%dT%H:%M:%S.%gZ');
CREATE MACRO name_of(person) AS 'user' || person;
"""

CHAT = """
SELECT
    'record' AS kind, 'messages' AS stream, id('m', n) AS key, id('room', room(n)) AS container,
    coalesce(changed_ms, spoken_ms(n, $whole)) * 1000 AS at, NULL AS mark, $seen_at AS seen_at,
    n % 500 = 7 AND changed_ms IS NOT NULL AS gone,
    {
        '_id': id('m', n), 'rid': id('room', room(n)), 'msg': said, 'ts': iso(spoken_ms(n, $whole)),
        'u': {'_id': id('p', person), 'username': name_of(person), 'name': 'Person ' || person},
        '_updatedAt': iso(coalesce(changed_ms, spoken_ms(n, $whole))),
        'editedAt': CASE WHEN changed_ms IS NOT NULL THEN iso(changed_ms) END,
        'tmid': CASE WHEN root(n) <> n THEN id('m', root(n)) END,
        't': CASE WHEN n % 64 = 1 THEN 'uj' END,
        'urls': []::VARCHAR[],
        'mentions': CASE WHEN dice(n, 'mention') < 0.08 THEN [{
            '_id': id('p', author(greatest(0, n - 1), $whole, $crowd)),
            'username': name_of(author(greatest(0, n - 1), $whole, $crowd))
        }] ELSE [] END,
        'channels': []::VARCHAR[],
        'attachments': CASE WHEN dice(n, 'quote') < 0.02 THEN [{
            'message_link': 'https://chat.invalid/channel/x?msg=' || id('m', greatest(0, n - 3)), 'text': said
        }] END,
        'reactions': CASE WHEN dice(n, 'react') < 0.06 THEN {
            ':+1:': {'usernames': [name_of(author(greatest(0, n - 5), $whole, $crowd))]}
        } END,
        'md': [{'type': 'PARAGRAPH', 'value': [{'type': 'PLAIN_TEXT', 'value': said}]}]
    } AS payload
FROM (
    SELECT
        n, changed_ms, author(n, $whole, $crowd) AS person,
        said(n, size(n, 84, 0.915))
        || CASE WHEN changed_ms IS NOT NULL THEN ' (edited)' ELSE '' END AS said
    FROM ($chosen)
)
"""

POSTS = """
WITH posts AS (
    SELECT
        n, changed_ms, author(n, $whole, $crowd) AS person,
        said(n, size(n, 395, 1.136)) || CASE WHEN changed_ms IS NOT NULL THEN ' (edited)' ELSE '' END AS said
    FROM ($chosen)
),

records AS (
    SELECT
        'posts' AS stream, n, changed_ms, posted_ms(n, $whole) AS ms, {
            'id': n, 'topic_id': n // 7, 'user_id': person + 1, 'post_number': n % 7 + 1,
            'reply_to_post_number': CASE WHEN n % 7 > 1 AND dice(n, 'to') < 0.3 THEN n % 7 - 1 END,
            'reply_to_user_id': NULL, 'post_type': 1, 'raw': said,
            'cooked': '<p>' || said || '</p>',
            'version': CASE WHEN changed_ms IS NULL THEN 1 ELSE 2 END, 'public_version': 1,
            'like_count': (hash(n, 'likes') % 3)::INTEGER, 'reply_count': 0, 'quote_count': 0, 'reads': 12,
            'word_count': length(said) // 6, 'hidden': FALSE, 'hidden_reason_id': NULL,
            'user_deleted': FALSE, 'deleted_by_id': NULL, 'wiki': FALSE, 'edit_reason': NULL,
            'last_editor_id': person + 1, 'self_edits': 0, 'action_code': NULL, 'via_email': FALSE,
            'locale': NULL, 'created_us': posted_ms(n, $whole) * 1000,
            'updated_us': coalesce(changed_ms, posted_ms(n, $whole)) * 1000,
            'deleted_us': NULL, 'hidden_us': NULL,
            'last_version_us': coalesce(changed_ms, posted_ms(n, $whole)) * 1000
        }::JSON AS payload
    FROM posts

    UNION ALL

    SELECT
        'topics' AS stream, n // 7 AS n, changed_ms, posted_ms(n, $whole) AS ms, {
            'id': n // 7, 'title': phrase(getvariable('titles'), n, 'title') || ' ' || n // 7,
            'slug': 'a-topic-' || n // 7, 'user_id': person + 1,
            'category_id': 5 + (hash(n // 7, 'category') % 12)::INTEGER, 'archetype': 'regular',
            'visible': TRUE, 'closed': FALSE, 'archived': FALSE, 'pinned_globally': FALSE,
            'views': (hash(n, 'views') % 400)::INTEGER, 'posts_count': 7, 'reply_count': 2,
            'highest_post_number': 7, 'like_count': 5, 'participant_count': 5, 'word_count': 400,
            'last_post_user_id': person + 1, 'featured_link': NULL, 'deleted_by_id': NULL,
            'external_id': NULL, 'locale': NULL, 'created_us': posted_ms(n, $whole) * 1000,
            'updated_us': posted_ms(n, $whole) * 1000, 'bumped_us': posted_ms(n + 6, $whole) * 1000,
            'last_posted_us': posted_ms(n + 6, $whole) * 1000, 'deleted_us': NULL, 'pinned_us': NULL,
            'tags': NULL
        }::JSON AS payload
    FROM posts WHERE n % 7 = 0

    UNION ALL

    SELECT
        'likes' AS stream, n, NULL AS changed_ms, posted_ms(n, $whole) + 3600000 AS ms, {
            'id': n, 'post_id': n, 'user_id': author(n + 1, $whole, $crowd) + 1,
            'created_us': (posted_ms(n, $whole) + 3600000) * 1000, 'deleted_us': NULL
        }::JSON AS payload
    FROM posts WHERE dice(n, 'liked') < 0.7

    UNION ALL

    SELECT
        'solutions' AS stream, n, NULL AS changed_ms, posted_ms(n, $whole) + 3600000 AS ms, {
            'id': n, 'answer_post_id': n, 'topic_id': n // 7, 'accepter_user_id': person + 1,
            'created_us': (posted_ms(n, $whole) + 3600000) * 1000,
            'updated_us': (posted_ms(n, $whole) + 3600000) * 1000
        }::JSON AS payload
    FROM posts WHERE n % 7 = 2 AND dice(n, 'solved') < 0.2
)

SELECT
    'record' AS kind, stream, n::VARCHAR AS key, '' AS container,
    coalesce(changed_ms, ms) * 1000 AS at, coalesce(changed_ms, ms) || '|' || n AS mark,
    $seen_at AS seen_at, FALSE AS gone, payload
FROM records

UNION ALL BY NAME

SELECT
    'span' AS kind, stream, $seen_at AS seen_at, n // 256 * 256 AS low, n // 256 * 256 + 255 AS high,
    '' AS container, [k::VARCHAR FOR k IN range(n // 256 * 256, least($whole, n // 256 * 256 + 256))] AS keys,
    TRUE AS covers
FROM (SELECT DISTINCT ON (n // 256) n, 'posts' AS stream FROM posts)
"""

FORUM_PEOPLE = """
SELECT
    'record' AS kind, 'users' AS stream, n::VARCHAR AS key, '' AS container, $seen_at AS at,
    n || '|' AS mark, $seen_at AS seen_at, FALSE AS gone, {
        'id': n, 'username': name_of(n - 1), 'name': 'Person ' || n, 'trust_level': n % 5,
        'admin': n <= 3, 'moderator': n <= 12, 'staged': FALSE, 'active': TRUE, 'approved': TRUE,
        'created_us': (getvariable('until_ms') - getvariable('span_ms')) * 1000, 'updated_us': (getvariable('until_ms') - getvariable('span_ms')) * 1000,
        'last_seen_us': (getvariable('until_ms') - getvariable('span_ms')) * 1000, 'post_count': 5, 'topic_count': 1
    }::JSON AS payload
FROM range(1, $crowd + 1) AS people (n)
UNION ALL
SELECT
    'record', 'categories', n::VARCHAR, '', $seen_at, n || '|', $seen_at, FALSE,
    {'id': n, 'name': 'Category ' || n, 'slug': 'c' || n, 'read_restricted': n = 16}::JSON
FROM range(5, 5 + 12) AS categories (n)
"""

CHAT_USERS = """
SELECT
    'record' AS kind, 'users' AS stream, id('p', n) AS key, '' AS container, NULL AS at, NULL AS mark,
    $seen_at AS seen_at, FALSE AS gone, {
        '_id': id('p', n), 'username': name_of(n), 'name': 'Person ' || n, 'type': 'user', 'active': TRUE,
        'status': 'offline', 'roles': ['user'], 'nameInsensitive': 'person ' || n
    }::JSON AS payload
FROM range(0, $crowd) AS people (n)
"""

ROOMS_READ = """
SELECT
    'record' AS kind, 'rooms' AS stream, id('room', n) AS key, '' AS container, NULL AS at, NULL AS mark,
    $seen_at AS seen_at, FALSE AS gone, {
        '_id': id('room', n), 't': CASE WHEN n % 40 = 39 THEN 'p' ELSE 'c' END, 'name': 'room' || n,
        'fname': 'Room ' || n, 'msgs': $whole // getvariable('rooms'), 'usersCount': 50, 'ts': iso((getvariable('until_ms') - getvariable('span_ms')))
    }::JSON AS payload
FROM range(0, getvariable('rooms')) AS rooms (n)
UNION ALL
SELECT
    'record', 'room_reads', id('room', n), '', NULL, NULL, $seen_at, FALSE,
    {'access': 'read', 'asked_at': iso($seen_at // 1000), 'whole_at': iso($seen_at // 1000)}::JSON
FROM range(0, getvariable('rooms')) AS rooms (n)
"""

ROOM_LIST = """
SELECT
    'span' AS kind, 'messages' AS stream, $seen_at AS seen_at, id('room', 10) AS container,
    list(id('m', n)) AS keys, FALSE AS covers
FROM range(0, $whole) AS messages (n)
WHERE room(n) = 10
"""


@dataclass(frozen=True)
class Synthetic:
    """A community of so many messages, landed below a folder. One of ten million is three times as
    old and three times as busy as one of a million, and has three times the people."""

    landing: Landing
    messages: int

    @property
    def posts(self) -> int:
        return self.messages // 5 // EACH * EACH

    @property
    def spoken(self) -> int:
        return self.messages - self.posts

    @property
    def known(self) -> dict[str, int]:
        """What the SQL above asks for."""
        size = (self.messages / 1_000_000) ** 0.5
        return {
            "until_ms": int(AS_OF.timestamp() * 1e3),
            "span_ms": int(1_000 * size * YEARS * 365.25 * 86_400),
            "crowd": max(400, int(5_000 * size)),
            "rooms": ROOMS,
        }

    def first_fill(self) -> None:
        """All of both sources, as a first fill lands it: in many parts."""
        for stream, sql in (("users", CHAT_USERS), ("rooms", ROOMS_READ)):
            self._land("chat", AS_OF, stream, sql, [""], self.spoken)
        self._land("forum", AS_OF, "people", FORUM_PEOPLE, [""], self.posts)
        for source, sql, whole, part in self._sources():
            chosen = [
                f"SELECT n, NULL::BIGINT AS changed_ms FROM range({low}, {min(whole, low + part)}) r (n)"
                for low in range(0, whole, part)
            ]
            self._land(source, AS_OF, STREAMS[source], sql, chosen, whole)

    def night(self, number: int, changes: int) -> datetime:
        """What the n-th night after the first fill brings, and its moment: what every night lists,
        one room's list of all its ids, and so many messages: a third of them new (at most 2,000 of
        chat and 500 posts), a third changed or gone of the last month, a third of all times."""
        moment = AS_OF + timedelta(days=number)
        changed_ms = int(moment.timestamp() * 1e3) - 3_600_000
        self._land("chat", moment, "rooms", ROOMS_READ, [""], self.spoken)
        self._land("chat", moment, "lists", ROOM_LIST, [""], self.spoken)
        for source, sql, whole, part in self._sources() if changes else ():
            third = changes * whole // self.messages // 3
            new = whole + (number - 1) * part * 2
            chosen = [
                f"SELECT n, NULL::BIGINT AS changed_ms FROM range({new}, {new + third}) r (n)"
            ] + [
                f"SELECT DISTINCT {low} + (hash(i, {number}) % {whole - low})::BIGINT AS n,"
                f" {changed_ms} AS changed_ms FROM range({third}) r (i)"
                for low in (0, whole - whole // 36)
            ]
            self._land(source, moment, STREAMS[source], sql, chosen, whole)
        return moment

    def _sources(self) -> tuple[tuple[str, str, int, int], ...]:
        return ("chat", CHAT, self.spoken, CHAT_PART), ("forum", POSTS, self.posts, POST_PART)

    def _land(
        self, source: str, at: datetime, stream: str, sql: str, chosen: list[str], whole: int
    ) -> None:
        """One part for each choice of numbers, and the report that ends the read."""
        seen_at, run = int(at.timestamp() * 1e6), at.strftime("%Y%m%dT%H%M%S%fZ")
        folder = self.landing.folder_of(source, run, stream)
        folder.mkdir(parents=True, exist_ok=True)
        values = {"whole": whole, "crowd": self.known["crowd"], "seen_at": seen_at}
        for name, value in values.items():
            sql = sql.replace(f"${name}", str(value))
        with duckdb.connect(config={"threads": 1}) as db, ThreadPoolExecutor(2) as pool:
            db.execute(MACROS)
            list(
                pool.map(
                    lambda one: self._write(db.cursor(), sql, *one, folder), enumerate(chosen, 1)
                )
            )
        streams = ("posts", "topics", "likes", "solutions") if stream == "forum" else (stream,)
        self.landing.finish(Report(source, stream, run, "bench", seen_at, streams=streams))

    def _write(self, db, sql: str, number: int, some: str, folder: Path) -> None:
        for name, value in {**self.known, **phrases()}.items():
            db.execute(f"SET VARIABLE {name} = ?", [value])
        file = folder / f"{number:06}.jsonl.gz"
        db.execute(
            f"COPY ({sql.replace('$chosen', some)}) TO '{file}' (FORMAT json, COMPRESSION gzip)"
        )


@cache
def phrases() -> dict[str, list[str]]:
    """What people of the sandbox say: every word as often as they do, and titles."""
    said = [
        text for name in ("chat", "support", "talk", "discussions") for text in _leaves(texts(name))
    ]
    return {
        "words": [word for text in said for word in text.split()],
        "titles": [text for text in said if 10 < len(text) <= 60],
    }


def _leaves(tree) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list | dict):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(branch)
