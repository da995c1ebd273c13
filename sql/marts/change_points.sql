-- Binary segmentation (Scott and Knott 1974): cut a stretch where that takes most from the sum of
-- squares, go on inside both parts, stop where a cut takes no more than BIC asks for a level, twice
-- the noise times ln(days). Over logarithms, so that doubling is one size, less what is usual of the
-- weekday. The noise comes from neighbouring weeks: days that hang together would make it too small,
-- and one step of the level hardly moves it (von Neumann 1941).
WITH RECURSIVE levels AS (
    SELECT
        metric, source, day, value,
        ln(1 + value) - median(ln(1 + value)) OVER (PARTITION BY metric, source, isodow(day)) AS x
    FROM marts.series
    WHERE value IS NOT NULL
),

placed AS (
    SELECT
        metric, source, day, value, x,
        row_number() OVER days AS place,
        sum(x) OVER (days ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS x_so_far,
        sum(x) OVER (days ROWS BETWEEN CURRENT ROW AND 6 FOLLOWING)
        - sum(x) OVER (days ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING) AS step,
        count(*) OVER (days ROWS BETWEEN 7 PRECEDING AND 6 FOLLOWING) = 14 AS is_between_weeks
    FROM levels
    WINDOW days AS (PARTITION BY metric, source ORDER BY day)
),

stretches AS (
    SELECT
        metric, source,
        0::BIGINT AS low,
        count(*) AS high,
        0::DOUBLE AS x_before,
        sum(x ORDER BY place) AS x_through,
        2 * ln(count(*)) * avg(step ** 2 ORDER BY place) FILTER (is_between_weeks) / 14 AS penalty
    FROM placed
    GROUP BY metric, source

    UNION ALL

    SELECT
        metric, source,
        unnest([low, cut]) AS low,
        unnest([cut, high]) AS high,
        unnest([x_before, x_at_cut]) AS x_before,
        unnest([x_at_cut, x_through]) AS x_through,
        penalty
    FROM (
        SELECT
            metric, source, low, high, x_before, x_through, penalty,
            arg_max(place, (gain, -place)) AS cut,
            arg_max(x_so_far, (gain, -place)) AS x_at_cut
        FROM (
            SELECT
                s.*, p.place, p.x_so_far,
                (p.place - s.low) * (s.high - p.place) / (s.high - s.low) * (
                    (p.x_so_far - s.x_before) / (p.place - s.low) - (s.x_through - p.x_so_far) / (s.high - p.place)
                ) ** 2 AS gain
            FROM stretches AS s
            INNER JOIN placed AS p
                ON s.metric = p.metric AND s.source = p.source AND p.place BETWEEN s.low + 14 AND s.high - 14
        ) AS cuts
        WHERE gain > penalty
        GROUP BY metric, source, low, high, x_before, x_through, penalty
    ) AS best
),

-- What was cut out of and not cut again: a low end belongs to its shortest stretch.
uncut AS (
    SELECT metric, source, low, min(high) AS high
    FROM stretches
    GROUP BY metric, source, low
),

medians AS (
    SELECT
        u.metric, u.source, u.low,
        min(p.day) AS day,
        count(*) AS days,
        median(p.value) AS median,
        avg(p.value) AS mean
    FROM uncut AS u
    INNER JOIN placed AS p
        ON u.metric = p.metric AND u.source = p.source AND p.place > u.low AND p.place <= u.high
    GROUP BY ALL
)

SELECT
    metric,
    source,
    day,
    lag(median) OVER levels AS before_median,
    median AS after_median,
    lag(mean) OVER levels AS before_mean,
    mean AS after_mean,
    lag(days) OVER levels AS before_days,
    days AS after_days
FROM medians
WINDOW levels AS (PARTITION BY metric, source ORDER BY low)
QUALIFY low > 0
