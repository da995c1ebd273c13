WITH beginnings AS (
    SELECT m.*, a.message_id IS NOT NULL AS is_by_newcomer
    FROM marts.messages AS m
    LEFT JOIN marts.arrivals AS a ON m.source = a.source AND m.message_id = a.message_id
    WHERE m.is_first
),

-- Most threads are a beginning and nothing else; only the others need counting.
talks AS (
    SELECT m.*
    FROM marts.messages AS m
    SEMI JOIN marts.messages AS r ON m.source = r.source AND m.thread_id = r.thread_id AND NOT r.is_first
),

inside AS (
    SELECT
        source, thread_id,
        count(*) FILTER (is_countable) AS messages,
        count(DISTINCT person_id) FILTER (is_countable AND is_human) AS people,
        max(created_at) FILTER (is_countable) AS last_message_at,
        arg_max_null(person_id, (created_at, message_id)) FILTER (
            is_countable AND is_human AND NOT is_first
        ) AS last_replier_id
    FROM talks
    GROUP BY ALL
),

answers AS (
    SELECT
        l.source, l.thread_id,
        min(l.created_at) AS first_response_at,
        arg_min(l.rule, (l.created_at, l.message_id, l.rule)) AS first_response_rule,
        arg_min_null(m.person_id, (l.created_at, l.message_id)) AS first_response_by,
        min(l.created_at) FILTER (m.is_staff) AS first_staff_response_at
    FROM marts.links AS l
    INNER JOIN marts.messages AS m ON l.source = m.source AND l.message_id = m.message_id
    GROUP BY ALL
),

bots AS (
    SELECT m.source, m.thread_id, min(m.created_at) AS first_bot_response_at
    FROM marts.messages AS m
    INNER JOIN staging.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id
    WHERE
        m.is_countable AND NOT m.is_human AND NOT m.is_first
        AND m.person_id IS DISTINCT FROM person_id(t.source, t.account_id)
    GROUP BY ALL
),

solved AS (
    SELECT
        s.source, s.thread_id,
        min(s.accepted_at) AS solved_at,
        bool_and(coalesce(m.person_id = person_id(t.source, t.account_id), FALSE)) AS is_solved_by_author
    FROM staging.solutions AS s
    INNER JOIN staging.threads AS t ON s.source = t.source AND s.thread_id = t.thread_id
    INNER JOIN marts.messages AS m
        ON s.source = m.source AND s.message_id = m.message_id AND NOT m.is_private AND NOT m.is_deleted
    WHERE is_accepted(s.accepted_at, s.gone_at)
    GROUP BY ALL
),

-- By category: what describes it.
notices AS (
    SELECT DISTINCT source, about_thread_id AS thread_id
    FROM staging.channels
),

begun AS (
    SELECT *, person_id(source, account_id) AS person_id
    FROM staging.threads
    WHERE created_at <= as_of()
)

SELECT
    t.source,
    t.thread_id,
    t.channel_id,
    t.person_id,
    t.created_at,
    local_day(t.created_at) AS created_day,
    b.is_human AS is_by_human,
    b.is_by_newcomer,
    b.is_private,
    has_ended(coalesce(t.deleted_at, t.gone_at)) AS is_deleted,
    t.is_closed,
    t.is_announcement OR NOT t.is_listed OR n.thread_id IS NOT NULL AS is_notice,
    b.is_countable AND NOT has_ended(coalesce(t.deleted_at, t.gone_at)) AS is_countable,
    coalesce(i.messages, b.is_countable::BIGINT) AS messages,
    coalesce(i.people, (b.is_countable AND b.is_human AND b.person_id IS NOT NULL)::BIGINT) AS people,
    t.views,
    a.first_response_at,
    a.first_response_rule,
    a.first_response_by,
    a.first_staff_response_at,
    o.first_bot_response_at,
    CASE
        WHEN a.first_response_at IS NOT NULL THEN greatest(hours_between(t.created_at, a.first_response_at), 0)
    END AS time_to_first_response_h,
    a.first_response_at IS NOT NULL AS has_response,
    coalesce(i.last_message_at, CASE WHEN b.is_countable THEN b.created_at END) AS last_message_at,
    coalesce(i.last_replier_id = t.person_id, FALSE) AS is_author_last,
    s.thread_id IS NOT NULL AS is_solved,
    coalesce(s.is_solved_by_author, FALSE) AS is_solved_by_author,
    s.solved_at
FROM begun AS t
INNER JOIN beginnings AS b ON t.source = b.source AND t.thread_id = b.thread_id
LEFT JOIN notices AS n ON t.source = n.source AND t.thread_id = n.thread_id
LEFT JOIN inside AS i ON t.source = i.source AND t.thread_id = i.thread_id
LEFT JOIN answers AS a ON t.source = a.source AND t.thread_id = a.thread_id
LEFT JOIN bots AS o ON t.source = o.source AND t.thread_id = o.thread_id
LEFT JOIN solved AS s ON t.source = s.source AND t.thread_id = s.thread_id
