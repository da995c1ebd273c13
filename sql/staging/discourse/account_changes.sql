-- user_histories.action: 2 trust level, 32 and 33 admin granted and revoked, 34 and 35 moderator.
SELECT
    source,
    record,
    payload ->> 'target_user_id' AS account_id,
    discourse_at(payload, 'created') AS changed_at,
    CASE WHEN (payload ->> 'action') = '2' THEN 'trust_level' WHEN (payload ->> 'action') IN ('32', '33') THEN 'admin' ELSE 'moderator' END AS what,
    CASE payload ->> 'action'
        WHEN '2' THEN try_cast(payload ->> 'previous_value' AS INTEGER)
        WHEN '33' THEN 1
        WHEN '35' THEN 1
        ELSE 0
    END AS before,
    CASE payload ->> 'action'
        WHEN '2' THEN try_cast(payload ->> 'new_value' AS INTEGER)
        WHEN '32' THEN 1
        WHEN '34' THEN 1
        ELSE 0
    END AS after
FROM raw.changed
WHERE
    platform = 'discourse' AND stream = 'staff_actions' AND (payload ->> 'target_user_id') IS NOT NULL
    AND (payload ->> 'action') IN ('2', '32', '33', '34', '35') AND gone_at IS NULL
