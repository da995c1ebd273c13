-- Whole conversations with what the judges said of each message. A view: it stores no text a second time.
WITH judged AS (
    SELECT j.source, j.message_id, to_json(list_sort(list(j))) AS scores
    FROM judgement.scores AS j
    SEMI JOIN marts.turns AS t ON j.source = t.source AND j.message_id = t.message_id
    GROUP BY j.source, j.message_id
)

SELECT
    t.source,
    t.thread_id,
    s.message_id,
    s.channel_id,
    s.person_id,
    s.created_at,
    s.is_human,
    s.is_first AND t.is_inside AS is_first,
    t.is_inside,
    s.is_chat,
    s.body,
    s.form,
    s.title,
    s.channel,
    s.reply_to,
    s.username,
    s.thanked_by,
    s.is_accepted,
    coalesce(j.scores, '[]'::JSON) AS scores
FROM marts.turns AS t
INNER JOIN marts.statements AS s ON t.source = s.source AND t.message_id = s.message_id
LEFT JOIN judged AS j ON t.source = j.source AND t.message_id = j.message_id
