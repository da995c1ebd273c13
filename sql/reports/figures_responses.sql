WITH asked AS (
    SELECT
        event,
        count(*) AS waits,
        count(*) FILTER (NOT has_happened) AS waiting,
        rate(
            count(*) FILTER (age_h >= 24 AND has_happened AND waited_h <= 24),
            count(*) FILTER (age_h >= 24)
        ) AS within_24h_rate,
        rate(
            count(*) FILTER (age_h >= 168 AND has_happened AND waited_h <= 168),
            count(*) FILTER (age_h >= 168)
        ) AS within_168h_rate
    FROM marts.waits
    WHERE population = 'questions' AND in_period(created_day)
    GROUP BY event
)

SELECT
    coalesce(any_value(waits) FILTER (event = 'response'), 0) AS questions,
    any_value(within_24h_rate) FILTER (event = 'response') AS answered_24h_rate,
    any_value(within_168h_rate) FILTER (event = 'solution') AS solved_168h_rate,
    coalesce(any_value(waiting) FILTER (event = 'response'), 0) AS still_waiting
FROM asked
