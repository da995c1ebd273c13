SELECT week, source, moderators, decisions, out_of_hours_rate, backlog
FROM marts.moderator_load
WHERE in_weeks(week)
ORDER BY week DESC, source ASC
LIMIT 12
