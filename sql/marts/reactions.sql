-- What several accounts of one person gave is one row, and so is what people gave whose names are nobody's.
-- A like that is the shadow of an emoji (Discourse counts both) is left out. Where only a name is told, and not
-- when, it may be of anybody who bore it after the message was written: of several it is nobody's.
WITH bearing AS (
    SELECT source, username, account_id, gone_at AS until
    FROM staging.accounts

    UNION ALL

    SELECT
        source, username, account_id,
        lead(seen_at) OVER (PARTITION BY source, account_id ORDER BY seen_at) AS until
    FROM staging.account_versions
    QUALIFY until IS NOT NULL
),

borne AS (
    SELECT source, username, account_id, max(coalesce(until, 'infinity'::TIMESTAMP)) AS until
    FROM bearing
    GROUP BY ALL
),

-- Since when the last to bear a name alone bore it.
names AS (
    SELECT
        source, username, account_id,
        lead(until, 1, '-infinity'::TIMESTAMP) OVER (PARTITION BY source, username ORDER BY until DESC, account_id ASC)
            AS since
    FROM borne
    QUALIFY row_number() OVER (PARTITION BY source, username ORDER BY until DESC, account_id ASC) = 1
),

emojis AS (
    SELECT DISTINCT source, message_id, account_id
    FROM staging.reactions
    WHERE emoji <> 'like' AND coalesce(created_at <= as_of(), TRUE)
),

given AS (
    SELECT
        r.source,
        r.message_id,
        person_id(r.source, coalesce(r.account_id, n.account_id)) AS person_id,
        r.emoji,
        r.created_at,
        has_ended(r.removed_at) AS is_removed
    FROM staging.reactions AS r
    INNER JOIN marts.messages AS m ON r.source = m.source AND r.message_id = m.message_id
    LEFT JOIN names AS n
        ON r.source = n.source AND r.username = n.username AND m.created_at >= n.since
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
