SELECT
    week, unnest(['new', 'reactivated', 'lost']) AS part,
    unnest([sum(new_contributors), sum(reactivated_contributors), -sum(lost_regulars)])::BIGINT AS n
FROM marts.contributors
WHERE in_weeks(week)
GROUP BY week
ORDER BY week
