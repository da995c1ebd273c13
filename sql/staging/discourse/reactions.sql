-- A like is a post action of type 2; taken back, its row stays with deleted_at. An emoji of the Reactions
-- plugin other than its heart has a row of its own, beside a like or, where it counts as none, without; taken
-- back and given again it is another row.
SELECT
    source,
    record,
    payload ->> 'post_id' AS message_id,
    payload ->> 'user_id' AS account_id,
    'like' AS emoji,
    discourse_at(payload, 'created') AS created_at,
    coalesce(discourse_at(payload, 'deleted'), gone_at) AS removed_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'likes' AND payload IS NOT NULL

UNION ALL

SELECT
    source,
    record,
    payload ->> 'post_id' AS message_id,
    payload ->> 'user_id' AS account_id,
    ':' || (payload ->> 'reaction_value') || ':' AS emoji,
    discourse_at(payload, 'created') AS created_at,
    NULL::TIMESTAMP AS removed_at
FROM raw.changed
WHERE
    platform = 'discourse' AND stream = 'reactions' AND payload IS NOT NULL AND gone_at IS NULL
    AND (payload ->> 'reaction_value') IS NOT NULL
