WITH asked AS (
    SELECT source, thread_id, population, has_happened, is_waiting, week_of(created_day) AS week
    FROM marts.waits
    WHERE event = 'response' AND is_in_whole_week(population, created_day)
),

ended AS (
    SELECT
        a.week, a.source, a.population,
        CASE
            WHEN t.is_solved OR NOT (a.has_happened OR a.is_waiting) THEN 'resolved'
            WHEN a.is_waiting AND t.is_closed THEN 'closed_unanswered'
            WHEN a.is_waiting THEN 'unanswered'
            WHEN t.is_author_last AND t.last_message_at < as_of() - INTERVAL 7 DAYS THEN 'stale'
            ELSE 'in_progress'
        END AS outcome,
        CASE
            WHEN NOT a.has_happened THEN NULL
            WHEN t.first_staff_response_at = t.first_response_at THEN 'staff'
            ELSE coalesce(r.tier, 'passer_by')
        END AS answered_by,
        coalesce(p.is_staff, FALSE) AS is_by_staff_of_today
    FROM asked AS a
    INNER JOIN marts.threads AS t ON a.source = t.source AND a.thread_id = t.thread_id
    LEFT JOIN marts.people AS p ON t.source = p.source AND t.first_response_by = p.person_id
    LEFT JOIN marts.tiers AS r
        ON
            t.source = r.source AND t.first_response_by = r.person_id
            AND local_day(t.first_response_at) >= r.valid_from
            AND local_day(t.first_response_at) < coalesce(r.valid_to, '9999-01-01'::DATE)
)

SELECT
    e.week,
    e.source,
    e.population,
    count(*) AS asked,
    count(*) FILTER (outcome = 'resolved') AS resolved,
    count(*) FILTER (outcome = 'in_progress') AS in_progress,
    count(*) FILTER (outcome = 'stale') AS stale,
    count(*) FILTER (outcome = 'unanswered') AS unanswered,
    count(*) FILTER (outcome = 'closed_unanswered') AS closed_unanswered,
    rate(count(*) FILTER (outcome = 'resolved'), count(*)) AS resolution_rate,
    count(*) FILTER (answered_by = 'staff') AS answered_by_staff,
    count(*) FILTER (answered_by = 'core') AS answered_by_core,
    count(*) FILTER (answered_by = 'contributor') AS answered_by_contributors,
    count(*) FILTER (answered_by IN ('user', 'passer_by')) AS answered_by_others,
    rate(count(*) FILTER (is_by_staff_of_today), count(*)) AS staff_involvement_compat_rate,
    any_value(w.covered_rate) AS covered_rate,
    is_final(e.week + 6) AS is_final
FROM ended AS e
LEFT JOIN marts.covered_weeks AS w ON e.week = w.week AND e.source = w.source
GROUP BY e.week, e.source, e.population
