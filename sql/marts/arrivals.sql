WITH beginnings AS (
    SELECT source, person_id, min(created_at) AS created_at
    FROM marts.messages
    WHERE is_countable AND is_human
    GROUP BY ALL
)

SELECT
    m.source,
    m.person_id,
    min(m.message_id) AS message_id,
    min_by(m.thread_id, m.message_id) AS thread_id,
    min_by(m.is_first, m.message_id) AS is_first,
    b.created_at,
    any_value(m.created_day) AS created_day
FROM beginnings AS b
INNER JOIN marts.messages AS m ON b.source = m.source AND b.person_id = m.person_id AND b.created_at = m.created_at
WHERE m.is_countable AND m.is_human
GROUP BY m.source, m.person_id, b.created_at
