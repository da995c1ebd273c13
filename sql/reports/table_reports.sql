SELECT
    kind,
    count(*) AS reported,
    count(*) FILTER (outcome = 'agreed') AS agreed,
    count(*) FILTER (outcome = 'disagreed') AS disagreed,
    count(*) FILTER (outcome = 'ignored') AS ignored,
    count(*) FILTER (outcome = 'open') AS unresolved
FROM marts.reports
WHERE in_period(created_day) AND is_by_human AND NOT is_private
GROUP BY kind
ORDER BY reported DESC, kind ASC
