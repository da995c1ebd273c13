WITH found AS (
    SELECT
        j.*,
        t.channel_id, t.is_by_newcomer, t.is_private, t.created_at, t.first_response_at,
        t.is_closed, t.views, t.people, t.messages,
        CASE WHEN c.kind = 'category' THEN 60 * 24 ELSE 7 * 24 END AS forgotten_h,
        hours_between(t.created_at, as_of()) AS age_h,
        is_waiting(j.level, j.rule, t.is_solved) AS is_waiting,
        CASE
            WHEN t.is_by_newcomer THEN getvariable('newcomer_overdue_h')
            ELSE getvariable('overdue_h')
        END AS wanted_h
    FROM judgement.threads AS j
    INNER JOIN marts.threads AS t ON j.source = t.source AND j.thread_id = t.thread_id
    LEFT JOIN marts.channels AS c ON t.source = c.source AND t.channel_id = c.channel_id
    WHERE NOT t.is_deleted
),

items AS (
    SELECT
        *,
        CASE WHEN is_by_newcomer THEN 'newcomer_waiting' ELSE 'unanswered' END AS item,
        wanted_h AS target_h
    FROM found
    WHERE
        kind = 'question' AND is_waiting AND NOT is_closed
        AND age_h BETWEEN wanted_h / 2 AND forgotten_h

    UNION ALL

    SELECT *, 'answered' AS item, NULL::DOUBLE AS target_h
    FROM found
    WHERE
        kind = 'question' AND NOT is_waiting
        AND hours_between(first_response_at, as_of()) BETWEEN 0 AND 24

    UNION ALL

    SELECT f.* REPLACE (hours_between(m.created_at, as_of()) AS age_h), f.kind AS item, NULL::DOUBLE AS target_h
    FROM found AS f
    INNER JOIN marts.messages AS m ON f.source = m.source AND f.message_id = m.message_id
    WHERE f.kind <> 'question' AND m.created_at >= as_of() - heat_lasts() AND NOT m.is_deleted
),

-- Who has several accounts is one person here, and unnamed if one of them is.
named AS (
    SELECT source, person_id, min(coalesce(name, username)) AS person
    FROM marts.accounts
    GROUP BY ALL
    HAVING NOT bool_or(is_unnamed(username))
),

knowing AS (
    SELECT
        h.source, h.thread_id,
        to_json(list({
            'person': n.person,
            'answers': h.answers,
            'words': h.words,
            'last_active_at': h.last_active_at
        } ORDER BY h.rank)) AS who_might_know
    FROM judgement.helpers AS h
    INNER JOIN named AS n ON h.source = n.source AND h.person_id = n.person_id
    GROUP BY ALL
),

-- An item most moderators agreed with is confirmed.
confirmed AS (
    SELECT v.source, m.person_id, v.thread_id, v.finding
    FROM marts.verdicts AS v
    INNER JOIN marts.messages AS m ON v.source = m.source AND v.message_id = m.message_id
    WHERE
        v.finding <> 'question' AND v.is_last AND v.choice IN ('agree', 'disagree')
        AND v.said_at >= as_of() - lookback()
    GROUP BY ALL
    HAVING count_if(v.choice = 'agree') > count_if(v.choice = 'disagree')
),

-- The likeliest public thread elsewhere that asks the same and was answered there.
elsewhere AS (
    SELECT
        w.source, w.thread_id,
        arg_max({
            'code': 'answered_elsewhere',
            'source': w.other_source,
            'channel': coalesce(c.name, w.other_source),
            'likeness': round(w.likeness, 2)
        }, (w.likeness, w.other_source, w.other_thread_id)) AS reason
    FROM marts.twin_threads AS w
    INNER JOIN marts.threads AS o
        ON w.other_source = o.source AND w.other_thread_id = o.thread_id AND NOT o.is_private
    LEFT JOIN marts.channels AS c ON o.source = c.source AND o.channel_id = c.channel_id
    WHERE w.is_answered_elsewhere
    GROUP BY ALL
),

-- Of the questions answered in the last 90 days, how many had their answer sooner.
answered AS (
    SELECT source, waited_h, cume_dist() OVER (PARTITION BY source ORDER BY waited_h) AS older_than_rate
    FROM marts.waits
    WHERE population = 'questions' AND event = 'response' AND has_happened AND created_at >= as_of() - lookback()
    QUALIFY are_enough_waits(count(*) OVER (PARTITION BY source))
)

SELECT
    i.source,
    s.platform,
    i.thread_id,
    i.item AS kind,
    i.message_id,
    t.title,
    c.name AS channel,
    coalesce(m.url, t.url, c.message_url || i.message_id) AS url,
    coalesce(a.name, a.username) AS person,
    i.is_by_newcomer AS is_newcomer,
    i.is_private,
    coalesce(m.is_hidden, FALSE) OR coalesce(b.is_hidden, FALSE) AS is_hidden,
    i.created_at,
    i.age_h,
    i.target_h,
    CASE WHEN i.target_h IS NOT NULL THEN w.older_than_rate END AS older_than_rate,
    i.level,
    i.severity,
    i.evidence,
    CASE
        WHEN i.target_h IS NOT NULL AND e.reason IS NOT NULL
            THEN to_json(list_prepend(to_json(e.reason), i.reasons::JSON[]))
        ELSE i.reasons
    END AS reasons,
    i.sentence,
    i.context,
    i.curve,
    i.turn,
    i.score,
    i.model,
    i.model_version,
    i.text_hash,
    greatest(i.messages - 1, 0) AS replies,
    i.people,
    i.views,
    CASE WHEN i.target_h IS NOT NULL THEN k.who_might_know END AS who_might_know,
    CASE WHEN i.kind <> 'question' THEN (
        SELECT count(*)
        FROM confirmed AS o
        WHERE
            o.source = i.source AND o.person_id = person_id(m.source, m.account_id)
            AND o.thread_id <> i.thread_id
    ) END AS confirmed_before
FROM items AS i
INNER JOIN raw.sources AS s ON i.source = s.source
INNER JOIN staging.threads AS t ON i.source = t.source AND i.thread_id = t.thread_id
LEFT JOIN staging.messages AS m ON i.source = m.source AND i.message_id = m.message_id
LEFT JOIN staging.messages AS b ON i.source = b.source AND i.context_id = b.message_id
LEFT JOIN staging.accounts AS a ON m.source = a.source AND m.account_id = a.account_id AND a.gone_at IS NULL
LEFT JOIN staging.channels AS c ON i.source = c.source AND i.channel_id = c.channel_id
LEFT JOIN knowing AS k ON i.source = k.source AND i.thread_id = k.thread_id
LEFT JOIN elsewhere AS e ON i.source = e.source AND i.thread_id = e.thread_id
ASOF LEFT JOIN answered AS w ON i.source = w.source AND i.age_h > w.waited_h
