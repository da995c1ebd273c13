WITH topics AS (
    SELECT *, created_at::DATE AS day
    FROM staging.threads
    WHERE holds_messages AND NOT coalesce(is_private, FALSE) AND created_at <= as_of()
),

standing AS (
    SELECT *
    FROM topics
    WHERE deleted_at IS NULL AND gone_at IS NULL
),

posts AS (
    SELECT m.source, m.thread_id, m.account_id, m.position, m.created_at, m.created_at::DATE AS day
    FROM staging.messages AS m
    INNER JOIN topics AS t ON m.source = t.source AND m.thread_id = t.thread_id
    WHERE m.kind = 'regular' AND m.deleted_at IS NULL AND m.gone_at IS NULL AND m.created_at <= as_of()
),

likes AS (
    SELECT source, account_id, created_at::DATE AS day, removed_at IS NULL AS is_standing
    FROM staging.reactions
    WHERE emoji = 'like' AND created_at <= as_of()
),

replies AS (
    SELECT
        t.source, t.thread_id,
        min(p.created_at) FILTER (p.created_at > t.created_at AND p.position > 1) AS first_at,
        coalesce(min(p.position) < 2, TRUE) AS is_unanswered,
        any_value(t.day) AS day,
        any_value(t.created_at) AS created_at
    FROM standing AS t
    LEFT JOIN posts AS p
        ON t.source = p.source AND t.thread_id = p.thread_id AND t.account_id <> p.account_id
    GROUP BY t.source, t.thread_id
),

first_posts AS (
    SELECT p.source, min(p.day) AS day
    FROM posts AS p
    INNER JOIN standing AS t ON p.source = t.source AND p.thread_id = t.thread_id
    INNER JOIN staging.accounts AS a ON p.source = a.source AND p.account_id = a.account_id
    WHERE NOT a.is_bot AND a.gone_at IS NULL
    GROUP BY p.source, p.account_id
),

-- The forum notes that somebody began a topic or replied, in whatever kind of post; its note of a reply
-- goes with the post, that of a topic stays when the topic is deleted.
engaged AS (
    SELECT source, account_id, day FROM topics WHERE account_id IS NOT NULL
    UNION
    SELECT m.source, m.account_id, m.created_at::DATE AS day
    FROM staging.messages AS m
    SEMI JOIN topics AS t ON m.source = t.source AND m.thread_id = t.thread_id
    WHERE m.position > 1 AND m.deleted_at IS NULL AND m.gone_at IS NULL AND m.created_at <= as_of()
    UNION
    SELECT source, account_id, day FROM likes WHERE is_standing
),

solved AS (
    SELECT s.source, s.accepted_at::DATE AS day
    FROM staging.solutions AS s
    INNER JOIN standing AS t ON s.source = t.source AND s.thread_id = t.thread_id
    WHERE s.gone_at IS NULL AND s.accepted_at <= as_of()
),

counted AS (
    SELECT source, day, 'topics' AS report, count(*)::DOUBLE AS value FROM standing GROUP BY ALL
    UNION ALL
    SELECT p.source, p.day, 'posts' AS report, count(*) AS value
    FROM posts AS p SEMI JOIN standing AS t ON p.source = t.source AND p.thread_id = t.thread_id GROUP BY ALL
    UNION ALL
    SELECT source, day, 'likes' AS report, count(*) AS value FROM likes GROUP BY ALL
    UNION ALL
    SELECT source, created_at::DATE AS day, 'signups' AS report, count(*) AS value
    FROM staging.accounts
    WHERE NOT is_bot AND gone_at IS NULL AND created_at <= as_of() AND source IN (SELECT t.source FROM topics AS t)
    GROUP BY ALL
    UNION ALL
    SELECT source, day, 'topics_with_no_response' AS report, count(*) AS value
    FROM replies WHERE is_unanswered GROUP BY ALL
    UNION ALL
    SELECT source, day, 'time_to_first_response' AS report, avg(waited_h ORDER BY waited_h) AS value
    FROM (SELECT *, hours_between(created_at, first_at) AS waited_h FROM replies) AS answered
    WHERE waited_h IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT source, day, 'daily_engaged_users' AS report, count(DISTINCT account_id) AS value FROM engaged GROUP BY ALL
    UNION ALL
    SELECT source, day, 'new_contributors' AS report, count(*) AS value FROM first_posts GROUP BY ALL
    UNION ALL
    SELECT source, day, 'accepted_solutions' AS report, count(*) AS value FROM solved GROUP BY ALL
    UNION ALL
    SELECT source, day, 'visits' AS report, visitors AS value FROM staging.visits WHERE day <= as_of()
)

SELECT source, report, day, value
FROM counted
