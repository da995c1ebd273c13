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
)

SELECT
    a.source,
    a.person_id,
    a.created_at,
    a.created_day,
    a.is_first,
    w.replied_at,
    s.second_at,
    hours_between(a.created_at, as_of()) AS age_h,
    coalesce(hours_between(a.created_at, w.replied_at) <= 24, FALSE) AS is_replied_24h,
    coalesce(hours_between(a.created_at, s.second_at) <= 720, FALSE) AS has_second_30d
FROM marts.arrivals AS a
LEFT JOIN answered AS w ON a.source = w.source AND a.person_id = w.person_id
LEFT JOIN seconds AS s ON a.source = s.source AND a.person_id = s.person_id
