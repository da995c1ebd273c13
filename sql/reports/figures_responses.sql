-- Questions are known of the last 90 days only (marts.waits): of a time before, nothing is told.
WITH asked AS (
    SELECT
        population,
        event,
        count(*) AS waits,
        count(*) FILTER (is_waiting) AS waiting,
        rate(
            count(*) FILTER (age_h >= 24 AND has_happened AND waited_h <= 24),
            count(*) FILTER (age_h >= 24)
        ) AS within_24h_rate,
        rate(
            count(*) FILTER (age_h >= 168 AND has_happened AND waited_h <= 168),
            count(*) FILTER (age_h >= 168)
        ) AS within_168h_rate
    FROM marts.waits
    WHERE in_period(created_day) AND (population = 'topics' OR first_day() > as_of_day() - 90)
    GROUP BY population, event
),

questions AS (SELECT * FROM asked WHERE population = 'questions')

SELECT
    CASE WHEN first_day() > as_of_day() - 90 THEN coalesce(sum(waits) FILTER (event = 'response'), 0)::BIGINT END
        AS questions,
    any_value(within_24h_rate) FILTER (event = 'response') AS answered_24h_rate,
    any_value(within_168h_rate) FILTER (event = 'solution') AS solved_168h_rate,
    CASE WHEN first_day() > as_of_day() - 90 THEN coalesce(sum(waiting) FILTER (event = 'response'), 0)::BIGINT END
        AS still_waiting,
    (SELECT a.within_24h_rate FROM asked AS a WHERE a.population = 'topics' AND a.event = 'response')
        AS topics_24h_rate
FROM questions
