WITH changes AS (
    SELECT *
    FROM marts.standings
    QUALIFY tier IS DISTINCT FROM lag(tier) OVER (PARTITION BY source, person_id ORDER BY week)
)

SELECT
    source,
    person_id,
    tier,
    reason,
    week AS valid_from,
    lead(week) OVER (PARTITION BY source, person_id ORDER BY week) AS valid_to,
    messages,
    helps,
    weeks_active
FROM changes
