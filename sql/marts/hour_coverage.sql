WITH spoken AS (
    SELECT source, message_id, language
    FROM judgement.scores
    WHERE label = 'uncivil'
),

asked AS (
    SELECT source, thread_id, age_h, has_happened AND waited_h <= 24 AS is_answered_24h
    FROM marts.waits
    WHERE event = 'response'
    GROUP BY ALL
),

acts AS (
    SELECT
        m.source, m.message_id, m.created_at, m.created_day, 1 AS threads, NULL AS helper_id,
        (a.age_h >= 24)::INTEGER AS due_24h,
        (a.age_h >= 24 AND a.is_answered_24h)::INTEGER AS within_24h
    FROM asked AS a
    INNER JOIN marts.messages AS m ON a.source = m.source AND a.thread_id = m.thread_id AND m.is_first

    UNION ALL

    SELECT
        m.source, m.message_id, m.created_at, m.created_day, 0 AS threads,
        coalesce(m.person_id, 'deleted account') AS helper_id,
        0 AS due_24h, 0 AS within_24h
    FROM marts.messages AS m
    WHERE EXISTS (FROM marts.links AS k WHERE m.source = k.source AND m.message_id = k.message_id)
),

placed AS (
    SELECT
        a.*, s.language,
        isodow(a.created_day)::INTEGER AS weekday,
        local_hour(a.created_at) AS hour
    FROM acts AS a
    LEFT JOIN spoken AS s ON a.source = s.source AND a.message_id = s.message_id
    WHERE a.created_day >= as_of_day() - 91 AND a.created_day < as_of_day()
),

covered AS (
    SELECT source, isodow(day) AS weekday, count(*) FILTER (is_covered) / count(*) AS covered_rate
    FROM marts.coverage
    WHERE day >= as_of_day() - 91 AND day < as_of_day()
    GROUP BY ALL
)

SELECT
    p.source,
    CASE WHEN grouping(language) = 1 THEN 'all' ELSE coalesce(language, 'unknown') END AS language,
    p.weekday,
    hour,
    sum(threads)::BIGINT AS threads,
    sum(due_24h)::BIGINT AS due_24h,
    sum(within_24h)::BIGINT AS within_24h,
    rate(sum(within_24h), sum(due_24h)) AS within_24h_rate,
    count(helper_id) AS helps,
    count(DISTINCT helper_id) AS helpers,
    any_value(c.covered_rate) AS covered_rate
FROM placed AS p
LEFT JOIN covered AS c ON p.source = c.source AND p.weekday = c.weekday
GROUP BY GROUPING SETS ((p.source, p.weekday, hour), (p.source, language, p.weekday, hour))
