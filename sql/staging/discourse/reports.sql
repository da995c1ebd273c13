-- A score is one report: status 0 pending, 1 agreed, 2 disagreed, 3 ignored. Scores of accounts with
-- ids below 1 are the system's own: a post held back for approval, a spam filter.
SELECT
    source,
    record,
    key AS report_id,
    payload ->> 'reviewable_id' AS case_id,
    payload ->> 'user_id' AS account_id,
    coalesce(try_cast(payload ->> 'user_id' AS BIGINT) <= 0, FALSE) AS is_automatic,
    CASE payload ->> 'score_type_id'
        WHEN '3' THEN 'off_topic'
        WHEN '4' THEN 'inappropriate'
        WHEN '6' THEN 'notify_user'
        WHEN '7' THEN 'notify_moderators'
        WHEN '8' THEN 'spam'
        WHEN '9' THEN 'needs_approval'
        WHEN '10' THEN 'illegal'
        ELSE 'custom'
    END AS kind,
    discourse_at(payload, 'created') AS created_at,
    CASE payload ->> 'status'
        WHEN '0' THEN 'open'
        WHEN '1' THEN 'agreed'
        WHEN '2' THEN 'disagreed'
        ELSE 'ignored'
    END AS outcome,
    discourse_at(payload, 'reviewed') AS resolved_at,
    payload ->> 'reviewed_by_id' AS resolver_account_id,
    gone_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'report_scores' AND payload IS NOT NULL
