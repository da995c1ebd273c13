-- Which messages stand in which conversation: those of a thread, and those that answer it from outside
-- in a flat channel. Only threads with a message of the last 90 days. A table of its own, because what
-- it is joined with is chosen by how few it holds.
WITH lively AS (
    SELECT t.source, t.thread_id
    FROM marts.threads AS t
    WHERE t.is_countable AND t.last_message_at >= as_of() - INTERVAL 90 DAYS
)

SELECT l.source, l.thread_id, m.message_id, TRUE AS is_inside
FROM lively AS l
INNER JOIN marts.messages AS m ON l.source = m.source AND l.thread_id = m.thread_id
WHERE m.is_countable

UNION

SELECT l.source, l.thread_id, k.message_id, FALSE AS is_inside
FROM lively AS l
INNER JOIN marts.links AS k ON l.source = k.source AND l.thread_id = k.thread_id
INNER JOIN marts.messages AS m ON k.source = m.source AND k.message_id = m.message_id
WHERE m.thread_id <> k.thread_id
