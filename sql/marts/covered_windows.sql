SELECT
    w.week,
    c.source,
    count(*) AS days,
    count(*) FILTER (c.is_covered) AS covered_days,
    count(*) FILTER (c.is_covered) / count(*) AS covered_rate
FROM (SELECT DISTINCT week FROM marts.calendar) AS w
INNER JOIN marts.coverage AS c ON c.day >= w.week - 91 AND c.day < w.week
GROUP BY w.week, c.source
