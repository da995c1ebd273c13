-- What several accounts of one person gave is one row, and so is what people gave whose names nobody bears.
-- A like that is the shadow of an emoji (Discourse counts both) is left out.
WITH emojis AS (
    SELECT DISTINCT source, message_id, account_id
    FROM staging.reactions
    WHERE emoji <> 'like' AND coalesce(created_at <= as_of(), TRUE)
),

given AS (
    SELECT
        r.source,
        r.message_id,
        person_id(r.source, coalesce(r.account_id, a.account_id)) AS person_id,
        r.emoji,
        r.created_at,
        has_ended(r.removed_at) AS is_removed
    FROM staging.reactions AS r
    INNER JOIN marts.messages AS m ON r.source = m.source AND r.message_id = m.message_id
    LEFT JOIN staging.accounts AS a
        ON r.source = a.source AND r.account_id IS NULL AND r.username = a.username AND a.gone_at IS NULL
    LEFT JOIN emojis AS e
        ON r.source = e.source AND r.message_id = e.message_id AND r.account_id = e.account_id AND r.emoji = 'like'
    WHERE NOT m.is_private AND coalesce(r.created_at <= as_of(), TRUE) AND e.account_id IS NULL
)

SELECT
    source,
    message_id,
    person_id,
    emoji,
    count(*) AS reactions,
    min(created_at) AS created_at,
    bool_and(is_removed) AS is_removed
FROM given
GROUP BY source, message_id, person_id, emoji
