SELECT week_of(day) AS week, source AS part, sum(messages)::BIGINT AS n
FROM marts.daily_activity
WHERE in_weeks(week_of(day))
GROUP BY ALL
ORDER BY week, part
