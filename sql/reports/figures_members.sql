WITH held AS (
    SELECT person_id, max(tier_rank(tier)) AS best
    FROM marts.tiers
    WHERE valid_from < day_after() AND (valid_to IS NULL OR valid_to >= day_after())
    GROUP BY person_id
)

SELECT
    count(*) FILTER (best = tier_rank('core')) AS core,
    count(*) FILTER (best = tier_rank('contributor')) AS contributors,
    count(*) FILTER (best = tier_rank('user')) AS users
FROM held
