-- Where a message's place is not known, it is taken for private: better not counted than told.
WITH reacted AS (
    SELECT source, message_id, count(*) AS reactions
    FROM staging.reactions
    WHERE removed_at IS NULL AND emoji <> 'like'
    GROUP BY ALL
),

-- Staff of that moment: whoever left keeps what they wrote as staff.
staff AS (
    SELECT
        source, account_id,
        coalesce(valid_from, '-infinity'::TIMESTAMP) AS since,
        coalesce(valid_to, 'infinity'::TIMESTAMP) AS until
    FROM staging.account_states
    WHERE is_staff
),

authors AS (
    SELECT
        w.source, w.account_id,
        person_id(w.source, w.account_id) AS person_id,
        coalesce(is_human(a.is_bot, a.is_staged, a.username), TRUE) AS is_human
    FROM (SELECT DISTINCT source, account_id FROM staging.messages) AS w
    LEFT JOIN staging.accounts AS a ON w.source = a.source AND w.account_id = a.account_id
),

-- Of a chat message its thread says nothing that it does not say itself.
placed AS (
    SELECT
        m.*,
        coalesce(m.channel_id, t.channel_id) AS place_id,
        coalesce(m.position = 1, m.message_id = m.thread_id) AS is_first,
        coalesce(t.is_private, FALSE) OR m.kind = 'whisper' AS is_in_private_thread,
        coalesce(m.deleted_at, m.gone_at, t.deleted_at, t.gone_at) AS ended_at
    FROM staging.messages AS m
    LEFT JOIN staging.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id AND t.holds_messages
    WHERE m.created_at <= as_of()
),

judged AS (
    SELECT
        p.*,
        a.person_id,
        has_ended(p.ended_at) AS is_deleted,
        p.is_in_private_thread OR coalesce(c.is_private, TRUE) AS is_private,
        coalesce(a.is_human, TRUE) AND NOT p.is_automatic AS is_human,
        s.account_id IS NOT NULL AS is_staff
    FROM placed AS p
    LEFT JOIN marts.channels AS c ON p.source = c.source AND p.place_id = c.channel_id
    LEFT JOIN authors AS a ON p.source = a.source AND p.account_id = a.account_id
    LEFT JOIN staff AS s
        ON
            p.source = s.source AND p.account_id = s.account_id AND p.created_at >= s.since
            AND p.created_at < s.until
)

SELECT
    j.source,
    j.message_id,
    j.thread_id,
    j.place_id AS channel_id,
    j.person_id,
    j.created_at,
    local_day(j.created_at) AS created_day,
    j.kind,
    j.is_first,
    j.is_human,
    j.is_staff,
    j.is_private,
    j.is_deleted,
    j.kind = 'regular' AND NOT j.is_private AND NOT j.is_deleted AS is_countable,
    CASE WHEN j.is_deleted THEN j.ended_at END AS deleted_at,
    j.edited_at,
    greatest(j.likes, coalesce(r.reactions, 0)) AS likes,
    j.characters
FROM judged AS j
LEFT JOIN reacted AS r ON j.source = r.source AND j.message_id = r.message_id
