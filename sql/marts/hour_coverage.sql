WITH spoken AS (
    SELECT source, message_id, any_value(language) AS language
    FROM judgement.scores
    GROUP BY source, message_id
),

asked AS (
    SELECT source, thread_id, created_at, age_h, has_happened AND waited_h <= 24 AS is_answered_24h
    FROM marts.waits
    WHERE event = 'response'
    GROUP BY ALL
),

acts AS (
    SELECT
        a.source, l.language, a.created_at, 1 AS threads, NULL AS helper_id,
        (a.age_h >= 24)::INTEGER AS due_24h,
        (a.age_h >= 24 AND a.is_answered_24h)::INTEGER AS within_24h
    FROM asked AS a
    INNER JOIN marts.messages AS m ON a.source = m.source AND a.thread_id = m.thread_id AND m.is_first
    LEFT JOIN spoken AS l ON m.source = l.source AND m.message_id = l.message_id

    UNION ALL

    SELECT
        m.source, l.language, m.created_at, 0 AS threads, coalesce(m.person_id, 'deleted account') AS helper_id,
        0 AS due_24h, 0 AS within_24h
    FROM marts.messages AS m
    LEFT JOIN spoken AS l ON m.source = l.source AND m.message_id = l.message_id
    WHERE EXISTS (FROM marts.links AS k WHERE m.source = k.source AND m.message_id = k.message_id)
),

placed AS (
    SELECT
        *,
        isodow(local_day(created_at))::INTEGER AS weekday,
        local_hour(created_at) AS hour
    FROM acts
    WHERE local_day(created_at) >= as_of_day() - 91 AND local_day(created_at) < as_of_day()
)

SELECT
    source,
    CASE WHEN grouping(language) = 1 THEN 'all' ELSE coalesce(language, 'unknown') END AS language,
    weekday,
    hour,
    sum(threads)::BIGINT AS threads,
    sum(due_24h)::BIGINT AS due_24h,
    sum(within_24h)::BIGINT AS within_24h,
    rate(sum(within_24h), sum(due_24h)) AS within_24h_rate,
    count(helper_id) AS helps,
    count(DISTINCT helper_id) AS helpers
FROM placed
GROUP BY GROUPING SETS ((source, weekday, hour), (source, language, weekday, hour))
