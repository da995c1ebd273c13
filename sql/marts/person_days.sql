WITH acts AS (
    SELECT
        m.created_day AS day, m.source, m.person_id, FALSE AS is_reaction,
        EXISTS (FROM marts.links AS l WHERE m.source = l.source AND m.message_id = l.message_id) AS is_help
    FROM marts.messages AS m
    WHERE m.is_countable AND m.is_human

    UNION ALL

    SELECT local_day(r.created_at) AS day, r.source, r.person_id, TRUE AS is_reaction, FALSE AS is_help
    FROM marts.reactions AS r
    INNER JOIN marts.messages AS m ON r.source = m.source AND r.message_id = m.message_id
    INNER JOIN marts.people AS a ON r.source = a.source AND r.person_id = a.person_id
    WHERE NOT r.is_removed AND m.is_countable AND a.is_human AND r.created_at <= as_of()
)

SELECT
    day,
    source,
    person_id,
    count(*) FILTER (NOT is_reaction) AS messages,
    count(*) FILTER (is_help) AS helps,
    count(*) FILTER (is_reaction) AS reactions
FROM acts
WHERE person_id IS NOT NULL
GROUP BY ALL
