-- What people did for others since yesterday, each by what the community itself said of it.
WITH accepted AS (
    SELECT
        m.source, m.person_id, m.thread_id, s.accepted_at,
        s.accepted_at = min(s.accepted_at) OVER (PARTITION BY m.source, m.person_id) AS is_first
    FROM staging.solutions AS s
    INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
    INNER JOIN marts.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id
    WHERE is_accepted(s.accepted_at, s.gone_at) AND m.is_countable AND m.person_id <> t.person_id
),

liked AS (
    SELECT DISTINCT m.source, m.person_id, m.thread_id
    FROM marts.reactions AS r
    INNER JOIN marts.messages AS m ON r.source = m.source AND r.message_id = m.message_id
    INNER JOIN judgement.threads AS j ON m.source = j.source AND m.thread_id = j.thread_id AND j.kind = 'question'
    INNER JOIN marts.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id
    WHERE
        is_somebodys_thanks(r.emoji, r.person_id, r.is_removed) AND r.created_at > as_of() - INTERVAL 24 HOURS
        AND m.is_countable AND m.person_id <> t.person_id AND r.person_id <> m.person_id
),

welcomed AS (
    SELECT source, first_response_by AS person_id, thread_id
    FROM marts.threads
    WHERE is_countable AND is_by_newcomer AND first_response_at > as_of() - INTERVAL 24 HOURS
),

deeds AS (
    SELECT source, person_id, thread_id, 'accepted' AS deed, is_first
    FROM accepted
    WHERE accepted_at > as_of() - INTERVAL 24 HOURS

    UNION ALL

    SELECT source, person_id, thread_id, 'liked' AS deed, FALSE AS is_first
    FROM liked

    UNION ALL

    SELECT source, person_id, thread_id, 'welcomed' AS deed, FALSE AS is_first
    FROM welcomed
)

SELECT
    d.source,
    d.person_id,
    min(coalesce(a.name, a.username)) AS person,
    count(DISTINCT d.thread_id) AS answers,
    count(DISTINCT d.thread_id) FILTER (d.deed = 'accepted') AS accepted,
    count(DISTINCT d.thread_id) FILTER (d.deed = 'liked') AS liked,
    count(DISTINCT d.thread_id) FILTER (d.deed = 'welcomed') AS newcomers,
    bool_or(d.is_first) AS is_first_accepted
FROM deeds AS d
INNER JOIN marts.accounts AS a ON d.source = a.source AND d.person_id = a.person_id
INNER JOIN marts.people AS p ON d.source = p.source AND d.person_id = p.person_id
WHERE p.is_human
GROUP BY d.source, d.person_id
HAVING NOT bool_or(is_unnamed(a.username))
