SELECT
    source,
    record,
    key AS account_id,
    seen_at,
    state ->> 'username' AS username,
    coalesce(flag(state ->> 'admin'), FALSE) AS is_admin,
    coalesce(flag(state ->> 'moderator'), FALSE) AS is_moderator,
    try_cast(key AS BIGINT) <= 0 AS is_bot,
    try_cast(state ->> 'trust_level' AS INTEGER) AS trust_level
FROM raw.changed_versions
WHERE platform = 'discourse' AND stream = 'users'
