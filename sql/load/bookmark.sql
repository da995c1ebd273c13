-- What is held of one stream, for the next extraction.
SELECT
    container,
    key,
    "at",
    mark,
    gone_at IS NOT NULL AS gone,
    seen_at
FROM raw.records
WHERE source = $source AND stream = $stream
