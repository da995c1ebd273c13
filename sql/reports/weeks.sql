-- The weeks that are drawn, and how much of each was read whole, over all sources.
SELECT week, covered_rate
FROM marts.covered_weeks
WHERE source = 'all' AND in_weeks(week)
ORDER BY week
