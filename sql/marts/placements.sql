-- A view: it stores nothing a second time.
SELECT
    m.source,
    m.thread_id,
    m.message_id,
    TRUE AS is_inside,
    m.is_countable
FROM marts.messages AS m

UNION ALL

SELECT DISTINCT
    k.source,
    k.thread_id,
    k.message_id,
    FALSE AS is_inside,
    m.is_countable
FROM marts.links AS k
INNER JOIN marts.messages AS m ON k.source = m.source AND k.message_id = m.message_id
WHERE m.thread_id <> k.thread_id
