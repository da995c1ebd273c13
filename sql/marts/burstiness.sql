WITH spoken AS (
    SELECT source, channel_id, created_at
    FROM marts.messages
    WHERE is_countable AND is_human AND created_at >= as_of() - lookback()
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
),

-- In order of size: fractions added up in any order differ in their last digits.
measured AS (
    SELECT
        source, channel_id,
        count(*) AS messages,
        avg(gap_h ORDER BY gap_h) AS mean_gap_h,
        stddev_pop(gap_h ORDER BY gap_h) AS gap_standard_deviation_h
    FROM gaps
    GROUP BY source, channel_id
)

SELECT
    source,
    coalesce(channel_id, 'unknown') AS channel_id,
    messages,
    mean_gap_h,
    gap_standard_deviation_h,
    CASE
        WHEN messages >= 20 AND mean_gap_h > 0
            THEN (gap_standard_deviation_h - mean_gap_h) / (gap_standard_deviation_h + mean_gap_h)
    END AS burstiness
FROM measured
