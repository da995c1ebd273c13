-- Kaplan and Meier (1958), as marts.wait_times: the share that still waits after so many hours.
WITH ends AS (
    SELECT waited_h, count(*) AS ended, count(*) FILTER (has_happened) AS happened
    FROM marts.waits
    WHERE
        population = 'questions' AND event = 'response'
        AND in_period(created_day)
        AND getvariable('asker') IN ('all', asker)
    GROUP BY waited_h
),

risks AS (SELECT *, sum(ended) OVER (ORDER BY waited_h DESC) AS at_risk FROM ends)

SELECT
    waited_h,
    survival(sum(log_survival(happened, at_risk)) OVER (ORDER BY waited_h)) AS still_waiting,
    sum(ended) OVER () AS waits,
    are_enough_waits(sum(ended) OVER ()) AS is_told
FROM risks
QUALIFY happened > 0
ORDER BY waited_h
