WITH lives AS (
    SELECT
        w.source,
        week_of(w.created_day) AS week,
        w.is_first,
        w.age_h,
        w.is_replied_24h,
        w.has_second_30d,
        coalesce(n.is_in_largest_component, FALSE) AS is_attached
    FROM marts.welcomes AS w
    LEFT JOIN marts.reply_network AS n ON w.source = n.source AND w.person_id = n.person_id
)

SELECT
    l.week,
    l.source,
    count(*) AS newcomers,
    count(*) FILTER (is_first) AS began_a_thread,
    count(*) FILTER (age_h >= 24) AS due_24h,
    count(*) FILTER (age_h >= 24 AND is_replied_24h) AS replied_24h,
    rate(count(*) FILTER (age_h >= 24 AND is_replied_24h), count(*) FILTER (age_h >= 24)) AS replied_24h_rate,
    count(*) FILTER (age_h >= 720 AND is_replied_24h) AS replied_due_30d,
    count(*) FILTER (age_h >= 720 AND is_replied_24h AND has_second_30d) AS replied_second_30d,
    count(*) FILTER (age_h >= 720 AND NOT is_replied_24h) AS unreplied_due_30d,
    count(*) FILTER (age_h >= 720 AND NOT is_replied_24h AND has_second_30d) AS unreplied_second_30d,
    CASE WHEN l.week >= as_of_day() - 90 THEN count(*) FILTER (is_attached) END AS attached,
    any_value(w.covered_rate) AS covered_rate,
    is_final(l.week + 36) AS is_final
FROM lives AS l
LEFT JOIN marts.covered_weeks AS w ON l.week = w.week AND l.source = w.source
GROUP BY l.week, l.source
