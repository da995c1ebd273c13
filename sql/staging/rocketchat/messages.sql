-- A truthy t is a system message, but for e2e (encrypted) and rm (the stub of a deleted message). The words
-- that go with an uploaded file stand in its attachment, or in msg, by the server's version. A stub's
-- editedAt is when it was deleted. Ids are any text: imported messages have dashes in theirs. Whoever is
-- called by @all, @here or a team's name is no account.
SELECT
    source,
    record,
    key AS message_id,
    coalesce(payload ->> 'tmid', key) AS thread_id,
    container AS channel_id,
    chat_author(payload) AS account_id,
    CASE coalesce(payload ->> 't', '')
        WHEN '' THEN 'regular'
        WHEN 'rm' THEN 'regular'
        WHEN 'e2e' THEN 'encrypted'
        ELSE 'system'
    END AS kind,
    NULL::INTEGER AS position,
    NULL AS reply_to,
    utc(payload ->> 'ts') AS created_at,
    CASE WHEN coalesce(payload ->> 't', '') <> 'rm' THEN utc(payload ->> 'editedAt') END AS edited_at,
    CASE WHEN (payload ->> 't') = 'rm' THEN coalesce(utc(payload ->> 'editedAt'), first_seen_at) END AS deleted_at,
    gone_at,
    FALSE AS is_hidden,
    (payload ->> 'bot') IS NOT NULL AS is_automatic,
    0 AS likes,
    CASE WHEN (payload ->> 't') = 'e2e' THEN NULL ELSE chat_text(payload) END AS body,
    CASE
        WHEN (payload ->> 't') = 'e2e' THEN 0
        ELSE coalesce((payload ->> 'let_go')::BIGINT, length(chat_text(payload)), 0)
    END AS characters,
    'markdown' AS form,
    hash_of(form, body) AS body_hash,
    list_transform(
        list_filter(
            json_extract(payload, '$.mentions[*]'),
            LAMBDA who: (who ->> '_id') NOT IN ('all', 'here') AND coalesce(who ->> 'type', 'user') = 'user'
        ),
        LAMBDA who: who ->> '_id'
    ) AS mentioned_accounts,
    list_filter(
        list_transform(
            payload ->> '$.attachments[*].message_link',
            LAMBDA link: regexp_extract(link, '[?&]msg=([^&#]+)', 1)
        ),
        LAMBDA id: id <> ''
    ) AS quoted_messages,
    NULL AS url
FROM raw.changed
WHERE
    platform = 'rocketchat' AND stream = 'messages' AND payload IS NOT NULL
    AND NOT coalesce(flag(payload ->> '_hidden'), FALSE)
