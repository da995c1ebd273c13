SELECT
    source,
    record,
    key AS account_id,
    seen_at,
    state ->> 'username' AS username,
    list_contains(coalesce(state ->> '$.roles[*]', []), 'admin') AS is_admin,
    list_has_any(coalesce(state ->> '$.roles[*]', []), ['moderator', 'owner']) AS is_moderator,
    coalesce(state ->> 'type', 'user') IN ('bot', 'app')
    OR list_has_any(coalesce(state ->> '$.roles[*]', []), ['bot', 'app'])
    OR key = 'rocket.cat' AS is_bot,
    NULL::INTEGER AS trust_level
FROM raw.changed_versions
WHERE platform = 'rocketchat' AND stream = 'users'
