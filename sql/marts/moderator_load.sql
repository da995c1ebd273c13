-- Gini as in marts.concentration; the backlog is what came in so far less what was decided so far.
WITH decisions AS (
    SELECT
        source, resolver_id,
        week_of(local_day(resolved_at)) AS week,
        isodow(local_day(resolved_at)) > 5 OR local_hour(resolved_at) NOT BETWEEN 8 AND 19 AS is_out_of_hours
    FROM marts.reports
    WHERE resolver_id IS NOT NULL AND resolved_at IS NOT NULL
),

loads AS (
    SELECT
        source, week, resolver_id,
        count(*) AS decisions,
        count(*) FILTER (is_out_of_hours) AS out_of_hours,
        row_number() OVER (PARTITION BY source, week ORDER BY count(*), resolver_id) AS place
    FROM decisions
    GROUP BY source, week, resolver_id
),

weeks AS (
    SELECT
        source, week,
        count(*) AS moderators,
        sum(decisions)::BIGINT AS decisions,
        sum(out_of_hours)::BIGINT AS out_of_hours,
        max(decisions) AS most_by_one,
        2 * sum(place * decisions) / (count(*) * sum(decisions)) - (count(*) + 1) / count(*) AS gini
    FROM loads
    GROUP BY source, week
),

moves AS (
    SELECT source, week_of(created_day) AS week, 1 AS reports
    FROM marts.reports
    WHERE outcome = 'open' OR resolved_at IS NOT NULL

    UNION ALL

    SELECT source, week_of(local_day(resolved_at)) AS week, -1 AS reports
    FROM marts.reports
    WHERE resolved_at IS NOT NULL
),

firsts AS (
    SELECT source, min(week) AS week
    FROM moves
    GROUP BY source
),

ended AS (
    SELECT DISTINCT week
    FROM marts.calendar
    WHERE is_over
),

backlogs AS (
    SELECT
        f.source, c.week,
        (sum(coalesce(sum(m.reports), 0)) OVER (PARTITION BY f.source ORDER BY c.week))::BIGINT AS backlog
    FROM firsts AS f
    INNER JOIN ended AS c ON f.week <= c.week
    LEFT JOIN moves AS m ON f.source = m.source AND c.week = m.week
    GROUP BY f.source, c.week
)

SELECT
    b.week,
    b.source,
    coalesce(w.moderators, 0) AS moderators,
    coalesce(w.decisions, 0) AS decisions,
    w.decisions / w.moderators AS decisions_per_moderator,
    CASE WHEN w.moderators >= 5 THEN w.most_by_one / w.decisions END AS busiest_rate,
    CASE WHEN w.moderators >= 5 THEN w.gini END AS gini,
    rate(w.out_of_hours, w.decisions) AS out_of_hours_rate,
    b.backlog,
    b.backlog / w.moderators AS backlog_per_moderator,
    is_final(b.week + 6) AS is_final
FROM backlogs AS b
LEFT JOIN weeks AS w ON b.source = w.source AND b.week = w.week
