WITH ends AS (SELECT unnest([first_day(), day_after()]) AS day),

held AS (
    SELECT
        t.person_id, e.day,
        max_by(t.tier, tier_rank(t.tier)) AS tier
    FROM marts.tiers AS t
    INNER JOIN ends AS e
        ON t.valid_from <= standing_day(e.day) AND coalesce(t.valid_to > standing_day(e.day), TRUE)
    GROUP BY t.person_id, e.day
),

moved AS (
    SELECT
        person_id,
        coalesce(max(tier) FILTER (day = first_day()), 'none') AS tier_before,
        max(tier) FILTER (day = day_after()) AS tier_after
    FROM held
    GROUP BY person_id
)

SELECT tier_before, tier_after, count(*) AS people
FROM moved
WHERE tier_before <> tier_after
GROUP BY tier_before, tier_after
ORDER BY people DESC, tier_before ASC, tier_after ASC
