-- PageRank (Page and Brin 1998), damping 0.85, weighted by replies, 60 rounds: rank flows from who asks
-- to who answers, and what nobody answers is spread over all. network_places: pipeline/network.py.
WITH RECURSIVE people AS (
    SELECT source, replier_id AS person_id FROM marts.reply_edges
    UNION
    SELECT source, asker_id AS person_id FROM marts.reply_edges
),

sizes AS (
    SELECT source, count(*) AS people
    FROM people
    GROUP BY source
),

given_by AS (
    SELECT source, replier_id AS person_id, sum(replies)::BIGINT AS replies, count(*) AS helped_people
    FROM marts.reply_edges
    GROUP BY ALL
),

got_by AS (
    SELECT source, asker_id AS person_id, sum(replies)::BIGINT AS replies, count(*) AS helpers
    FROM marts.reply_edges
    GROUP BY ALL
),

returned AS (
    SELECT e.source, e.replier_id AS person_id, sum(least(e.replies, b.replies))::BIGINT AS replies
    FROM marts.reply_edges AS e
    INNER JOIN marts.reply_edges AS b
        ON e.source = b.source AND e.replier_id = b.asker_id AND e.asker_id = b.replier_id
    GROUP BY ALL
),

placed AS (
    SELECT source, unnest(network_places(list(struct_pack(a := asker_id, b := replier_id)))) AS place
    FROM marts.reply_edges
    GROUP BY source
),

flows AS (
    SELECT e.source, e.asker_id, e.replier_id, e.replies / g.replies AS part
    FROM marts.reply_edges AS e
    INNER JOIN got_by AS g ON e.source = g.source AND e.asker_id = g.person_id
),

rounds AS (
    SELECT
        p.source, p.person_id, s.people, g.person_id IS NULL AS is_end,
        0 AS round, 1 / s.people AS rank
    FROM people AS p
    INNER JOIN sizes AS s ON p.source = s.source
    LEFT JOIN got_by AS g ON p.source = g.source AND p.person_id = g.person_id

    UNION ALL

    SELECT
        r.source, r.person_id, any_value(r.people) AS people, any_value(r.is_end) AS is_end,
        any_value(r.round) + 1 AS round,
        0.15 / any_value(r.people)
        + 0.85 * (coalesce(sum(q.rank * f.part), 0) + any_value(e.rank) / any_value(r.people)) AS rank
    FROM (
        SELECT i.source, coalesce(sum(i.rank) FILTER (i.is_end), 0) AS rank
        FROM rounds AS i
        GROUP BY i.source
    ) AS e
    INNER JOIN rounds AS r ON e.source = r.source
    LEFT JOIN flows AS f ON r.source = f.source AND r.person_id = f.replier_id
    LEFT JOIN rounds AS q ON f.source = q.source AND f.asker_id = q.person_id
    WHERE r.round < 60
    GROUP BY r.source, r.person_id
)

SELECT
    r.source,
    r.person_id,
    coalesce(b.replies, 0) AS replies_given,
    coalesce(g.replies, 0) AS replies_got,
    coalesce(b.helped_people, 0) AS helped_people,
    coalesce(g.helpers, 0) AS helpers,
    coalesce(t.replies, 0) AS returned_replies,
    r.rank AS page_rank,
    p.place.betweenness AS betweenness,
    p.place.is_in_largest_component AS is_in_largest_component
FROM rounds AS r
LEFT JOIN given_by AS b ON r.source = b.source AND r.person_id = b.person_id
LEFT JOIN got_by AS g ON r.source = g.source AND r.person_id = g.person_id
LEFT JOIN returned AS t ON r.source = t.source AND r.person_id = t.person_id
INNER JOIN placed AS p ON r.source = p.source AND r.person_id = p.place.person_id
WHERE r.round = 60
