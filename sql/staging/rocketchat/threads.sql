-- Every message that answers no thread is the root of one, with or without replies. Messages with a
-- system type (t) start none, except encrypted ones and the stub (rm) a deleted root leaves behind.
SELECT
    source,
    record,
    key AS thread_id,
    container AS channel_id,
    chat_author(payload) AS account_id,
    NULL AS title,
    utc(payload ->> 'ts') AS created_at,
    FALSE AS is_private,
    TRUE AS is_listed,
    FALSE AS is_closed,
    FALSE AS is_announcement,
    NULL::BIGINT AS views,
    CASE WHEN (payload ->> 't') = 'rm' THEN utc(payload ->> 'editedAt') END AS deleted_at,
    gone_at,
    FALSE AS holds_messages,
    NULL AS url
FROM raw.changed
WHERE
    platform = 'rocketchat' AND stream = 'messages' AND payload IS NOT NULL
    AND (payload ->> 'tmid') IS NULL
    AND coalesce(nullif(payload ->> 't', ''), 'e2e') IN ('e2e', 'rm')
    AND NOT coalesce(flag(payload ->> '_hidden'), FALSE)
