-- What no model reads is unscored, which is not clean: shares are of what was scored.
WITH judged AS (
    SELECT
        week_of(m.created_day) AS week,
        m.source,
        m.message_id,
        coalesce(s.language, 'unknown') AS language,
        s.label,
        s.model_version,
        s.score IS NOT NULL AS is_scored,
        coalesce(s.score >= s.threshold, FALSE) AS is_flagged
    FROM judgement.scores AS s
    INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
    WHERE s.label <> 'question' AND m.is_countable AND m.is_human
),

-- What most moderators agreed with is confirmed; a tie is not.
said AS (
    SELECT
        source, message_id,
        count_if(choice = 'agree') > count_if(choice = 'disagree') AS is_confirmed
    FROM marts.verdicts
    WHERE finding <> 'question' AND is_last AND choice IN ('agree', 'disagree')
    GROUP BY ALL
)

SELECT
    j.week,
    j.source,
    j.language,
    j.label,
    j.model_version,
    count(*) FILTER (is_scored) AS scored,
    count(*) FILTER (NOT is_scored) AS unscored,
    count(*) FILTER (is_flagged) AS flagged,
    rate(count(*) FILTER (is_flagged), count(*) FILTER (is_scored)) AS flagged_rate,
    rate_low(count(*) FILTER (is_flagged), count(*) FILTER (is_scored)) AS flagged_rate_low,
    rate_high(count(*) FILTER (is_flagged), count(*) FILTER (is_scored)) AS flagged_rate_high,
    count(v.is_confirmed) FILTER (is_flagged) AS decided,
    count(*) FILTER (is_flagged AND v.is_confirmed) AS confirmed,
    any_value(w.covered_rate) AS covered_rate,
    is_final(j.week + 6) AS is_final
FROM judged AS j
LEFT JOIN said AS v ON j.source = v.source AND j.message_id = v.message_id
LEFT JOIN marts.covered_weeks AS w ON j.week = w.week AND j.source = w.source
GROUP BY j.week, j.source, j.language, j.label, j.model_version
