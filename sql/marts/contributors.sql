-- Nobody is new, comes back or is lost twice in a week, so the days of these add up; who wrote on several
-- days is one.
WITH wrote AS (
    SELECT week_of(day) AS week, source, count(DISTINCT person_id) AS contributors
    FROM marts.person_days
    WHERE messages > 0
    GROUP BY ALL
),

moved AS (
    SELECT
        week_of(day) AS week, source,
        sum(new_contributors)::BIGINT AS new_contributors,
        sum(reactivated_contributors)::BIGINT AS reactivated_contributors,
        sum(lost_regulars)::BIGINT AS lost_regulars,
        sum(inactive_compat)::BIGINT AS inactive_compat
    FROM marts.daily_contributors
    GROUP BY ALL
)

SELECT
    m.week,
    m.source,
    coalesce(o.contributors, 0) AS contributors,
    m.new_contributors,
    m.reactivated_contributors,
    coalesce(o.contributors, 0) - m.new_contributors - m.reactivated_contributors AS returning_contributors,
    m.lost_regulars,
    m.new_contributors + m.reactivated_contributors - m.lost_regulars AS net_change,
    m.inactive_compat,
    w.covered_rate,
    is_final(m.week + 6) AS is_final
FROM moved AS m
LEFT JOIN wrote AS o ON m.week = o.week AND m.source = o.source
LEFT JOIN marts.covered_weeks AS w ON m.week = w.week AND m.source = w.source
