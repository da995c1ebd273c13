-- Threads begun and helping messages written, by hour of the week, over the 13 weeks to the night.
SELECT weekday - 1 AS weekday, hour, sum(threads)::BIGINT AS threads, sum(helps)::BIGINT AS helps
FROM marts.hour_coverage
WHERE language = 'all'
GROUP BY ALL
ORDER BY ALL
