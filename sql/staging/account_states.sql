-- Each part of what an account may do has a line of its own: what was seen, what the log says, and what
-- the log's first word says it was before. Where they meet, the account has a state.
WITH points AS (
    SELECT source, account_id, seen_at AS at_utc, 'admin' AS what, is_admin::INTEGER AS level
    FROM staging.account_versions
    UNION ALL
    SELECT source, account_id, seen_at AS at_utc, 'moderator' AS what, is_moderator::INTEGER AS level
    FROM staging.account_versions
    UNION ALL
    SELECT source, account_id, seen_at AS at_utc, 'bot' AS what, is_bot::INTEGER AS level
    FROM staging.account_versions
    UNION ALL
    SELECT source, account_id, seen_at AS at_utc, 'trust_level' AS what, trust_level AS level
    FROM staging.account_versions
    UNION ALL
    SELECT source, account_id, changed_at AS at_utc, what, after AS level
    FROM staging.account_changes
    UNION ALL
    SELECT source, account_id, '-infinity'::TIMESTAMP AS at_utc, what, arg_min(before, changed_at) AS level
    FROM staging.account_changes
    GROUP BY source, account_id, what
),

-- What is first known of an account holds for all time before, also where the build speaks of that time.
known AS (
    SELECT *
    FROM points
    QUALIFY has_ended(at_utc) OR at_utc = min(at_utc) OVER (PARTITION BY source, account_id, what)
),

moments AS (
    SELECT
        source, account_id, at_utc,
        max(level) FILTER (what = 'admin') AS admin,
        max(level) FILTER (what = 'moderator') AS moderator,
        max(level) FILTER (what = 'bot') AS bot,
        max(level) FILTER (what = 'trust_level') AS trust_level
    FROM known
    GROUP BY source, account_id, at_utc
),

-- What is not known yet is taken to have been what it was when it was first known.
states AS (
    SELECT
        source, account_id, at_utc,
        coalesce(last_value(admin IGNORE NULLS) OVER so_far, first_value(admin IGNORE NULLS) OVER later) AS admin,
        coalesce(last_value(moderator IGNORE NULLS) OVER so_far, first_value(moderator IGNORE NULLS) OVER later)
            AS moderator,
        coalesce(last_value(bot IGNORE NULLS) OVER so_far, first_value(bot IGNORE NULLS) OVER later) AS bot,
        coalesce(last_value(trust_level IGNORE NULLS) OVER so_far, first_value(trust_level IGNORE NULLS) OVER later)
            AS trust_level
    FROM moments
    WINDOW
        so_far AS (PARTITION BY source, account_id ORDER BY at_utc),
        later AS (
            PARTITION BY source, account_id ORDER BY at_utc ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        )
),

changes AS (
    SELECT *, lag(at_utc) OVER (PARTITION BY source, account_id ORDER BY at_utc) IS NULL AS is_earliest
    FROM states
    QUALIFY
        is_earliest
        OR (admin, moderator, bot, trust_level) IS DISTINCT FROM lag((admin, moderator, bot, trust_level))
            OVER (PARTITION BY source, account_id ORDER BY at_utc)
)

SELECT
    source,
    account_id,
    CASE WHEN bot = 1 THEN 'bot' WHEN admin = 1 THEN 'admin' WHEN moderator = 1 THEN 'moderator' ELSE 'member' END AS role,
    coalesce(admin = 1, FALSE) OR coalesce(moderator = 1, FALSE) AS is_staff,
    trust_level,
    CASE WHEN NOT is_earliest THEN at_utc END AS valid_from,
    lead(at_utc) OVER (PARTITION BY source, account_id ORDER BY at_utc) AS valid_to,
    is_earliest AND at_utc <> '-infinity'::TIMESTAMP AS is_first_seen
FROM changes
