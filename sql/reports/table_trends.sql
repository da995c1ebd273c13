SELECT metric, source, weeks, median, theil_sen_slope AS slope, verdict
FROM marts.trends
WHERE metric IN ('messages', 'threads', 'newcomers', 'person_days')
ORDER BY list_position(['messages', 'threads', 'person_days', 'newcomers'], metric), source
