SELECT
    source,
    record,
    key AS thread_id,
    seen_at,
    state ->> 'title' AS title,
    nullif(state ->> 'category_id', '') AS channel_id
FROM raw.changed_versions
WHERE platform = 'discourse' AND stream = 'topics'
