-- Kaplan and Meier (1958): S(t) is the product over t_i <= t of 1 - d_i / n_i; those who still wait
-- leave the risk set at their age.
-- An interval is where the bands of 95 % get there: Greenwood's, on the scale of ln(-ln S), as
-- Kalbfleisch and Prentice (1980) have them. They are not defined where S is 0. The upper one of S never
-- falls to 0.1 under 20 waits: S there is 1/19 at least, and Greenwood's sum (1 / S - 1) / 19.
WITH placed AS (
    SELECT *, 'week' AS period, week_of(created_day) AS begins_on
    FROM marts.waits
    WHERE is_in_whole_week(population, created_day)

    UNION ALL

    SELECT *, 'last_90_days' AS period, as_of_day() - 90 AS begins_on
    FROM marts.waits
    WHERE created_at >= as_of() - lookback()
),

ends AS (
    SELECT
        population, event, period, begins_on, waited_h,
        CASE WHEN grouping(source) = 1 THEN 'all' ELSE source END AS source,
        CASE WHEN grouping(channel_id) = 1 THEN 'all' ELSE coalesce(channel_id, 'unknown') END AS channel_id,
        CASE WHEN grouping(asker) = 1 THEN 'all' ELSE asker END AS asker,
        count(*) AS ended,
        count(*) FILTER (has_happened) AS happened,
        count(*) FILTER (is_waiting) AS waiting,
        count(*) FILTER (age_h >= 24) AS due_24h,
        count(*) FILTER (age_h >= 24 AND has_happened AND waited_h <= 24) AS within_24h,
        count(*) FILTER (age_h >= 72) AS due_72h,
        count(*) FILTER (age_h >= 72 AND has_happened AND waited_h <= 72) AS within_72h,
        count(*) FILTER (age_h >= 168) AS due_168h,
        count(*) FILTER (age_h >= 168 AND has_happened AND waited_h <= 168) AS within_168h
    FROM placed
    GROUP BY
        population, event, period, begins_on, waited_h,
        GROUPING SETS ((), (source), (source, channel_id), (asker), (source, asker))
),

risks AS (
    SELECT
        *,
        sum(ended) OVER (
            PARTITION BY population, event, period, begins_on, source, channel_id, asker
            ORDER BY waited_h DESC
        ) AS at_risk
    FROM ends
),

curves AS (
    SELECT
        *,
        survival(sum(log_survival(happened, at_risk)) OVER (
            PARTITION BY population, event, period, begins_on, source, channel_id, asker
            ORDER BY waited_h
        )) AS still_waiting,
        sqrt(sum(happened / (at_risk * (at_risk - happened))) OVER (
            PARTITION BY population, event, period, begins_on, source, channel_id, asker
            ORDER BY waited_h
        )) AS spread
    FROM risks
),

bands AS (
    SELECT
        *,
        CASE WHEN still_waiting BETWEEN 1e-8 AND 1 - 1e-8 THEN exp(-z95() * spread / ln(still_waiting)) END AS reach
    FROM curves
),

summed AS (
    SELECT
        population, event, period, begins_on, source, channel_id, asker,
        sum(ended)::BIGINT AS waits,
        sum(happened)::BIGINT AS happened,
        sum(waiting)::BIGINT AS waiting,
        min(waited_h) FILTER (still_waiting <= 0.5) AS p50_h,
        min(waited_h) FILTER (still_waiting <= 0.25) AS p75_h,
        min(waited_h) FILTER (still_waiting <= 0.1) AS p90_h,
        min(waited_h) FILTER (happened > 0 AND coalesce(pow(still_waiting, reach), 0) <= 0.5) AS p50_low_h,
        min(waited_h) FILTER (pow(still_waiting, 1 / reach) <= 0.5) AS p50_high_h,
        min(waited_h) FILTER (happened > 0 AND coalesce(pow(still_waiting, reach), 0) <= 0.1) AS p90_low_h,
        min(waited_h) FILTER (pow(still_waiting, 1 / reach) <= 0.1) AS p90_high_h,
        sum(due_24h)::BIGINT AS due_24h,
        sum(within_24h)::BIGINT AS within_24h,
        sum(due_72h)::BIGINT AS due_72h,
        sum(within_72h)::BIGINT AS within_72h,
        sum(due_168h)::BIGINT AS due_168h,
        sum(within_168h)::BIGINT AS within_168h
    FROM bands
    GROUP BY ALL
)

SELECT
    population,
    event,
    period,
    begins_on,
    s.source,
    channel_id,
    asker,
    waits,
    happened,
    waiting,
    CASE WHEN are_enough_waits(waits) THEN p50_h END AS p50_h,
    CASE WHEN are_enough_waits(waits) THEN p75_h END AS p75_h,
    CASE WHEN are_enough_waits(waits) THEN p90_h END AS p90_h,
    CASE WHEN are_enough_waits(waits) THEN p50_low_h END AS p50_low_h,
    CASE WHEN are_enough_waits(waits) THEN p50_high_h END AS p50_high_h,
    CASE WHEN are_enough_waits(waits) THEN p90_low_h END AS p90_low_h,
    p90_high_h,
    due_24h,
    within_24h,
    rate(within_24h, due_24h) AS within_24h_rate,
    rate_low(within_24h, due_24h) AS within_24h_rate_low,
    rate_high(within_24h, due_24h) AS within_24h_rate_high,
    due_72h,
    within_72h,
    rate(within_72h, due_72h) AS within_72h_rate,
    due_168h,
    within_168h,
    rate(within_168h, due_168h) AS within_168h_rate,
    CASE WHEN period = 'week' THEN w.covered_rate END AS covered_rate,
    period = 'week' AND is_final(begins_on + 6) AS is_final
FROM summed AS s
LEFT JOIN marts.covered_weeks AS w ON s.begins_on = w.week AND s.source = w.source
