-- Curves as in marts.wait_times: open reports count with the age they have.
WITH placed AS (
    SELECT
        source, kind, outcome,
        coalesce(time_to_resolution_h, hours_between(created_at, as_of())) AS age_h,
        time_to_resolution_h IS NOT NULL AS is_timed
    FROM marts.reports
    WHERE
        is_by_human AND NOT is_private AND created_at >= as_of() - lookback()
        AND (outcome = 'open' OR resolved_at IS NOT NULL)
),

ends AS (
    SELECT
        source,
        CASE WHEN grouping(kind) = 1 THEN 'all' ELSE kind END AS kind,
        age_h,
        count(*) AS ended,
        count(*) FILTER (is_timed) AS decided,
        count(*) FILTER (outcome = 'agreed') AS agreed,
        count(*) FILTER (outcome = 'disagreed') AS disagreed,
        count(*) FILTER (outcome = 'ignored') AS ignored
    FROM placed
    GROUP BY GROUPING SETS ((source, age_h), (source, kind, age_h))
),

risks AS (
    SELECT *, sum(ended) OVER (PARTITION BY source, kind ORDER BY age_h DESC) AS at_risk
    FROM ends
),

curves AS (
    SELECT
        *,
        survival(sum(log_survival(decided, at_risk)) OVER (PARTITION BY source, kind ORDER BY age_h)) AS still_open
    FROM risks
)

SELECT
    source,
    kind,
    sum(ended)::BIGINT AS reports,
    sum(ended - decided)::BIGINT AS open,
    sum(agreed)::BIGINT AS agreed,
    sum(disagreed)::BIGINT AS disagreed,
    sum(ignored)::BIGINT AS ignored,
    rate(sum(agreed), sum(decided)) AS agreed_rate,
    rate_low(sum(agreed), sum(decided)) AS agreed_rate_low,
    rate_high(sum(agreed), sum(decided)) AS agreed_rate_high,
    CASE WHEN are_enough_waits(sum(ended)) THEN min(age_h) FILTER (still_open <= 0.5) END AS p50_h,
    CASE WHEN are_enough_waits(sum(ended)) THEN min(age_h) FILTER (still_open <= 0.1) END AS p90_h
FROM curves
GROUP BY source, kind
