WITH firsts AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source, person_id ORDER BY created_at, message_id) = 1
        AND person_id IS NOT NULL AND is_human AS is_newcomers_first
    FROM marts.messages
    WHERE is_countable
),

begun AS (
    SELECT created_day AS day, source, channel_id, count(*) AS threads
    FROM marts.threads
    WHERE is_countable AND is_by_human AND (views IS NOT NULL OR messages > 1)
    GROUP BY ALL
)

SELECT
    f.created_day AS day,
    f.source,
    f.channel_id,
    coalesce(any_value(b.threads), 0) AS threads,
    count(*) FILTER (f.is_human) AS messages,
    count(*) FILTER (NOT f.is_human) AS bot_messages,
    sum(f.likes)::BIGINT AS likes,
    count(DISTINCT coalesce(f.person_id, 'deleted account')) FILTER (f.is_human) AS people,
    count(*) FILTER (f.is_newcomers_first) AS newcomers,
    coalesce(any_value(c.is_covered), FALSE) AS is_covered
FROM firsts AS f
LEFT JOIN begun AS b ON f.created_day = b.day AND f.source = b.source AND f.channel_id = b.channel_id
LEFT JOIN marts.coverage AS c ON f.created_day = c.day AND f.source = c.source
GROUP BY f.created_day, f.source, f.channel_id
