-- Titles and channels as revisions tell them and as nights saw them, in the order of time. What a moment does
-- not tell stays as it was; before the first of all it was what that one changed. A night's clock is not the
-- source's: what it saw within an hour after a change and as before it was seen before it.
WITH revised AS (
    SELECT c.* EXCLUDE (record, message_id), m.thread_id
    FROM staging.thread_changes AS c
    INNER JOIN marts.messages AS m ON c.source = m.source AND c.message_id = m.message_id AND m.is_first
),

changed AS (
    SELECT *
    FROM revised
    WHERE has_ended(changed_at)
),

seen AS (
    SELECT *
    FROM staging.thread_versions AS s
    WHERE has_ended(s.seen_at) AND NOT EXISTS (
        FROM changed AS c
        WHERE
            s.source = c.source AND s.thread_id = c.thread_id
            AND s.seen_at >= c.changed_at AND s.seen_at < c.changed_at + INTERVAL 1 HOUR
            AND (s.title = c.title_before OR s.channel_id = c.channel_before)
    )
),

told AS (
    SELECT source, thread_id, seen_at AS told_at, FALSE AS is_change, struct_pack(value := title) AS title, struct_pack(value := channel_id) AS channel
    FROM seen

    UNION ALL

    SELECT
        source, thread_id, changed_at AS told_at, TRUE AS is_change,
        CASE WHEN title IS NOT NULL THEN struct_pack(value := title) END AS title,
        CASE WHEN channel_id IS NOT NULL THEN struct_pack(value := channel_id) END AS channel
    FROM changed
),

-- What is first known of a thread holds for all time before, also where the build speaks of that time.
first_changes AS (
    SELECT
        source, thread_id,
        arg_min(struct_pack(value := title_before), changed_at) FILTER (title IS NOT NULL) AS title,
        arg_min(struct_pack(value := channel_before), changed_at) FILTER (channel_id IS NOT NULL) AS channel
    FROM revised
    GROUP BY ALL
),

first_seen AS (
    SELECT
        source, thread_id,
        arg_min(struct_pack(value := title), seen_at) AS title,
        arg_min(struct_pack(value := channel_id), seen_at) AS channel
    FROM staging.thread_versions
    GROUP BY ALL
),

beginnings AS (
    SELECT
        t.source, t.thread_id, t.created_at AS told_at, FALSE AS is_change,
        coalesce(f.title, o.title) AS title,
        coalesce(f.channel, o.channel) AS channel
    FROM marts.threads AS t
    LEFT JOIN first_changes AS f ON t.source = f.source AND t.thread_id = f.thread_id
    LEFT JOIN first_seen AS o ON t.source = o.source AND t.thread_id = o.thread_id
    WHERE NOT t.is_private AND NOT t.is_deleted AND (f.thread_id IS NOT NULL OR o.thread_id IS NOT NULL)
),

everything AS (
    FROM beginnings
    UNION ALL
    FROM told
),

states AS (
    SELECT
        o.source, o.thread_id, o.told_at, o.is_change,
        last_value(o.title IGNORE NULLS) OVER so_far AS title,
        last_value(o.channel IGNORE NULLS) OVER so_far AS channel
    FROM everything AS o
    WINDOW so_far AS (PARTITION BY o.source, o.thread_id ORDER BY o.told_at, o.is_change)
    QUALIFY o.told_at IS DISTINCT FROM lead(o.told_at) OVER so_far
),

turns AS (
    SELECT *, lag(told_at) OVER so_far AS before_at
    FROM states
    WINDOW so_far AS (PARTITION BY source, thread_id ORDER BY told_at)
    QUALIFY
        before_at IS NULL
        OR title IS DISTINCT FROM lag(title) OVER so_far OR channel IS DISTINCT FROM lag(channel) OVER so_far
)

SELECT
    u.source,
    u.thread_id,
    u.channel.value AS channel_id,
    u.title.value AS title,
    u.told_at AS valid_from,
    lead(u.told_at) OVER so_far AS valid_to,
    u.before_at IS NULL AND NOT coalesce(lead(u.is_change) OVER so_far, FALSE) AS is_first_seen
FROM turns AS u
SEMI JOIN beginnings AS b ON u.source = b.source AND u.thread_id = b.thread_id
WINDOW so_far AS (PARTITION BY u.source, u.thread_id ORDER BY u.told_at)
