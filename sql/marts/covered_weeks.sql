SELECT
    week_of(day) AS week,
    CASE WHEN grouping(source) = 1 THEN 'all' ELSE source END AS source,
    count(*) AS days,
    count(*) FILTER (is_covered) AS covered_days,
    count(*) FILTER (is_covered) / count(*) AS covered_rate
FROM marts.coverage
GROUP BY GROUPING SETS ((week_of(day)), (week_of(day), source))
