-- Kaplan and Meier (1958): S(t) is the product over t_i <= t of 1 - d_i / n_i; those who still wait
-- leave the risk set at their age. exp(-700) stands for the 0 that ln cannot say.
WITH questions AS (
    SELECT
        t.has_response,
        t.is_by_newcomer,
        t.first_response_at,
        coalesce(t.time_to_first_response_h, hours_between(t.created_at, as_of())) AS waited_h
    FROM judgement.threads AS j
    INNER JOIN marts.threads AS t ON j.source = t.source AND j.thread_id = t.thread_id
    WHERE j.kind = 'question' AND t.is_countable AND t.created_at >= as_of() - INTERVAL 90 DAYS
),

steps AS (
    SELECT
        waited_h,
        count_if(has_response) AS answered,
        sum(count(*)) OVER (ORDER BY waited_h DESC) AS at_risk
    FROM questions
    GROUP BY waited_h
),

curve AS (
    SELECT
        waited_h,
        answered,
        exp(
            sum(CASE WHEN answered < at_risk THEN ln(1 - answered / at_risk) ELSE -700 END)
                OVER (ORDER BY waited_h)
        ) AS still_waiting
    FROM steps
),

percentiles AS (
    SELECT
        min(waited_h) FILTER (still_waiting <= 0.5 + 1e-9 AND answered > 0) AS p50_h,
        min(waited_h) FILTER (still_waiting <= 0.1 + 1e-9 AND answered > 0) AS p90_h
    FROM curve
),

counts AS (
    SELECT
        count(*) AS questions,
        count(*) FILTER (NOT has_response) AS waiting,
        count(*) FILTER (NOT has_response AND is_by_newcomer) AS newcomers_waiting,
        count(*) FILTER (hours_between(first_response_at, as_of()) BETWEEN 0 AND 24) AS answered_yesterday
    FROM questions
)

SELECT
    as_of() AS as_of,
    c.questions,
    c.waiting,
    c.newcomers_waiting,
    c.answered_yesterday,
    CASE WHEN c.questions >= 20 THEN p.p50_h END AS p50_h,
    CASE WHEN c.questions >= 20 THEN p.p90_h END AS p90_h,
    (
        SELECT count(*)
        FROM (SELECT DISTINCT i.source, i.thread_id FROM marts.digest_items AS i WHERE i.kind IN ('sour', 'toxic')) AS f
    ) AS flagged,
    (
        SELECT count(*)
        FROM judgement.scores AS s
        INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
        WHERE s.score IS NULL AND s.label = 'uncivil' AND m.is_countable AND m.created_at >= as_of() - INTERVAL 30 DAYS
    ) AS unscored
FROM counts AS c, percentiles AS p
