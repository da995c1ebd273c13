SELECT
    source,
    sum(replied_due_30d)::BIGINT AS replied,
    rate(sum(replied_second_30d), sum(replied_due_30d)) AS replied_again_rate,
    sum(unreplied_due_30d)::BIGINT AS unreplied,
    rate(sum(unreplied_second_30d), sum(unreplied_due_30d)) AS unreplied_again_rate
FROM marts.newcomers
WHERE week < day_after()
GROUP BY source
ORDER BY source
