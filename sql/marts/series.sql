WITH activity AS (
    SELECT
        day, source,
        sum(messages) AS messages,
        sum(threads) AS threads,
        sum(newcomers) AS newcomers,
        sum(bot_messages) AS bot_messages
    FROM marts.daily_activity
    GROUP BY day, source
),

beginnings AS (
    SELECT source, min(day) AS first_day
    FROM activity
    GROUP BY source
),

wide AS (
    SELECT
        c.day, c.source, c.is_covered,
        coalesce(a.messages, 0)::DOUBLE AS messages,
        coalesce(a.threads, 0)::DOUBLE AS threads,
        coalesce(a.newcomers, 0)::DOUBLE AS newcomers,
        coalesce(a.bot_messages, 0)::DOUBLE AS bot_messages,
        coalesce(p.daily_people, 0)::DOUBLE AS person_days
    FROM marts.coverage AS c
    INNER JOIN beginnings AS b ON c.source = b.source AND c.day >= b.first_day
    LEFT JOIN activity AS a ON c.day = a.day AND c.source = a.source
    LEFT JOIN marts.active_people AS p ON c.day = p.day AND c.source = p.source
),

long AS (
    SELECT 'messages' AS metric, source, day, is_covered, messages AS counted FROM wide
    UNION ALL
    SELECT 'threads' AS metric, source, day, is_covered, threads AS counted FROM wide
    UNION ALL
    SELECT 'newcomers' AS metric, source, day, is_covered, newcomers AS counted FROM wide
    UNION ALL
    SELECT 'bot_messages' AS metric, source, day, is_covered, bot_messages AS counted FROM wide
    UNION ALL
    SELECT 'person_days' AS metric, source, day, is_covered, person_days AS counted FROM wide
)

SELECT
    metric,
    source,
    day,
    CASE WHEN is_covered THEN counted END AS value
FROM long
