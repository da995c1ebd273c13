SELECT source, cohort_month, people, months_later, active_rate
FROM marts.retention
WHERE
    cohort_month < day_after() AND cohort_month >= first_day() - INTERVAL 12 MONTHS
    AND months_later <= 12
ORDER BY source, cohort_month, months_later
