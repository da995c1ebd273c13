-- What was written, with what surrounds it, as those who judge see it.
WITH thanked AS (
    SELECT r.source, r.message_id, list_sort(list(DISTINCT r.person_id)) AS thanked_by
    FROM marts.reactions AS r
    WHERE NOT r.is_removed AND r.person_id IS NOT NULL AND is_thanks(r.emoji)
    GROUP BY r.source, r.message_id
),

accepted AS (
    SELECT DISTINCT source, message_id
    FROM staging.solutions
    WHERE gone_at IS NULL
)

SELECT
    w.source,
    w.message_id,
    w.thread_id,
    w.channel_id,
    w.person_id,
    w.created_at,
    w.is_human,
    w.is_first,
    w.body,
    w.form,
    w.is_chat,
    w.settled_at,
    w.deleted_at,
    w.body_hash,
    w.title,
    c.name AS channel,
    p.message_id AS reply_to,
    a.username,
    coalesce(h.thanked_by, []) AS thanked_by,
    k.message_id IS NOT NULL AS is_accepted
FROM marts.wordings AS w
LEFT JOIN staging.channels AS c ON w.source = c.source AND w.channel_id = c.channel_id
LEFT JOIN staging.accounts AS a ON w.source = a.source AND w.account_id = a.account_id
LEFT JOIN staging.messages AS p
    ON w.source = p.source AND w.thread_id = p.thread_id AND w.answered_position = p.position
LEFT JOIN thanked AS h ON w.source = h.source AND w.message_id = h.message_id
LEFT JOIN accepted AS k ON w.source = k.source AND w.message_id = k.message_id
