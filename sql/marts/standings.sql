-- Each Monday looks back on 13 whole weeks. A week of a person reaches 13 Mondays; the three Mondays
-- after that show that nothing is left of it.
WITH weeks AS (
    SELECT
        source, person_id, week_of(day) AS week,
        sum(messages) AS messages,
        sum(helps) AS helps,
        sum(reactions) AS reactions
    FROM marts.person_days
    GROUP BY ALL
),

-- The Mondays of each week up to the one that looks back on the person's next: each Monday once.
reaching AS (
    SELECT
        *,
        unnest(generate_series(
            week + 7,
            least(week + 7 * 16, lead(week) OVER (PARTITION BY source, person_id ORDER BY week), as_of_day()),
            INTERVAL 7 DAYS
        ))::DATE AS monday
    FROM weeks
),

windows AS (
    SELECT
        source, person_id,
        monday AS week,
        coalesce(sum(messages) FILTER (monday = week + 7) OVER thirteen_weeks, 0)::BIGINT AS messages,
        coalesce(sum(helps) FILTER (monday = week + 7) OVER thirteen_weeks, 0)::BIGINT AS helps,
        coalesce(sum(reactions) FILTER (monday = week + 7) OVER thirteen_weeks, 0)::BIGINT AS reactions,
        count(*) FILTER (monday = week + 7 AND messages > 0) OVER thirteen_weeks AS weeks_active
    FROM reaching
    WINDOW thirteen_weeks AS (
        PARTITION BY source, person_id ORDER BY monday RANGE BETWEEN INTERVAL 84 DAYS PRECEDING AND CURRENT ROW
    )
),

weighed AS (
    SELECT
        *,
        messages + helps AS contribution,
        sum(messages + helps) OVER (PARTITION BY source, week) AS contribution_of_all,
        sum(messages + helps) OVER (
            PARTITION BY source, week ORDER BY messages + helps DESC, person_id ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS contribution_so_far
    FROM windows
),

-- Staff when that Monday began: whoever left was staff until then, whoever came was not before.
staff AS (
    SELECT DISTINCT w.source, w.person_id, w.week
    FROM weighed AS w
    INNER JOIN marts.account_history AS h ON w.source = h.source AND w.person_id = h.person_id
    WHERE
        h.is_staff AND w.week > coalesce(local_day(h.valid_from), '0001-01-01'::DATE)
        AND w.week <= coalesce(local_day(h.valid_to), '9999-01-01'::DATE)
),

ranked AS (
    SELECT
        w.*,
        w.contribution > 0
        AND (w.contribution_so_far - w.contribution) * 2 < w.contribution_of_all AS is_in_half,
        s.person_id IS NOT NULL AND w.messages > 0 AS is_active_staff
    FROM weighed AS w
    LEFT JOIN staff AS s ON w.source = s.source AND w.person_id = s.person_id AND w.week = s.week
),

judged AS (
    SELECT
        *,
        CASE
            WHEN is_active_staff OR is_in_half THEN tier_rank('core')
            WHEN messages >= 4 AND weeks_active >= 3 AND helps >= 1 THEN tier_rank('contributor')
            WHEN messages + reactions > 0 THEN tier_rank('user')
            ELSE tier_rank('passer_by')
        END AS rank
    FROM ranked
),

held AS (
    SELECT
        *,
        max(rank) OVER (
            PARTITION BY source, person_id ORDER BY week RANGE BETWEEN INTERVAL 14 DAYS PRECEDING AND CURRENT ROW
        ) AS held_rank
    FROM judged
)

SELECT
    week,
    source,
    person_id,
    messages,
    helps,
    reactions,
    weeks_active,
    contribution,
    tiers()[held_rank + 1] AS tier,
    CASE
        WHEN held_rank > rank THEN 'held'
        WHEN is_in_half THEN 'half_of_all'
        WHEN rank = tier_rank('core') THEN 'staff'
        WHEN rank = tier_rank('contributor') THEN 'steady_helper'
        WHEN rank = tier_rank('user') THEN 'active'
        ELSE 'silent'
    END AS reason
FROM held
