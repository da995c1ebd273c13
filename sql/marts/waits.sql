WITH known AS (
    SELECT *
    FROM marts.threads
    WHERE is_countable AND is_by_human
),

asked AS (
    SELECT
        k.*, 'topics' AS population,
        k.first_response_at AS responded_at,
        CASE WHEN k.is_solved_by_author THEN k.solved_at END AS settled_at
    FROM known AS k
    INNER JOIN staging.threads AS s ON k.source = s.source AND k.thread_id = s.thread_id
    WHERE s.holds_messages AND NOT k.is_notice

    UNION ALL

    SELECT
        k.*, 'questions' AS population,
        CASE WHEN j.level <> 'L0' THEN coalesce(k.first_response_at, j.responded_at) END AS responded_at,
        CASE WHEN j.state IN ('helped', 'solved') THEN coalesce(k.solved_at, k.last_message_at) END AS settled_at
    FROM known AS k
    INNER JOIN judgement.threads AS j ON k.source = j.source AND k.thread_id = j.thread_id
    WHERE j.kind = 'question' AND k.created_at >= as_of() - lookback()
),

solving AS (
    SELECT DISTINCT source
    FROM staging.solutions
),

waited AS (
    SELECT *, 'response' AS event, responded_at AS happened_at, settled_at AS ended_at
    FROM asked

    UNION ALL

    SELECT *, 'solution' AS event, solved_at AS happened_at, NULL AS ended_at
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
    happened_at IS NULL AND ended_at IS NULL AS is_waiting,
    greatest(hours_between(created_at, coalesce(happened_at, ended_at, as_of())), 0) AS waited_h,
    hours_between(created_at, as_of()) AS age_h
FROM waited
