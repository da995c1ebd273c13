-- Accounts of one source that an operator linked are one person there.
WITH held AS (
    SELECT
        source,
        person_id(source, account_id) AS person_id,
        bool_or(is_human(is_bot, is_staged, username)) AS is_human,
        bool_or(is_staff) AS is_staff,
        bool_or(is_active AND gone_at IS NULL) AS is_active,
        max(trust_level) AS trust_level,
        min(created_at) AS created_at
    FROM staging.accounts
    WHERE has_ended(coalesce(created_at, as_of()))
    GROUP BY ALL
)

SELECT
    a.source,
    a.person_id,
    a.is_human,
    a.is_staff,
    a.is_active,
    a.trust_level,
    a.created_at,
    min(m.created_at) AS first_message_at,
    max(m.created_at) AS last_message_at,
    count(m.message_id) AS messages
FROM held AS a
LEFT JOIN marts.messages AS m ON a.source = m.source AND a.person_id = m.person_id AND m.is_countable
GROUP BY ALL
