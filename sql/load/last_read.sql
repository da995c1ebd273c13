-- When the newest whole read of a stream began and ended, µs since 1970; 0 where there was none.
SELECT
    coalesce(max(started_at), 0) AS started,
    coalesce(arg_max(started_at + cast(seconds * 1e6 AS BIGINT), started_at), 0) AS ended
FROM raw.reads
WHERE source = $source AND list_contains(streams, $stream) AND unavailable IS NULL;
