-- post_type: 1 regular, 2 moderator action, 3 small action (empty), 4 whisper. `version` counts edits from 1;
-- updated_at moves also when a post is hidden, so Data Explorer's time of the last version goes before it. A
-- post its author deleted says so until it is deleted for real a day later.
-- Accounts with ids below 1 are the system's and its bots', whom the forum's lists of accounts leave out.
SELECT
    source,
    record,
    key AS message_id,
    payload ->> 'topic_id' AS thread_id,
    NULL AS channel_id,
    payload ->> 'user_id' AS account_id,
    CASE payload ->> 'post_type'
        WHEN '1' THEN 'regular'
        WHEN '2' THEN 'moderator'
        WHEN '3' THEN 'system'
        WHEN '4' THEN 'whisper'
        ELSE 'unknown'
    END AS kind,
    try_cast(payload ->> 'post_number' AS INTEGER) AS position,
    payload ->> 'reply_to_post_number' AS reply_to,
    discourse_at(payload, 'created') AS created_at,
    CASE
        WHEN try_cast(coalesce(payload ->> 'public_version', payload ->> 'version') AS INTEGER) > 1
            THEN coalesce(discourse_at(payload, 'last_version'), discourse_at(payload, 'updated'))
    END AS edited_at,
    coalesce(
        discourse_at(payload, 'deleted'),
        CASE
            WHEN flag(payload ->> 'user_deleted')
                THEN coalesce(discourse_at(payload, 'last_version'), discourse_at(payload, 'updated'))
        END
    ) AS deleted_at,
    gone_at,
    coalesce(flag(payload ->> 'hidden'), FALSE) AS is_hidden,
    coalesce(flag(payload ->> 'is_auto_generated'), FALSE)
    OR coalesce(try_cast(payload ->> 'user_id' AS BIGINT) <= 0, FALSE) AS is_automatic,
    coalesce(
        try_cast(payload ->> 'like_count' AS INTEGER),
        list_sum(list_transform(
            list_filter(
                from_json(payload -> 'actions_summary', '[{"id":"INTEGER","count":"INTEGER"}]'),
                LAMBDA action: action.id = 2
            ),
            LAMBDA action: action.count
        ))::INTEGER,
        0
    ) AS likes,
    coalesce(payload ->> 'raw', payload ->> 'cooked') AS body,
    coalesce(length(coalesce(payload ->> 'raw', payload ->> 'cooked')), (payload ->> 'let_go')::BIGINT, 0) AS characters,
    CASE WHEN (payload ->> 'raw') IS NULL THEN 'html' ELSE 'markdown' END AS form,
    hash_of(form, body) AS body_hash,
    NULL::VARCHAR[] AS mentioned_accounts,
    NULL::VARCHAR[] AS quoted_messages,
    url || '/t/' || (payload ->> 'topic_id') || '/' || (payload ->> 'post_number') AS url
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'posts' AND payload IS NOT NULL

UNION ALL

SELECT
    source,
    record,
    message_id,
    thread_id,
    channel_id,
    account_id,
    'regular' AS kind,
    NULL AS position,
    NULL AS reply_to,
    created_at,
    discourse_at(payload, 'edited') AS edited_at,
    deleted_at,
    gone_at,
    FALSE AS is_hidden,
    coalesce(try_cast(account_id AS BIGINT) <= 0, FALSE) AS is_automatic,
    coalesce(list_sum((payload ->> '$.reactions[*].count')::INTEGER[]), 0)::INTEGER AS likes,
    CASE WHEN NOT has_expired THEN payload ->> 'message' END AS body,
    coalesce(length(payload ->> 'message'), (payload ->> 'let_go')::BIGINT, 0) AS characters,
    'markdown' AS form,
    hash_of(form, body) AS body_hash,
    CASE
        WHEN json_exists(payload, '$.mentioned_user_ids') THEN coalesce(payload ->> '$.mentioned_user_ids[*]', [])
    END AS mentioned_accounts,
    list_filter(['chat:' || (payload ->> 'in_reply_to_id')], LAMBDA id: id IS NOT NULL) AS quoted_messages,
    url || '/chat/c/-/' || (payload ->> 'chat_channel_id')
    || CASE WHEN message_id <> thread_id THEN '/t/' || (payload ->> 'thread_id') ELSE '' END
    || '/' || key AS url
FROM raw.changed_chat
