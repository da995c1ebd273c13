-- Log-rank test (Mantel 1966) of each group against the others of its aspect: whenever somebody is
-- answered, a group can expect its part of those who wait. Curves as in marts.wait_times; the
-- interval of the gap is Newcombe's (1998, method 10).
WITH languages AS (
    SELECT m.source, m.thread_id, s.language
    FROM judgement.scores AS s
    INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
    WHERE m.is_first AND s.label = 'uncivil'
),

asked AS (
    SELECT
        w.population, w.source, w.waited_h, w.has_happened, w.age_h, w.asker, l.language,
        ['00-06', '06-12', '12-18', '18-24'][local_hour(w.created_at) // 6 + 1] AS hours
    FROM marts.waits AS w
    LEFT JOIN languages AS l ON w.source = l.source AND w.thread_id = l.thread_id
    WHERE w.event = 'response' AND w.created_at >= as_of() - lookback()
),

placed AS (
    SELECT * FROM asked UNPIVOT (group_name FOR aspect IN (asker, language, hours))
),

group_sizes AS (
    SELECT
        population, source, aspect, group_name,
        count(*) AS threads,
        count(*) FILTER (has_happened) AS answered,
        count(*) FILTER (age_h >= 24) AS due_24h,
        count(*) FILTER (age_h >= 24 AND has_happened AND waited_h <= 24) AS within_24h
    FROM placed
    GROUP BY ALL
),

compared AS (
    SELECT
        *,
        (sum(threads) OVER aspects - threads)::BIGINT AS others,
        (sum(due_24h) OVER aspects - due_24h)::BIGINT AS others_due_24h,
        (sum(within_24h) OVER aspects - within_24h)::BIGINT AS others_within_24h
    FROM group_sizes
    WINDOW aspects AS (PARTITION BY population, source, aspect)
),

ends AS (
    SELECT
        m.population, m.source, m.aspect, m.group_name, p.waited_h,
        count(*) FILTER (p.has_happened) AS happened,
        count(*) FILTER (p.has_happened AND p.group_name = m.group_name) AS own_happened,
        sum(count(*)) OVER still AS at_risk,
        sum(count(*) FILTER (p.group_name = m.group_name)) OVER still AS own_at_risk
    FROM group_sizes AS m
    INNER JOIN placed AS p ON m.population = p.population AND m.source = p.source AND m.aspect = p.aspect
    GROUP BY m.population, m.source, m.aspect, m.group_name, p.waited_h
    WINDOW still AS (PARTITION BY m.population, m.source, m.aspect, m.group_name ORDER BY p.waited_h DESC)
),

curves AS (
    SELECT
        *,
        own_at_risk / at_risk AS part,
        survival(sum(log_survival(own_happened, own_at_risk)) OVER (
            PARTITION BY population, source, aspect, group_name ORDER BY waited_h
        )) AS still_waiting
    FROM ends
),

tested AS (
    SELECT
        population, source, aspect, group_name,
        min(waited_h) FILTER (still_waiting <= 0.5) AS p50_h,
        sum(happened * part ORDER BY waited_h) AS expected_answered,
        sum(happened * part * (1 - part) * (at_risk - happened) / (at_risk - 1) ORDER BY waited_h) FILTER (
            at_risk > 1
        ) AS variance
    FROM curves
    GROUP BY ALL
)

SELECT
    c.population,
    c.source,
    c.aspect,
    c.group_name,
    c.threads,
    c.others,
    c.answered,
    t.expected_answered,
    CASE
        WHEN least(c.threads, c.others) >= 20 AND t.variance > 0
            THEN two_sided_p((c.answered - t.expected_answered) / sqrt(t.variance))
    END AS log_rank_p,
    CASE WHEN are_enough_waits(c.threads) THEN t.p50_h END AS p50_h,
    c.due_24h,
    c.within_24h,
    c.others_due_24h,
    c.others_within_24h,
    rate(c.within_24h, c.due_24h) AS within_24h_rate,
    rate(c.others_within_24h, c.others_due_24h) AS others_within_24h_rate,
    within_24h_rate - others_within_24h_rate AS gap,
    gap - sqrt(
        (within_24h_rate - rate_low(c.within_24h, c.due_24h)) ** 2
        + (rate_high(c.others_within_24h, c.others_due_24h) - others_within_24h_rate) ** 2
    ) AS gap_low,
    gap + sqrt(
        (rate_high(c.within_24h, c.due_24h) - within_24h_rate) ** 2
        + (others_within_24h_rate - rate_low(c.others_within_24h, c.others_due_24h)) ** 2
    ) AS gap_high
FROM compared AS c
INNER JOIN tested AS t
    ON c.population = t.population AND c.source = t.source AND c.aspect = t.aspect AND c.group_name = t.group_name
