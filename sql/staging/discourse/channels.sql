SELECT
    source,
    record,
    key AS channel_id,
    payload ->> 'name' AS name,
    'category' AS kind,
    nullif(payload ->> 'parent_category_id', '') AS parent_id,
    coalesce(flag(payload ->> 'read_restricted'), FALSE) AS is_private,
    NULL AS team_id,
    FALSE AS is_team_main,
    gone_at,
    NULL AS message_url
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'categories' AND payload IS NOT NULL
