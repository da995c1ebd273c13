WITH grown AS (
    SELECT *
    FROM marts.welcomes
    WHERE created_day < day_after() AND age_h >= 720
)

SELECT
    source,
    count(*) FILTER (is_replied_24h) AS replied,
    rate(count(*) FILTER (is_replied_24h AND has_second_30d), count(*) FILTER (is_replied_24h)) AS replied_again_rate,
    count(*) FILTER (NOT is_replied_24h) AS unreplied,
    rate(
        count(*) FILTER (NOT is_replied_24h AND has_second_30d), count(*) FILTER (NOT is_replied_24h)
    ) AS unreplied_again_rate
FROM grown
GROUP BY source
ORDER BY source
