WITH asked AS (
    SELECT
        w.source, w.thread_id, w.population, w.created_day, w.age_h, w.has_happened AS is_answered,
        t.person_id, t.first_response_at,
        s.thread_id IS NOT NULL AND s.age_h >= 168 AS is_due_168h,
        coalesce(s.has_happened AND s.waited_h <= 168, FALSE) AS is_solved_168h
    FROM marts.waits AS w
    INNER JOIN marts.threads AS t ON w.source = t.source AND w.thread_id = t.thread_id
    LEFT JOIN marts.waits AS s
        ON
            w.source = s.source AND w.thread_id = s.thread_id AND w.population = s.population
            AND s.event = 'solution'
    WHERE w.event = 'response' AND is_in_whole_week(w.population, w.created_day)
),

-- Chosen first, or all that askers ever thanked for would be joined.
answers AS MATERIALIZED (
    SELECT t.source, t.thread_id, t.person_id, l.message_id
    FROM asked AS t
    INNER JOIN marts.links AS l ON t.source = l.source AND t.thread_id = l.thread_id
),

thanked AS (
    SELECT DISTINCT a.source, a.thread_id
    FROM answers AS a
    INNER JOIN marts.reactions AS r
        ON a.source = r.source AND a.message_id = r.message_id AND a.person_id = r.person_id
    WHERE is_thanks(r.emoji) AND NOT r.is_removed
),

returned AS (
    SELECT DISTINCT t.source, t.thread_id
    FROM asked AS t
    INNER JOIN marts.person_days AS d
        ON
            t.source = d.source AND t.person_id = d.person_id
            AND d.day > t.created_day AND d.day <= t.created_day + 30
    WHERE d.messages > 0
),

-- What the asker wrote in the thread once it was answered, as far as it could be judged.
followed AS (
    SELECT t.source, t.thread_id, bool_or(s.score >= s.threshold) AS is_unkind
    FROM asked AS t
    INNER JOIN marts.messages AS m
        ON
            t.source = m.source AND t.thread_id = m.thread_id AND t.person_id = m.person_id
            AND m.created_at > t.first_response_at
    INNER JOIN judgement.scores AS s ON m.source = s.source AND m.message_id = s.message_id
    WHERE s.label = 'uncivil' AND m.is_countable
    GROUP BY t.source, t.thread_id
),

parts AS (
    SELECT
        a.*,
        week_of(a.created_day) AS week,
        t.thread_id IS NOT NULL AS is_thanked,
        a.created_day + 30 < as_of_day() AND a.person_id IS NOT NULL AS is_due_30d,
        r.thread_id IS NOT NULL AS has_returned_30d,
        f.is_unkind
    FROM asked AS a
    LEFT JOIN thanked AS t ON a.source = t.source AND a.thread_id = t.thread_id
    LEFT JOIN returned AS r ON a.source = r.source AND a.thread_id = r.thread_id
    LEFT JOIN followed AS f ON a.source = f.source AND a.thread_id = f.thread_id
)

SELECT
    p.week,
    p.source,
    p.population,
    count(*) FILTER (is_due_168h) AS due_168h,
    count(*) FILTER (is_due_168h AND is_solved_168h) AS solved_168h,
    rate(count(*) FILTER (is_due_168h AND is_solved_168h), count(*) FILTER (is_due_168h)) AS solved_168h_rate,
    count(*) FILTER (is_answered) AS answered,
    count(*) FILTER (is_thanked) AS thanked,
    rate(count(*) FILTER (is_thanked), count(*) FILTER (is_answered)) AS thanked_rate,
    count(*) FILTER (is_due_30d) AS due_30d,
    count(*) FILTER (is_due_30d AND has_returned_30d) AS returned_30d,
    rate(count(*) FILTER (is_due_30d AND has_returned_30d), count(*) FILTER (is_due_30d)) AS returned_30d_rate,
    count(is_unkind) AS judged_follow_ups,
    count(*) FILTER (is_unkind) AS unkind_follow_ups,
    any_value(w.covered_rate) AS covered_rate,
    is_final(p.week + 36) AS is_final
FROM parts AS p
LEFT JOIN marts.covered_weeks AS w ON p.week = w.week AND p.source = w.source
GROUP BY p.week, p.source, p.population
