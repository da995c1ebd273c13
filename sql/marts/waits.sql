WITH known AS (
    SELECT *
    FROM marts.threads
    WHERE is_countable AND is_by_human
),

asked AS (
    SELECT k.*, 'topics' AS population
    FROM known AS k
    INNER JOIN staging.threads AS s ON k.source = s.source AND k.thread_id = s.thread_id
    WHERE s.holds_messages AND NOT k.is_notice

    UNION ALL

    SELECT k.*, 'questions' AS population
    FROM known AS k
    INNER JOIN judgement.threads AS j ON k.source = j.source AND k.thread_id = j.thread_id
    WHERE j.kind = 'question' AND k.created_at >= as_of() - INTERVAL 90 DAYS
),

solving AS (
    SELECT DISTINCT source
    FROM staging.solutions
),

waited AS (
    SELECT *, 'response' AS event, first_response_at AS happened_at, time_to_first_response_h AS happened_h
    FROM asked

    UNION ALL

    SELECT *, 'solution' AS event, solved_at AS happened_at, hours_between(created_at, solved_at) AS happened_h
    FROM asked
    WHERE source IN (FROM solving) AND (solved_at IS NOT NULL OR NOT is_solved)
)

SELECT
    source,
    thread_id,
    population,
    event,
    channel_id,
    CASE WHEN is_by_newcomer THEN 'newcomer' ELSE 'regular' END AS asker,
    created_at,
    created_day,
    happened_at IS NOT NULL AS has_happened,
    CASE
        WHEN happened_at IS NULL THEN hours_between(created_at, as_of()) ELSE greatest(happened_h, 0)
    END AS waited_h,
    hours_between(created_at, as_of()) AS age_h
FROM waited
