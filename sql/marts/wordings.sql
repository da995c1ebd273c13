-- What was written in public places, deleted messages too: the past had them. A view: it stores no text
-- a second time.
SELECT
    m.source,
    m.message_id,
    m.thread_id,
    m.channel_id,
    m.person_id,
    s.account_id,
    m.created_at,
    m.is_human,
    m.is_first,
    s.body,
    s.form,
    s.position IS NULL AS is_chat,
    try_cast(s.reply_to AS INTEGER) AS answered_position,
    coalesce(m.edited_at, m.created_at) AS settled_at,
    m.deleted_at,
    coalesce(CASE WHEN m.is_first THEN hash_of(s.body_hash, t.title) END, s.body_hash) AS body_hash,
    CASE WHEN m.is_first THEN t.title END AS title
FROM marts.messages AS m
INNER JOIN staging.messages AS s ON m.source = s.source AND m.message_id = s.message_id
LEFT JOIN staging.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id
WHERE m.kind = 'regular' AND NOT m.is_private AND s.body IS NOT NULL
