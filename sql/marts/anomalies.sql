-- Compared with the same weekday of the eight weeks before. Counts scatter by about their square root
-- even where nothing is wrong (Poisson), so the yardstick is never shorter than that, nor than one.
WITH usual AS (
    SELECT
        metric, source, day, value,
        count(value) OVER before AS comparable_days,
        median(value) OVER before AS expected,
        mad(value) OVER before AS deviation
    FROM marts.series
    WINDOW before AS (
        PARTITION BY metric, source, isodow(day) ORDER BY day ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING
    )
),

measured AS (
    SELECT
        metric, source, day, value, expected,
        (value - expected) / greatest(1.4826 * deviation, sqrt(expected), 1) AS z
    FROM usual
    WHERE comparable_days >= 6 AND value IS NOT NULL
)

SELECT
    metric,
    source,
    day,
    value,
    expected,
    z,
    abs(z) >= 4 AND coalesce(max(abs(z)) OVER days_before < 4, TRUE) AS is_anomaly
FROM measured
WINDOW days_before AS (
    PARTITION BY metric, source ORDER BY day RANGE BETWEEN INTERVAL 2 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING
)
