-- Theil (1950) and Sen (1968): the median slope of all pairs. Mann (1945) and Kendall: S counts rising
-- pairs less falling ones; its variance is corrected for ties, and S for continuity.
-- Values are whole, so the sums that spread and slope are made of are the same in any order.
WITH weeks AS (
    SELECT
        metric, source, week_of(day) AS week, (week_of(day) - '2000-01-03'::DATE) // 7 AS number,
        sum(value) AS value
    FROM marts.series
    WHERE week_of(day) >= week_of(as_of_day()) - 7 * 13 AND week_of(day) < week_of(as_of_day())
    GROUP BY ALL
    HAVING count(value) = 7
),

levels AS (
    SELECT
        metric, source,
        count(*) AS weeks,
        sum(value) / count(*) AS mean,
        sqrt((count(*) * sum(value * value) - sum(value) ** 2) / (count(*) * (count(*) - 1))) AS standard_deviation,
        median(value) AS median,
        mad(value) AS median_absolute_deviation,
        (count(*) * sum(number * value) - sum(number) * sum(value))
        / (count(*) * sum(number * number) - sum(number) ** 2) AS ols_slope,
        (max(week) - min(week)) / 7 AS span
    FROM weeks
    GROUP BY metric, source
),

pairs AS (
    SELECT
        a.metric, a.source,
        median((b.value - a.value) / ((b.week - a.week) / 7)) AS theil_sen_slope,
        sum(sign(b.value - a.value))::BIGINT AS s
    FROM weeks AS a
    INNER JOIN weeks AS b ON a.metric = b.metric AND a.source = b.source AND a.week < b.week
    GROUP BY a.metric, a.source
),

tied AS (
    SELECT metric, source, count(*) AS tied
    FROM weeks
    GROUP BY metric, source, value
),

ties AS (
    SELECT metric, source, sum(tied * (tied - 1) * (2 * tied + 5)) AS correction
    FROM tied
    GROUP BY metric, source
),

tested AS (
    SELECT
        l.*, p.theil_sen_slope, p.s,
        (l.weeks * (l.weeks - 1) * (2 * l.weeks + 5) - t.correction) / 18 AS variance
    FROM levels AS l
    INNER JOIN pairs AS p ON l.metric = p.metric AND l.source = p.source
    INNER JOIN ties AS t ON l.metric = t.metric AND l.source = t.source
    WHERE l.weeks >= 8
),

judged AS (
    SELECT *, CASE WHEN variance > 0 THEN two_sided_p((s - sign(s)) / sqrt(variance)) ELSE 1 END AS p
    FROM tested
)

SELECT
    metric,
    source,
    weeks,
    mean,
    standard_deviation,
    median,
    median_absolute_deviation,
    ols_slope,
    theil_sen_slope,
    s AS mann_kendall_s,
    p AS mann_kendall_p,
    CASE
        WHEN p >= 0.05 OR abs(theil_sen_slope * span) < 0.1 * median THEN 'flat'
        WHEN theil_sen_slope > 0 THEN 'rising'
        WHEN theil_sen_slope < 0 THEN 'falling'
        ELSE 'flat'
    END AS verdict
FROM judged
