WITH questions AS (
    SELECT *
    FROM marts.waits
    WHERE population = 'questions' AND event = 'response' AND created_at >= as_of() - lookback()
),

percentiles AS (
    SELECT
        max(p50_h) AS p50_h, max(p90_h) AS p90_h,
        max(p50_low_h) AS p50_low_h, max(p50_high_h) AS p50_high_h,
        max(p90_low_h) AS p90_low_h, max(p90_high_h) AS p90_high_h
    FROM marts.wait_times
    WHERE
        population = 'questions' AND event = 'response' AND period = 'last_90_days'
        AND source = 'all' AND channel_id = 'all' AND asker = 'all'
),

counts AS (
    SELECT
        count(*) AS questions,
        count(*) FILTER (is_waiting) AS waiting,
        count(*) FILTER (is_waiting AND asker = 'newcomer') AS newcomers_waiting,
        count(*) FILTER (has_happened AND age_h - waited_h <= 24) AS answered_yesterday
    FROM questions
),

nights AS (
    SELECT as_of() - to_days(days.ago::INTEGER) AS night
    FROM range(1, 14) AS days (ago)
    WHERE as_of() - to_days(days.ago::INTEGER) >= (SELECT min(w.created_at) FROM marts.waits AS w)
),

backlogs AS (
    SELECT n.night, count(w.thread_id) AS waiting
    FROM nights AS n
    LEFT JOIN marts.waits AS w
        ON
            w.population = 'questions' AND w.event = 'response'
            AND w.created_at BETWEEN n.night - lookback() AND n.night
            AND (w.is_waiting OR hours_between(w.created_at, n.night) < w.waited_h)
    GROUP BY n.night
)

SELECT
    as_of() AS as_of,
    c.questions,
    c.waiting,
    c.newcomers_waiting,
    c.answered_yesterday,
    (SELECT coalesce(list(b.waiting ORDER BY b.night), []) FROM backlogs AS b) AS waiting_before,
    p.p50_h,
    p.p50_low_h,
    p.p50_high_h,
    p.p90_h,
    p.p90_low_h,
    p.p90_high_h,
    (
        SELECT rate(count(*) FILTER (v.is_covered), count(*))
        FROM marts.coverage AS v
        WHERE v.day >= as_of_day() - 30
    ) AS coverage_rate,
    (
        SELECT count(*)
        FROM (SELECT DISTINCT i.source, i.thread_id FROM marts.digest_items AS i WHERE i.kind IN ('sour', 'toxic')) AS f
    ) AS flagged,
    (
        SELECT count(*)
        FROM (
            SELECT DISTINCT s.source, s.message_id
            FROM judgement.scores AS s
            INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
            WHERE s.score IS NULL AND m.is_countable AND m.created_at >= as_of() - INTERVAL 30 DAYS
        ) AS n
    ) AS unscored
FROM counts AS c, percentiles AS p
