SELECT
    now.source, now.kind, now.people, now.made, now.absence_factor,
    earlier.absence_factor AS absence_factor_before,
    now.top_10_rate, now.gini
FROM marts.concentration AS now
LEFT JOIN marts.concentration AS earlier
    ON
        now.source = earlier.source AND now.kind = earlier.kind
        AND earlier.week = (SELECT max(c.week) FROM marts.concentration AS c WHERE c.week <= first_day())
WHERE now.week = (SELECT max(c.week) FROM marts.concentration AS c WHERE c.week <= day_after())
ORDER BY now.source, now.kind
