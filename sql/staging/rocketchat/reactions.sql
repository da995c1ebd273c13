-- Reactions name people by user name and carry no time; whoever was renamed since keeps the old name there.
-- Who gave two forms of one emoji (:+1: and :thumbsup:, two skin tones) gave it once.
WITH emojis AS (
    SELECT
        source,
        record,
        key AS message_id,
        payload,
        unnest(json_keys(payload -> 'reactions')) AS emoji
    FROM raw.changed
    WHERE
        platform = 'rocketchat' AND stream = 'messages' AND json_type(payload -> 'reactions') = 'OBJECT'
        AND gone_at IS NULL
)

SELECT DISTINCT
    source,
    record,
    message_id,
    NULL AS account_id,
    unnest(
        (payload -> 'reactions' -> emoji ->> '$.usernames[*]')::VARCHAR[]
    ) AS username,
    one_emoji(regexp_replace(emoji, '_tone[1-5]:$', ':')) AS emoji,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS removed_at
FROM emojis
