-- A regular is lost on the day a silence of 90 days completes, not back on the last day seen: what a
-- week once said does not change when somebody stays away.
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
        week_of(day) AS week, source, person_id,
        bool_or(day_before IS NULL) AS is_new,
        bool_or(coalesce(day - day_before > 90, FALSE)) AS is_reactivated,
        FALSE AS is_lost,
        bool_or(day_after IS NULL AND day + 90 < as_of_day()) AS is_last_seen
    FROM days
    GROUP BY ALL

    UNION ALL

    SELECT
        week_of(day + 90) AS week, source, person_id,
        FALSE AS is_new, FALSE AS is_reactivated, TRUE AS is_lost, FALSE AS is_last_seen
    FROM days
    WHERE recent_messages >= 4 AND coalesce(day_after > day + 90, TRUE) AND day + 90 < as_of_day()
)

SELECT
    m.week,
    m.source,
    count(*) FILTER (NOT is_lost) AS contributors,
    count(*) FILTER (is_new) AS new_contributors,
    count(*) FILTER (is_reactivated) AS reactivated_contributors,
    count(*) FILTER (NOT is_lost AND NOT is_new AND NOT is_reactivated) AS returning_contributors,
    count(*) FILTER (is_lost) AS lost_regulars,
    count(*) FILTER (is_new OR is_reactivated) - count(*) FILTER (is_lost) AS net_change,
    count(*) FILTER (is_last_seen) AS inactive_compat,
    any_value(w.covered_rate) AS covered_rate,
    is_final(m.week + 6) AS is_final
FROM moves AS m
LEFT JOIN marts.covered_weeks AS w ON m.week = w.week AND m.source = w.source
GROUP BY m.week, m.source
