-- Whoever wrote in another source before is nobody's newcomer here.
WITH firsts AS (
    SELECT *
    FROM marts.welcomes
    QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY created_at, source) = 1
),

welcomed AS (
    SELECT
        count(*) AS people,
        rate(count(*) FILTER (age_h >= 24 AND is_replied_24h), count(*) FILTER (age_h >= 24)) AS replied_24h_rate
    FROM firsts
    WHERE in_period(created_day)
)

SELECT
    w.people AS new_contributors,
    w.replied_24h_rate,
    coalesce(sum(c.reactivated_contributors), 0)::BIGINT AS reactivated_contributors,
    coalesce(sum(c.lost_regulars), 0)::BIGINT AS lost_regulars
FROM welcomed AS w
LEFT JOIN marts.daily_contributors AS c ON in_period(c.day)
GROUP BY ALL
