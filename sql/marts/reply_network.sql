-- network_places: pipeline/network.py.
WITH given_by AS (
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
    SELECT source, unnest(network_places(list(struct_pack(asker_id, replier_id, replies)))) AS place
    FROM marts.reply_edges
    GROUP BY source
)

SELECT
    p.source,
    p.place.person_id AS person_id,
    coalesce(b.replies, 0) AS replies_given,
    coalesce(g.replies, 0) AS replies_got,
    coalesce(b.helped_people, 0) AS helped_people,
    coalesce(g.helpers, 0) AS helpers,
    coalesce(t.replies, 0) AS returned_replies,
    p.place.page_rank AS page_rank,
    p.place.betweenness AS betweenness,
    p.place.is_in_largest_component AS is_in_largest_component
FROM placed AS p
LEFT JOIN given_by AS b ON p.source = b.source AND p.place.person_id = b.person_id
LEFT JOIN got_by AS g ON p.source = g.source AND p.place.person_id = g.person_id
LEFT JOIN returned AS t ON p.source = t.source AND p.place.person_id = t.person_id
