WITH firsts AS (
    SELECT min(day) AS day FROM marts.person_days
    WHERE messages > 0
    GROUP BY person_id
),

replies AS (
    SELECT sum(replied_24h) AS replied, sum(due_24h) AS due FROM marts.newcomers
    WHERE in_period(week)
)

SELECT
    (SELECT count(*) FROM firsts WHERE in_period(day)) AS new_contributors,
    (SELECT rate(replied, due) FROM replies) AS replied_24h_rate,
    coalesce(sum(reactivated_contributors), 0)::BIGINT AS reactivated_contributors,
    coalesce(sum(lost_regulars), 0)::BIGINT AS lost_regulars
FROM marts.contributors
WHERE in_period(week)
