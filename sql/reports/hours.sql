-- Questions begun and answers written, by weekday and hour of the community's own clock.
WITH acts AS (
    SELECT 'questions' AS what, created_at FROM marts.waits
    WHERE population = 'questions' AND event = 'response'

    UNION ALL

    SELECT 'answers' AS what, created_at FROM marts.links
),

local AS (
    SELECT what, (created_at AT TIME ZONE 'UTC') AT TIME ZONE getvariable('time_zone') AS local_at
    FROM acts
)

SELECT what, isodow(local_at) - 1 AS weekday, hour(local_at) AS hour, count(*) AS n
FROM local
WHERE in_view(local_at::DATE)
GROUP BY ALL
ORDER BY ALL
