-- Of the chat only channels of readable categories are read, so one that is gone stands in a category that
-- was deleted or made private.
SELECT
    source,
    record,
    key AS channel_id,
    payload ->> 'name' AS name,
    coalesce(payload ->> 'topic_id', nullif(regexp_extract(payload ->> 'topic_url', '(\d+)$', 1), '')) AS about_thread_id,
    'category' AS kind,
    nullif(payload ->> 'parent_category_id', '') AS parent_id,
    coalesce(flag(payload ->> 'read_restricted'), FALSE) AS is_private,
    NULL AS team_id,
    FALSE AS is_team_main,
    gone_at,
    NULL AS message_url
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'categories' AND payload IS NOT NULL

UNION ALL

SELECT
    source,
    record,
    'chat:' || key AS channel_id,
    payload ->> 'title' AS name,
    NULL AS about_thread_id,
    'room' AS kind,
    payload ->> 'chatable_id' AS parent_id,
    gone_at IS NOT NULL OR coalesce(flag(payload ->> 'read_restricted'), TRUE) AS is_private,
    NULL AS team_id,
    FALSE AS is_team_main,
    coalesce(gone_at, discourse_at(payload, 'deleted')) AS gone_at,
    NULL AS message_url
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'chat_channels' AND payload IS NOT NULL
