-- Bots by type or role; rocket.cat is built in.
SELECT
    source,
    record,
    key AS account_id,
    payload ->> 'username' AS username,
    nullif(payload ->> 'name', '') AS name,
    coalesce(payload ->> 'type', 'user') IN ('bot', 'app')
    OR list_has_any(coalesce(payload ->> '$.roles[*]', []), ['bot', 'app'])
    OR key = 'rocket.cat' AS is_bot,
    list_has_any(coalesce(payload ->> '$.roles[*]', []), ['admin', 'moderator', 'owner']) AS is_staff,
    coalesce(flag(payload ->> 'active'), TRUE) AS is_active,
    FALSE AS is_staged,
    NULL::INTEGER AS trust_level,
    utc(payload ->> 'createdAt') AS created_at,
    payload ->> 'email_md5' AS email_hash,
    gone_at
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'users' AND payload IS NOT NULL
