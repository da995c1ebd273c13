-- As of the Monday after each week, which looks back on it.
WITH weeks AS (
    SELECT unnest(range(week_of(day_after()) - 91, week_of(day_after()), INTERVAL 7 DAYS))::DATE AS week
),

held AS (
    SELECT w.week, t.person_id, max(tier_rank(t.tier)) AS best
    FROM weeks AS w
    INNER JOIN marts.tiers AS t
        ON t.valid_from <= w.week + 7 AND coalesce(t.valid_to > w.week + 7, TRUE)
    WHERE w.week + 7 <= as_of_day()
    GROUP BY w.week, t.person_id
)

SELECT week, tiers()[best + 1] AS part, count(*) AS n
FROM held
WHERE best >= tier_rank('user')
GROUP BY week, best
ORDER BY week ASC, best DESC
