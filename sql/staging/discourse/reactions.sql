-- A like is a post action of type 2; taken back, its row stays with deleted_at. An emoji of the Reactions
-- plugin other than its heart has a row of its own, beside a like or, where it counts as none, without; taken
-- back and given again it is another row; and so it is in the chat, where what expires with its message was not
-- taken back. A like that turned out to be of a private post keeps nothing that was told of it.
SELECT
    source,
    record,
    payload ->> 'post_id' AS message_id,
    payload ->> 'user_id' AS account_id,
    'like' AS emoji,
    discourse_at(payload, 'created') AS created_at,
    coalesce(discourse_at(payload, 'deleted'), gone_at) AS removed_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'likes' AND (payload ->> 'post_id') IS NOT NULL

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

UNION ALL

SELECT
    c.source,
    c.record,
    'chat:' || (c.payload ->> 'chat_message_id') AS message_id,
    c.payload ->> 'user_id' AS account_id,
    one_emoji(':' || regexp_replace(c.payload ->> 'emoji', ':t[1-6]$', '') || ':') AS emoji,
    discourse_at(c.payload, 'created') AS created_at,
    NULL::TIMESTAMP AS removed_at
FROM raw.changed AS c
LEFT JOIN raw.records AS m
    ON c.source = m.source AND m.stream = 'chat_messages' AND (c.payload ->> 'chat_message_id') = m.key
WHERE
    c.platform = 'discourse' AND c.stream = 'chat_message_reactions' AND (c.payload ->> 'emoji') IS NOT NULL
    AND (c.gone_at IS NULL OR c.gone_at > make_timestamp(m.gone_at) - INTERVAL 12 HOURS)
QUALIFY row_number() OVER (PARTITION BY c.source, message_id, account_id, emoji ORDER BY c.key DESC) = 1
