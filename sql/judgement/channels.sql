-- What was said in flat channels, where one of it changed.
WITH beginnings AS (
    SELECT l.*, s.thread_id IS NOT NULL AS is_changed
    FROM recent AS l
    LEFT JOIN changed AS s ON l.source = s.source AND l.thread_id = s.thread_id
    WHERE l.is_first AND l.is_chat
)

SELECT *
FROM beginnings
QUALIFY bool_or(is_changed) OVER (PARTITION BY source, channel_id)
ORDER BY source, channel_id, created_at, message_id;
