-- Gini with ranks i ascending: 2 * sum(i * x) / (n * sum(x)) - (n + 1) / n.
WITH shares AS (
    SELECT week, source, person_id, 'messages' AS kind, messages AS made
    FROM marts.standings

    UNION ALL

    SELECT week, source, person_id, 'helps' AS kind, helps AS made
    FROM marts.standings
),

ordered AS (
    SELECT
        week, source, kind, made,
        row_number() OVER (PARTITION BY week, source, kind ORDER BY made, person_id) AS place,
        row_number() OVER (PARTITION BY week, source, kind ORDER BY made DESC, person_id ASC) AS place_from_top,
        sum(made) OVER (
            PARTITION BY week, source, kind ORDER BY made DESC, person_id ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS made_so_far,
        sum(made) OVER (PARTITION BY week, source, kind) AS made_by_all
    FROM shares
    WHERE made > 0
)

SELECT
    o.week,
    o.source,
    kind,
    count(*) AS people,
    sum(made)::BIGINT AS made,
    min(place_from_top) FILTER (made_so_far * 2 >= made_by_all) AS absence_factor,
    CASE
        WHEN count(*) >= 5 THEN 2 * sum(place * made) / (count(*) * sum(made)) - (count(*) + 1) / count(*)
    END AS gini,
    CASE WHEN count(*) >= 20 THEN (sum(made) FILTER (place_from_top <= 10)) / sum(made) END AS top_10_rate,
    sum(made * made) / sum(made) ** 2 AS hhi,
    any_value(w.covered_rate) AS covered_rate
FROM ordered AS o
LEFT JOIN marts.covered_windows AS w ON o.week = w.week AND o.source = w.source
GROUP BY o.week, o.source, kind
