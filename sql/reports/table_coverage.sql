SELECT
    source,
    count(*) FILTER (is_covered) AS covered_days,
    (day_after() - first_day()) - count(*) FILTER (is_covered) AS missing_days,
    coalesce(sum(messages), 0)::BIGINT AS held,
    coalesce(sum(private_messages), 0)::BIGINT AS private,
    coalesce(sum(deleted_messages), 0)::BIGINT AS deleted
FROM marts.coverage
WHERE in_period(day)
GROUP BY source
ORDER BY source
