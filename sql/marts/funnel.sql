-- Each step is a subset of the one before.
WITH joined AS (
    SELECT source, person_id, local_day(coalesce(created_at, first_message_at)) AS day
    FROM marts.people
    WHERE is_human AND coalesce(created_at, first_message_at) <= as_of()
),

signs AS (
    SELECT
        j.source, j.person_id,
        date_trunc('month', j.day)::DATE AS cohort_month,
        coalesce(bool_or(w.day < j.day + 30), FALSE) AS has_written,
        coalesce(sum(w.messages) FILTER (w.day < j.day + 60) >= 2, FALSE) AS has_written_twice,
        count(DISTINCT week_of(w.day)) >= 3 AS has_three_weeks
    FROM joined AS j
    LEFT JOIN marts.person_days AS w
        ON j.source = w.source AND j.person_id = w.person_id AND w.messages > 0 AND w.day < j.day + 90
    GROUP BY j.source, j.person_id, j.day
),

covered AS (
    SELECT m.cohort_month, c.source, count(*) FILTER (c.is_covered) / count(*) AS covered_rate
    FROM (SELECT DISTINCT cohort_month FROM signs) AS m
    INNER JOIN marts.coverage AS c
        ON c.day >= m.cohort_month AND c.day <= last_day(m.cohort_month) + 90
    GROUP BY m.cohort_month, c.source
),

counted AS (
    SELECT
        cohort_month, source,
        last_day(cohort_month) + 90 < as_of_day() AS is_final,
        count(*) AS joined,
        count(*) FILTER (has_written) AS wrote,
        count(*) FILTER (has_written AND has_written_twice) AS wrote_twice,
        count(*) FILTER (has_written AND has_written_twice AND has_three_weeks) AS regular
    FROM signs
    GROUP BY ALL
)

SELECT
    n.cohort_month,
    n.source,
    joined,
    wrote,
    wrote_twice,
    regular,
    CASE WHEN is_final THEN rate(wrote, joined) END AS wrote_rate,
    CASE WHEN is_final THEN rate(wrote_twice, wrote) END AS wrote_twice_rate,
    CASE WHEN is_final THEN rate(regular, wrote_twice) END AS regular_rate,
    is_final,
    c.covered_rate
FROM counted AS n
LEFT JOIN covered AS c ON n.cohort_month = c.cohort_month AND n.source = c.source
