WITH gaps AS (
    SELECT source, person_id, day, day - lag(day) OVER (PARTITION BY source, person_id ORDER BY day) AS gap
    FROM marts.person_days
),

rhythms AS (
    SELECT
        source, person_id,
        count(*) AS active_days,
        max(day) AS last_day,
        as_of_day() - max(day) AS silent_days,
        greatest(quantile_cont(gap, 0.95), 14) AS usual_gap_days
    FROM gaps
    GROUP BY ALL
)

SELECT
    source,
    person_id,
    active_days,
    last_day,
    silent_days,
    CASE WHEN active_days >= 8 THEN usual_gap_days END AS usual_gap_days,
    active_days >= 8 AND silent_days > usual_gap_days AS is_quiet
FROM rhythms
