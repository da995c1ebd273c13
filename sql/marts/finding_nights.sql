-- A finding is one row for each stretch of nights in which its level, severity and version stayed; it is
-- new in the first night of its first row. One finding is one vote; a draw is none.
WITH nights AS (
    SELECT DISTINCT as_of AS night_at
    FROM raw.builds
    WHERE as_of BETWEEN as_of() - INTERVAL 366 DAYS AND as_of()
),

votes AS (
    SELECT
        source, thread_id, finding, text_hash,
        count_if(choice = 'agree') - count_if(choice = 'disagree') AS balance
    FROM marts.verdicts
    WHERE is_last
    GROUP BY ALL
),

found AS (
    SELECT
        f.*,
        row_number() OVER (
            PARTITION BY f.source, f.thread_id, f.kind, f.text_hash ORDER BY f.first_found_at
        ) = 1 AS is_first,
        t.told_on IS NOT NULL AS is_told,
        coalesce(v.balance, 0) AS balance
    FROM judgement.found AS f
    LEFT JOIN judgement.told AS t
        ON
            f.source = t.source AND f.thread_id = t.thread_id AND f.kind = t.finding
            AND f.text_hash = t.text_hash AND t.told_on < as_of_day()
    LEFT JOIN votes AS v
        ON
            f.source = v.source AND f.thread_id = v.thread_id AND f.kind = v.finding
            AND f.text_hash = v.text_hash
),

standing AS (
    SELECT n.night_at, f.*, f.is_first AND n.night_at = f.first_found_at AS is_new
    FROM nights AS n
    INNER JOIN found AS f ON n.night_at BETWEEN f.first_found_at AND f.last_found_at
),

counted AS (
    SELECT
        night_at, source, kind, level, severity, model, model_version,
        count(*) AS findings,
        count(*) FILTER (is_new) AS new_findings,
        count(*) FILTER (is_new AND is_told) AS told,
        count(*) FILTER (is_new AND balance <> 0) AS judged,
        count(*) FILTER (is_new AND balance > 0) AS agreed
    FROM standing
    GROUP BY ALL
)

SELECT
    night_at,
    local_day(night_at) AS night_day,
    source,
    kind,
    level,
    severity,
    model,
    model_version,
    findings,
    new_findings,
    told,
    judged,
    agreed,
    rate(agreed, judged) AS agreed_rate,
    rate_low(agreed, judged) AS agreed_rate_low,
    rate_high(agreed, judged) AS agreed_rate_high
FROM counted
