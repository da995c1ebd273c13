-- Those who made equally much are one step: who of them comes first changes nothing. Gini with places i
-- from the top: (n + 1 - 2 * sum(i * x) / sum(x)) / n.
WITH shares AS (
    SELECT week, source, 'messages' AS kind, messages AS made
    FROM marts.standings

    UNION ALL

    SELECT week, source, 'helps' AS kind, helps AS made
    FROM marts.standings
),

steps AS (
    SELECT week, source, kind, made, count(*) AS people
    FROM shares
    WHERE made > 0
    GROUP BY ALL
),

ordered AS (
    SELECT
        *,
        sum(people) OVER from_top - people AS people_above,
        sum(people * made) OVER from_top - people * made AS made_above,
        sum(people * made) OVER (PARTITION BY week, source, kind) AS made_by_all
    FROM steps
    WINDOW from_top AS (PARTITION BY week, source, kind ORDER BY made DESC)
),

placed AS (
    SELECT
        *,
        CASE
            WHEN made_above * 2 < made_by_all AND (made_above + people * made) * 2 >= made_by_all
                THEN people_above + ceil((made_by_all / 2 - made_above) / made)
        END AS half_made_at,
        made * people * (people_above + (people + 1) / 2) AS places_times_made,
        made * greatest(least(people, 10 - people_above), 0) AS made_by_10
    FROM ordered
)

SELECT
    p.week,
    p.source,
    p.kind,
    sum(people)::BIGINT AS people,
    sum(people * made)::BIGINT AS made,
    min(half_made_at)::BIGINT AS absence_factor,
    CASE
        WHEN sum(people) >= 5
            THEN (sum(people) + 1 - 2 * sum(places_times_made) / sum(people * made)) / sum(people)
    END AS gini,
    CASE WHEN sum(people) >= 20 THEN sum(made_by_10) / sum(people * made) END AS top_10_rate,
    sum(people * made * made) / sum(people * made) ** 2 AS hhi,
    any_value(w.covered_rate) AS covered_rate
FROM placed AS p
LEFT JOIN marts.covered_windows AS w ON p.week = w.week AND p.source = w.source
GROUP BY p.week, p.source, p.kind
