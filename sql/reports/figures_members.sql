WITH held AS (
    SELECT person_id, max(tier_rank(tier)) AS best
    FROM marts.tiers
    WHERE valid_from <= standing_day(day_after()) AND coalesce(valid_to > standing_day(day_after()), TRUE)
    GROUP BY person_id
)

SELECT
    count(*) FILTER (best = tier_rank('core')) AS core,
    count(*) FILTER (best = tier_rank('contributor')) AS contributors,
    count(*) FILTER (best = tier_rank('user')) AS users
FROM held
