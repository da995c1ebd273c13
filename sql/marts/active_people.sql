-- Distinct people of a rolling window without a join of every day with every day: a person counts from
-- an active day until the window has passed or the next active day takes over.
WITH visits AS (
    SELECT
        day, source,
        lead(day) OVER (PARTITION BY source, person_id ORDER BY day) AS next_day,
        lead(day) OVER (PARTITION BY person_id ORDER BY day) AS next_day_anywhere
    FROM marts.person_days
),

-- Of a day that somebody spent at several sources every visit but the last ends as it begins.
scoped AS (
    SELECT day, source, next_day FROM visits
    UNION ALL
    SELECT day, 'all' AS source, next_day_anywhere AS next_day FROM visits
),

moves AS (
    SELECT day, source, 1 AS week_people, 1 AS month_people FROM scoped
    UNION ALL
    SELECT least(day + 7, next_day) AS day, source, -1 AS week_people, 0 AS month_people FROM scoped
    UNION ALL
    SELECT least(day + 30, next_day) AS day, source, 0 AS week_people, -1 AS month_people FROM scoped
),

days AS (
    SELECT day, source, messages > 0 AS has_posted, reactions > 0 AS has_reacted
    FROM marts.person_days

    UNION ALL

    SELECT day, 'all' AS source, bool_or(messages > 0) AS has_posted, bool_or(reactions > 0) AS has_reacted
    FROM marts.person_days
    GROUP BY day, person_id
),

of_day AS (
    SELECT
        day, source,
        count(*) AS people,
        count(*) FILTER (has_posted) AS posters,
        count(*) FILTER (has_reacted) AS reactors
    FROM days
    GROUP BY day, source
),

moved AS (
    SELECT day, source, sum(week_people) AS week_people, sum(month_people) AS month_people
    FROM moves
    GROUP BY day, source
),

firsts AS (
    SELECT source, min(day) AS first_day
    FROM of_day
    GROUP BY source
),

spine AS (
    SELECT c.day, c.is_final, f.source, f.first_day
    FROM marts.calendar AS c
    INNER JOIN firsts AS f ON c.day >= f.first_day
    WHERE c.is_over
),

covered AS (
    SELECT
        day,
        CASE WHEN grouping(source) = 1 THEN 'all' ELSE source END AS source,
        bool_and(is_covered) AS is_covered
    FROM marts.coverage
    GROUP BY GROUPING SETS ((day), (day, source))
),

counted AS (
    SELECT
        s.day, s.source, s.is_final, s.first_day,
        coalesce(c.is_covered, FALSE) AS is_covered,
        coalesce(d.people, 0) AS daily_people,
        coalesce(d.posters, 0) AS daily_posters,
        coalesce(d.reactors, 0) AS daily_reactors,
        (sum(m.week_people) OVER so_far)::BIGINT AS weekly_people,
        (sum(m.month_people) OVER so_far)::BIGINT AS monthly_people
    FROM spine AS s
    LEFT JOIN covered AS c ON s.day = c.day AND s.source = c.source
    LEFT JOIN moved AS m ON s.day = m.day AND s.source = m.source
    LEFT JOIN of_day AS d ON s.day = d.day AND s.source = d.source
    WINDOW so_far AS (PARTITION BY s.source ORDER BY s.day)
)

SELECT
    day,
    source,
    daily_people,
    daily_posters,
    daily_reactors,
    CASE WHEN day >= first_day + 6 THEN weekly_people END AS weekly_people,
    CASE WHEN day >= first_day + 29 THEN monthly_people END AS monthly_people,
    CASE
        WHEN day >= first_day + 29 AND monthly_people >= 20 THEN daily_people / monthly_people
    END AS stickiness_rate,
    CASE
        WHEN day >= first_day + 29 AND monthly_people >= 20 THEN weekly_people / monthly_people
    END AS weekly_stickiness_rate,
    CASE
        WHEN monthly_people = 0 THEN 0 ELSE ceil(daily_people * 10000 / monthly_people) / 100
    END::DOUBLE AS stickiness_compat_percent,
    is_covered,
    is_final
FROM counted
