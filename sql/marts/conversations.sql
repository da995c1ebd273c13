-- Whole conversations with what the judges said of each message: the messages of a thread, and those
-- that answer it from outside in a flat channel. Only threads with a message of the last 90 days.
WITH lively AS (
    SELECT t.source, t.thread_id
    FROM marts.threads AS t
    WHERE t.is_countable AND t.last_message_at >= (SELECT max(b.as_of) FROM raw.builds AS b) - INTERVAL 90 DAYS
),

placed AS (
    SELECT l.source, l.thread_id, m.message_id, TRUE AS is_inside
    FROM lively AS l
    INNER JOIN marts.messages AS m ON l.source = m.source AND l.thread_id = m.thread_id
    WHERE m.is_countable

    UNION

    SELECT l.source, l.thread_id, k.message_id, FALSE AS is_inside
    FROM lively AS l
    INNER JOIN marts.links AS k ON l.source = k.source AND l.thread_id = k.thread_id
    INNER JOIN marts.messages AS m ON k.source = m.source AND k.message_id = m.message_id
    WHERE m.thread_id <> k.thread_id
),

judged AS (
    SELECT j.source, j.message_id, to_json(list_sort(list(j))) AS scores
    FROM judgement.scores AS j
    SEMI JOIN placed AS p ON j.source = p.source AND j.message_id = p.message_id
    GROUP BY j.source, j.message_id
)

SELECT
    p.source,
    p.thread_id,
    s.message_id,
    s.channel_id,
    s.person_id,
    s.created_at,
    s.is_human,
    s.is_first AND p.is_inside AS is_first,
    p.is_inside,
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
FROM placed AS p
INNER JOIN marts.statements AS s ON p.source = s.source AND p.message_id = s.message_id
LEFT JOIN judged AS j ON p.source = j.source AND p.message_id = j.message_id
