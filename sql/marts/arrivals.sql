SELECT
    source,
    person_id,
    min_by(message_id, (created_at, message_id)) AS message_id,
    min_by(thread_id, (created_at, message_id)) AS thread_id,
    min_by(is_first, (created_at, message_id)) AS is_first,
    min(created_at) AS created_at,
    min(created_day) AS created_day
FROM marts.messages
WHERE is_countable AND is_human AND person_id IS NOT NULL
GROUP BY source, person_id
