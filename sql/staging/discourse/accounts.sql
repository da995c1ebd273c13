-- An active account has confirmed its address; a staged one is made of whatever a mail claimed.
SELECT
    source,
    record,
    key AS account_id,
    payload ->> 'username' AS username,
    nullif(payload ->> 'name', '') AS name,
    try_cast(key AS BIGINT) <= 0 AS is_bot,
    coalesce(flag(payload ->> 'admin'), FALSE) OR coalesce(flag(payload ->> 'moderator'), FALSE) AS is_staff,
    coalesce(flag(payload ->> 'active'), TRUE) AS is_active,
    coalesce(flag(payload ->> 'staged'), FALSE) AS is_staged,
    try_cast(payload ->> 'trust_level' AS INTEGER) AS trust_level,
    discourse_at(payload, 'created') AS created_at,
    CASE
        WHEN coalesce(flag(payload ->> 'active'), FALSE) AND NOT coalesce(flag(payload ->> 'staged'), FALSE)
            THEN payload ->> 'email_md5'
    END AS email_hash,
    gone_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'users' AND payload IS NOT NULL
