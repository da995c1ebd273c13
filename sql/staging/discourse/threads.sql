-- By REST a topic list names its author only as the first poster, by a description in the forum's language,
-- unless that account is gone; a topic read names it outright. Who has another role in English is not the
-- author, nor is, in any language, who has no other role than having written last.
SELECT
    source,
    record,
    key AS thread_id,
    nullif(payload ->> 'category_id', '') AS channel_id,
    coalesce(
        payload ->> 'user_id',
        payload ->> '$.details.created_by.id',
        CASE
            WHEN NOT regexp_matches(
                coalesce(payload ->> '$.posters[0].description', ''), '^(Most Recent|Frequent|Accepted)'
            ) AND (coalesce(payload ->> '$.posters[0].extras', '') <> 'latest' OR regexp_matches(
                coalesce(payload ->> '$.posters[0].description', ','), '[,，、،]'
            )) THEN payload ->> '$.posters[0].user_id'
        END
    ) AS account_id,
    payload ->> 'title' AS title,
    discourse_at(payload, 'created') AS created_at,
    (payload ->> 'archetype') = 'private_message' AS is_private,
    coalesce(flag(payload ->> 'visible'), TRUE) AS is_listed,
    coalesce(flag(payload ->> 'closed'), FALSE) OR coalesce(flag(payload ->> 'archived'), FALSE) AS is_closed,
    coalesce(flag(payload ->> 'pinned_globally'), FALSE) OR coalesce(flag(payload ->> 'pinned'), FALSE)
    OR discourse_at(payload, 'pinned') IS NOT NULL OR (payload ->> 'archetype') = 'banner' AS is_announcement,
    try_cast(payload ->> 'views' AS BIGINT) AS views,
    discourse_at(payload, 'deleted') AS deleted_at,
    gone_at,
    TRUE AS holds_messages,
    url || '/t/' || key AS url
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'topics' AND payload IS NOT NULL

UNION ALL

SELECT
    source,
    record,
    message_id AS thread_id,
    channel_id,
    account_id,
    NULL AS title,
    created_at,
    FALSE AS is_private,
    TRUE AS is_listed,
    FALSE AS is_closed,
    FALSE AS is_announcement,
    NULL AS views,
    deleted_at,
    gone_at,
    FALSE AS holds_messages,
    NULL AS url
FROM raw.changed_chat
WHERE message_id = thread_id
