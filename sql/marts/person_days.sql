WITH helped AS (
    SELECT source, message_id
    FROM marts.links
    GROUP BY ALL
),

acts AS (
    SELECT
        m.created_day AS day, m.source, m.person_id, 1 AS messages, h.message_id IS NOT NULL AS is_help, 0 AS reactions
    FROM marts.messages AS m
    LEFT JOIN helped AS h ON m.source = h.source AND m.message_id = h.message_id
    WHERE m.is_countable AND m.is_human

    UNION ALL

    SELECT local_day(r.created_at) AS day, r.source, r.person_id, 0 AS messages, FALSE AS is_help, 1 AS reactions
    FROM marts.reactions AS r
    INNER JOIN marts.messages AS m ON r.source = m.source AND r.message_id = m.message_id
    INNER JOIN marts.accounts AS a ON r.source = a.source AND r.person_id = a.person_id
    WHERE NOT r.is_removed AND m.is_countable AND a.is_human AND r.created_at <= as_of()
)

SELECT
    day,
    source,
    person_id,
    sum(messages)::BIGINT AS messages,
    count(*) FILTER (is_help) AS helps,
    sum(reactions)::BIGINT AS reactions
FROM acts
WHERE person_id IS NOT NULL
GROUP BY ALL
