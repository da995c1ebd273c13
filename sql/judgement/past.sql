-- Conversations in which something was said since a moment, or within their time before it, with what befell each
-- message and when: as marts.conversations has them, but deleted messages too.
WITH recent AS (
    SELECT source, thread_id
    FROM marts.messages
    GROUP BY ALL
    HAVING max(created_at) >= $since::TIMESTAMP - conversation_lasts()
),

said AS MATERIALIZED (
    SELECT
        w.* EXCLUDE (thread_id, is_first),
        w.thread_id AS own_thread_id,
        p.thread_id,
        p.is_inside,
        w.is_first AND p.is_inside AS is_first
    FROM marts.placements AS p
    INNER JOIN recent AS l ON p.source = l.source AND p.thread_id = l.thread_id
    INNER JOIN marts.wordings AS w ON p.source = w.source AND p.message_id = w.message_id
),

-- What a message quotes in a flat channel; of several, any.
quoted AS (
    SELECT source, message_id, max(thread_id) AS quoted_id
    FROM marts.links
    WHERE rule = 'quote'
    GROUP BY ALL
),

accepted AS (
    SELECT source, message_id, min(coalesce(accepted_at, make_timestamp(0))) AS accepted_at
    FROM staging.solutions
    WHERE gone_at IS NULL
    GROUP BY ALL
),

thanked AS (
    SELECT source, message_id, list({ 'who': person_id, 'at': created_at }) AS thanks
    FROM marts.reactions
    WHERE is_somebodys_thanks(emoji, person_id, is_removed)
    GROUP BY ALL
)

SELECT
    s.*,
    coalesce(t.is_notice, FALSE) AS is_notice,
    c.name AS channel,
    coalesce(o.message_id, l.thread_id, q.quoted_id) AS reply_to,
    a.username,
    k.accepted_at,
    coalesce(h.thanks, []) AS thanks
FROM said AS s
LEFT JOIN staging.channels AS c ON s.source = c.source AND s.channel_id = c.channel_id
LEFT JOIN marts.threads AS t ON s.is_first AND s.source = t.source AND s.thread_id = t.thread_id
LEFT JOIN staging.accounts AS a ON s.source = a.source AND s.account_id = a.account_id
LEFT JOIN staging.messages AS o
    ON s.source = o.source AND s.own_thread_id = o.thread_id AND s.answered_position = o.position
LEFT JOIN marts.links AS l
    ON s.source = l.source AND s.thread_id = l.thread_id AND s.message_id = l.message_id AND l.rule = 'quote'
LEFT JOIN quoted AS q ON s.source = q.source AND s.message_id = q.message_id
LEFT JOIN accepted AS k ON s.source = k.source AND s.message_id = k.message_id
LEFT JOIN thanked AS h ON s.source = h.source AND s.message_id = h.message_id
ORDER BY s.source, s.thread_id, s.created_at, s.message_id
