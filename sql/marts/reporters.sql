SELECT
    source,
    reporter_id,
    count(*) AS reports,
    count(*) FILTER (outcome = 'open') AS open,
    count(*) FILTER (outcome = 'agreed') AS agreed,
    count(*) FILTER (outcome = 'disagreed') AS disagreed,
    rate(count(*) FILTER (outcome = 'agreed'), count(*) FILTER (outcome IN ('agreed', 'disagreed'))) AS agreed_rate,
    rate_low(count(*) FILTER (outcome = 'agreed'), count(*) FILTER (outcome IN ('agreed', 'disagreed'))) AS agreed_rate_low,
    rate_high(count(*) FILTER (outcome = 'agreed'), count(*) FILTER (outcome IN ('agreed', 'disagreed'))) AS agreed_rate_high
FROM marts.reports
WHERE is_by_human AND reporter_id IS NOT NULL
GROUP BY source, reporter_id
