-- A like is a post action of type 2; taken back, its row stays with deleted_at.
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
