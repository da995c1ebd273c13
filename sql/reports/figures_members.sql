WITH held AS (
    SELECT person_id, max(list_position(['user', 'contributor', 'core'], tier)) AS best
    FROM marts.tiers
    WHERE valid_from < day_after() AND (valid_to IS NULL OR valid_to >= day_after())
    GROUP BY person_id
)

SELECT
    count(*) FILTER (best = 3) AS core,
    count(*) FILTER (best = 2) AS contributors,
    count(*) FILTER (best = 1) AS users
FROM held
