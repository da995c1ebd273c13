SELECT
    l.source,
    m.person_id AS replier_id,
    t.person_id AS asker_id,
    count(*) AS replies
FROM marts.links AS l
INNER JOIN marts.messages AS m ON l.source = m.source AND l.message_id = m.message_id
INNER JOIN marts.threads AS t ON l.source = t.source AND l.thread_id = t.thread_id
WHERE
    l.rule <> 'next' AND l.created_at >= as_of() - lookback()
    AND m.person_id <> t.person_id AND t.is_countable AND t.is_by_human
GROUP BY l.source, m.person_id, t.person_id
