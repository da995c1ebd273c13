WITH months AS (
    SELECT DISTINCT source, person_id, date_trunc('month', day)::DATE AS month
    FROM marts.person_days
    WHERE messages > 0
),

firsts AS (
    SELECT
        *,
        min(month) OVER (PARTITION BY source, person_id) AS cohort_month,
        max(month) OVER (PARTITION BY source, person_id) AS last_month
    FROM months
),

sizes AS (
    SELECT source, cohort_month, count(DISTINCT person_id) AS people
    FROM firsts
    GROUP BY ALL
),

spans AS (
    SELECT
        *,
        unnest(range(0, date_diff('month', cohort_month, date_trunc('month', as_of_day())::DATE))) AS months_later
    FROM sizes
),

active AS (
    SELECT source, cohort_month, date_diff('month', cohort_month, month) AS months_later, count(*) AS people
    FROM firsts
    GROUP BY ALL
),

lasting AS (
    SELECT DISTINCT source, person_id, cohort_month, date_diff('month', cohort_month, last_month) AS lasted
    FROM firsts
),

covered AS (
    SELECT source, date_trunc('month', day)::DATE AS month, count(*) FILTER (is_covered) / count(*) AS covered_rate
    FROM marts.coverage
    GROUP BY ALL
),

returned AS (
    SELECT s.source, s.cohort_month, s.months_later, count(*) AS people
    FROM spans AS s
    INNER JOIN lasting AS l
        ON s.source = l.source AND s.cohort_month = l.cohort_month AND s.months_later <= l.lasted
    GROUP BY ALL
)

SELECT
    s.source,
    s.cohort_month,
    s.months_later::INTEGER AS months_later,
    s.people,
    coalesce(a.people, 0) AS active_people,
    coalesce(r.people, 0) AS returned_people,
    CASE WHEN s.people >= 10 THEN coalesce(a.people, 0) / s.people END AS active_rate,
    CASE WHEN s.people >= 10 THEN coalesce(r.people, 0) / s.people END AS returned_rate,
    c.covered_rate
FROM spans AS s
LEFT JOIN active AS a
    ON s.source = a.source AND s.cohort_month = a.cohort_month AND s.months_later = a.months_later
LEFT JOIN returned AS r
    ON s.source = r.source AND s.cohort_month = r.cohort_month AND s.months_later = r.months_later
LEFT JOIN covered AS c
    ON s.source = c.source AND c.month = s.cohort_month + to_months(s.months_later::INTEGER)
