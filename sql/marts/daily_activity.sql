-- Joined once it is counted: a day of a channel is one row then, and a message none.
WITH authors AS (
    SELECT created_day AS day, source, channel_id, person_id, is_human, count(*) AS messages, sum(likes) AS likes
    FROM marts.messages
    WHERE is_countable
    GROUP BY ALL
),

written AS (
    SELECT
        day, source, channel_id,
        coalesce(sum(messages) FILTER (is_human), 0)::BIGINT AS messages,
        coalesce(sum(messages) FILTER (NOT is_human), 0)::BIGINT AS bot_messages,
        sum(likes)::BIGINT AS likes,
        count(*) FILTER (is_human) AS people
    FROM authors
    GROUP BY ALL
),

arrived AS (
    SELECT m.created_day AS day, m.source, m.channel_id, count(*) AS newcomers
    FROM marts.arrivals AS a
    INNER JOIN marts.messages AS m ON a.source = m.source AND a.message_id = m.message_id
    GROUP BY ALL
),

begun AS (
    SELECT created_day AS day, source, channel_id, count(*) AS threads
    FROM marts.threads
    WHERE is_countable AND is_by_human AND (views IS NOT NULL OR messages > 1)
    GROUP BY ALL
)

SELECT
    w.day,
    w.source,
    w.channel_id,
    coalesce(b.threads, 0) AS threads,
    w.messages,
    w.bot_messages,
    w.likes,
    w.people,
    coalesce(a.newcomers, 0) AS newcomers,
    coalesce(c.is_covered, FALSE) AS is_covered
FROM written AS w
LEFT JOIN begun AS b ON w.day = b.day AND w.source = b.source AND w.channel_id = b.channel_id
LEFT JOIN arrived AS a ON w.day = a.day AND w.source = a.source AND w.channel_id = a.channel_id
LEFT JOIN marts.coverage AS c ON w.day = c.day AND w.source = c.source
