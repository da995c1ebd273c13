SELECT
    a.source,
    person_id(a.source, a.account_id) AS person_id,
    is_human(a.is_bot, a.is_staged, a.username) AS is_human,
    a.is_staff,
    a.is_active AND a.gone_at IS NULL AS is_active,
    a.trust_level,
    a.created_at,
    min(m.created_at) AS first_message_at,
    max(m.created_at) AS last_message_at,
    count(m.message_id) AS messages
FROM staging.accounts AS a
LEFT JOIN marts.messages AS m
    ON a.source = m.source AND person_id(a.source, a.account_id) = m.person_id AND m.is_countable
GROUP BY ALL
