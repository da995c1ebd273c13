-- A newcomer's first message asks for company whether or not it asks a question: a reply is a message
-- that answers the thread they began, or one after theirs in the thread they joined.
WITH answered AS (
    SELECT a.source, a.person_id, t.first_response_at AS replied_at
    FROM marts.arrivals AS a
    INNER JOIN marts.threads AS t ON a.source = t.source AND a.thread_id = t.thread_id
    WHERE a.is_first

    UNION ALL

    SELECT a.source, a.person_id, min(m.created_at) AS replied_at
    FROM marts.arrivals AS a
    INNER JOIN marts.messages AS m
        ON
            a.source = m.source AND a.thread_id = m.thread_id AND a.created_at < m.created_at
            AND a.person_id IS DISTINCT FROM m.person_id
    WHERE NOT a.is_first AND m.is_countable AND m.is_human
    GROUP BY ALL
),

seconds AS (
    SELECT a.source, a.person_id, min(m.created_at) AS second_at
    FROM marts.arrivals AS a
    INNER JOIN marts.messages AS m
        ON a.source = m.source AND a.person_id = m.person_id AND m.message_id <> a.message_id
    WHERE m.is_countable AND m.is_human
    GROUP BY ALL
),

lives AS (
    SELECT
        a.source,
        week_of(a.created_day) AS week,
        a.is_first,
        hours_between(a.created_at, as_of()) AS age_h,
        coalesce(hours_between(a.created_at, w.replied_at) <= 24, FALSE) AS is_replied_24h,
        coalesce(hours_between(a.created_at, s.second_at) <= 720, FALSE) AS has_second_30d,
        coalesce(n.is_in_largest_component, FALSE) AS is_attached
    FROM marts.arrivals AS a
    LEFT JOIN answered AS w ON a.source = w.source AND a.person_id = w.person_id
    LEFT JOIN seconds AS s ON a.source = s.source AND a.person_id = s.person_id
    LEFT JOIN marts.reply_network AS n ON a.source = n.source AND a.person_id = n.person_id
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
