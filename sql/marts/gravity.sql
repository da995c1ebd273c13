-- Orbit model: the weight of a level is squared, for a step near the core takes more.
WITH levels AS (
    SELECT
        week, source, person_id, tier,
        [1, 4, 7, 10][tier_rank(tier) + 1] AS weight
    FROM marts.standings
),

totals AS (
    SELECT
        l.week, l.source,
        count(*) AS people,
        sum(l.weight ** 2)::BIGINT AS weighted_commitment,
        count(*) FILTER (l.weight > b.weight) AS moved_up,
        count(*) FILTER (l.weight = b.weight) AS held,
        count(*) FILTER (l.weight < b.weight) AS moved_down
    FROM levels AS l
    LEFT JOIN levels AS b ON l.source = b.source AND l.person_id = b.person_id AND l.week = b.week + 28
    GROUP BY l.week, l.source
)

SELECT
    t.week,
    t.source,
    t.people,
    t.weighted_commitment,
    CASE
        WHEN t.people >= 5 THEN (t.weighted_commitment - b.weighted_commitment) / t.people
    END AS gravity,
    t.moved_up,
    t.held,
    t.moved_down,
    w.covered_rate
FROM totals AS t
LEFT JOIN totals AS b ON t.source = b.source AND t.week = b.week + 28
LEFT JOIN marts.covered_windows AS w ON t.source = w.source AND t.week = w.week
