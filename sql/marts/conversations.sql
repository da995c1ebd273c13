-- Whole conversations with what the judges said of each message. A view: it stores no text a second time.
-- Who stands in one is chosen before anything else is joined, or DuckDB would join all that was ever said.
WITH said AS MATERIALIZED (
    SELECT
        t.source,
        t.thread_id,
        t.message_id,
        t.is_inside,
        w.thread_id AS own_thread_id,
        w.channel_id,
        w.person_id,
        w.account_id,
        w.created_at,
        w.is_human,
        w.is_first AND t.is_inside AS is_first,
        w.is_chat,
        w.body,
        w.form,
        w.title,
        w.answered_position
    FROM marts.turns AS t
    INNER JOIN marts.wordings AS w ON t.source = w.source AND t.message_id = w.message_id
),

judged AS (
    SELECT j.source, j.message_id, to_json(list_sort(list(j))) AS scores
    FROM judgement.scores AS j
    SEMI JOIN said AS s ON j.source = s.source AND j.message_id = s.message_id
    GROUP BY j.source, j.message_id
),

thanked AS (
    SELECT r.source, r.message_id, list_sort(list(DISTINCT r.person_id)) AS thanked_by
    FROM marts.reactions AS r
    SEMI JOIN said AS s ON r.source = s.source AND r.message_id = s.message_id
    WHERE is_somebodys_thanks(r.emoji, r.person_id, r.is_removed)
    GROUP BY r.source, r.message_id
),

-- What a message quotes in a flat channel; of several, any.
quoted AS (
    SELECT k.source, k.message_id, max(k.thread_id) AS quoted_id
    FROM marts.links AS k
    SEMI JOIN said AS s ON k.source = s.source AND k.message_id = s.message_id
    WHERE k.rule = 'quote'
    GROUP BY k.source, k.message_id
),

accepted AS (
    SELECT DISTINCT source, message_id
    FROM staging.solutions
    WHERE is_accepted(accepted_at, gone_at)
)

SELECT
    s.source,
    s.thread_id,
    s.message_id,
    s.channel_id,
    s.person_id,
    s.created_at,
    s.is_human,
    s.is_first,
    s.is_inside,
    s.is_chat,
    s.body,
    s.form,
    s.title,
    c.name AS channel,
    coalesce(p.message_id, l.thread_id, q.quoted_id) AS reply_to,
    a.username,
    coalesce(h.thanked_by, []) AS thanked_by,
    k.message_id IS NOT NULL AS is_accepted,
    coalesce(j.scores, '[]'::JSON) AS scores,
    coalesce(t.is_notice, FALSE) AS is_notice
FROM said AS s
LEFT JOIN staging.channels AS c ON s.source = c.source AND s.channel_id = c.channel_id
LEFT JOIN marts.threads AS t ON s.is_first AND s.source = t.source AND s.thread_id = t.thread_id
LEFT JOIN staging.accounts AS a ON s.source = a.source AND s.account_id = a.account_id
LEFT JOIN staging.messages AS p
    ON s.source = p.source AND s.own_thread_id = p.thread_id AND s.answered_position = p.position
LEFT JOIN marts.links AS l
    ON s.source = l.source AND s.thread_id = l.thread_id AND s.message_id = l.message_id AND l.rule = 'quote'
LEFT JOIN quoted AS q ON s.source = q.source AND s.message_id = q.message_id
LEFT JOIN thanked AS h ON s.source = h.source AND s.message_id = h.message_id
LEFT JOIN accepted AS k ON s.source = k.source AND s.message_id = k.message_id
LEFT JOIN judged AS j ON s.source = j.source AND s.message_id = j.message_id
