-- A regular is lost on the day a silence of 90 days completes, not back on the last day seen: what a
-- day once said does not change when somebody stays away.
WITH days AS (
    SELECT
        day, source, person_id,
        lag(day) OVER persons AS day_before,
        lead(day) OVER persons AS day_after,
        sum(messages) OVER (persons RANGE BETWEEN 89 PRECEDING AND CURRENT ROW) AS recent_messages
    FROM marts.person_days
    WHERE messages > 0
    WINDOW persons AS (PARTITION BY source, person_id ORDER BY day)
),

moves AS (
    SELECT
        day, source,
        FALSE AS is_lost,
        day_before IS NULL AS is_new,
        coalesce(day - day_before > 90, FALSE) AS is_reactivated,
        day_after IS NULL AND day + 90 < as_of_day() AS is_last_seen
    FROM days

    UNION ALL

    SELECT
        day + 90 AS day, source,
        TRUE AS is_lost, FALSE AS is_new, FALSE AS is_reactivated, FALSE AS is_last_seen
    FROM days
    WHERE recent_messages >= 4 AND coalesce(day_after > day + 90, TRUE) AND day + 90 < as_of_day()
)

SELECT
    day,
    source,
    count(*) FILTER (NOT is_lost) AS contributors,
    count(*) FILTER (is_new) AS new_contributors,
    count(*) FILTER (is_reactivated) AS reactivated_contributors,
    count(*) FILTER (is_lost) AS lost_regulars,
    count(*) FILTER (is_last_seen) AS inactive_compat
FROM moves
GROUP BY day, source
