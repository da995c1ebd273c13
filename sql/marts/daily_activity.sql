WITH written AS (
    SELECT m.*, a.message_id IS NOT NULL AS is_newcomers_first
    FROM marts.messages AS m
    LEFT JOIN marts.arrivals AS a ON m.source = a.source AND m.message_id = a.message_id
    WHERE m.is_countable
),

begun AS (
    SELECT created_day AS day, source, channel_id, count(*) AS threads
    FROM marts.threads
    WHERE is_countable AND is_by_human AND (views IS NOT NULL OR messages > 1)
    GROUP BY ALL
)

SELECT
    w.created_day AS day,
    w.source,
    w.channel_id,
    coalesce(any_value(b.threads), 0) AS threads,
    count(*) FILTER (w.is_human) AS messages,
    count(*) FILTER (NOT w.is_human) AS bot_messages,
    sum(w.likes)::BIGINT AS likes,
    count(DISTINCT coalesce(w.person_id, 'deleted account')) FILTER (w.is_human) AS people,
    count(*) FILTER (w.is_newcomers_first) AS newcomers,
    coalesce(any_value(c.is_covered), FALSE) AS is_covered
FROM written AS w
LEFT JOIN begun AS b ON w.created_day = b.day AND w.source = b.source AND w.channel_id = b.channel_id
LEFT JOIN marts.coverage AS c ON w.created_day = c.day AND w.source = c.source
GROUP BY w.created_day, w.source, w.channel_id
