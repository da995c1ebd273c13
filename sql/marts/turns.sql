-- Which messages stand in which conversation now: those of a thread, and those that answer it from outside
-- in a flat channel. Only threads with a message of the last 90 days. A table of its own, because what
-- it is joined with is chosen by how few it holds.
WITH recent AS (
    SELECT t.source, t.thread_id
    FROM marts.threads AS t
    WHERE t.is_countable AND t.last_message_at >= as_of() - conversation_lasts()
)

SELECT l.source, l.thread_id, p.message_id, p.is_inside
FROM recent AS l
INNER JOIN marts.placements AS p ON l.source = p.source AND l.thread_id = p.thread_id
WHERE p.is_countable OR NOT p.is_inside
