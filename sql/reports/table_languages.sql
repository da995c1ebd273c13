SELECT
    language,
    sum(threads)::BIGINT AS threads,
    rate(sum(within_24h), sum(due_24h)) AS answered_24h_rate,
    sum(helps)::BIGINT AS helps
FROM marts.hour_coverage
WHERE language <> 'all'
GROUP BY language
ORDER BY threads DESC, language ASC
