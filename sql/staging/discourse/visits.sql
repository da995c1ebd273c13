SELECT
    source,
    record,
    (payload ->> 'visited_on')::DATE AS day,
    (payload ->> 'visits')::BIGINT AS visitors
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'visits' AND gone_at IS NULL
