WITH spoken AS (
    SELECT source, channel_id, created_at
    FROM marts.messages
    WHERE is_countable AND is_human AND created_at >= as_of() - INTERVAL 90 DAYS
),

gaps AS (
    SELECT
        source, channel_id,
        hours_between(lag(created_at) OVER (PARTITION BY source, channel_id ORDER BY created_at), created_at) AS gap_h
    FROM spoken

    UNION ALL

    SELECT
        source, 'all' AS channel_id,
        hours_between(lag(created_at) OVER (PARTITION BY source ORDER BY created_at), created_at) AS gap_h
    FROM spoken
)

SELECT
    source,
    coalesce(channel_id, 'unknown') AS channel_id,
    count(*) AS messages,
    avg(gap_h) AS mean_gap_h,
    stddev_pop(gap_h) AS gap_standard_deviation_h,
    CASE
        WHEN count(*) >= 20 AND avg(gap_h) > 0
            THEN (stddev_pop(gap_h) - avg(gap_h)) / (stddev_pop(gap_h) + avg(gap_h))
    END AS burstiness
FROM gaps
GROUP BY source, channel_id
