-- Messages as those who judge see them, deleted ones too: the past had them. A view: it stores no
-- text a second time.
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
    m.source,
    m.message_id,
    m.thread_id,
    m.channel_id,
    m.person_id,
    m.created_at,
    m.is_human,
    m.is_first,
    s.body,
    s.form,
    s.position IS NULL AS is_chat,
    coalesce(m.edited_at, m.created_at) AS settled_at,
    m.deleted_at,
    md5(concat_ws(chr(31), s.form, s.body, CASE WHEN m.is_first THEN t.title END)) AS body_hash,
    CASE WHEN m.is_first THEN t.title END AS title,
    c.name AS channel,
    p.message_id AS reply_to,
    a.username,
    coalesce(h.thanked_by, []) AS thanked_by,
    k.message_id IS NOT NULL AS is_accepted
FROM marts.messages AS m
INNER JOIN staging.messages AS s ON m.source = s.source AND m.message_id = s.message_id
LEFT JOIN staging.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id
LEFT JOIN staging.channels AS c ON m.source = c.source AND m.channel_id = c.channel_id
LEFT JOIN staging.accounts AS a ON s.source = a.source AND s.account_id = a.account_id
LEFT JOIN staging.messages AS p
    ON s.source = p.source AND s.thread_id = p.thread_id AND try_cast(s.reply_to AS INTEGER) = p.position
LEFT JOIN thanked AS h ON m.source = h.source AND m.message_id = h.message_id
LEFT JOIN accepted AS k ON m.source = k.source AND m.message_id = k.message_id
WHERE m.kind = 'regular' AND NOT m.is_private AND s.body IS NOT NULL
