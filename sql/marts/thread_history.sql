WITH seen AS (
    SELECT
        *,
        lag(seen_at) OVER so_far AS before_at,
        lag(title) OVER so_far AS title_before,
        lag(channel_id) OVER so_far AS channel_before
    FROM staging.thread_versions
    WHERE has_ended(seen_at)
    WINDOW so_far AS (PARTITION BY source, thread_id ORDER BY seen_at)
)

SELECT
    s.source,
    s.thread_id,
    s.channel_id,
    s.title,
    CASE WHEN s.before_at IS NULL THEN t.created_at ELSE s.seen_at END AS valid_from,
    lead(s.seen_at) OVER (PARTITION BY s.source, s.thread_id ORDER BY s.seen_at) AS valid_to,
    s.before_at IS NULL AS is_first_seen
FROM seen AS s
INNER JOIN marts.threads AS t ON s.source = t.source AND s.thread_id = t.thread_id
WHERE
    NOT t.is_private AND NOT t.is_deleted
    AND (
        s.before_at IS NULL
        OR s.title IS DISTINCT FROM s.title_before
        OR s.channel_id IS DISTINCT FROM s.channel_before
    )
