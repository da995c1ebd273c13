-- A room of type c is public, p a private group. A discussion is a room with a parent (prid).
SELECT
    source,
    record,
    key AS channel_id,
    coalesce(payload ->> 'fname', payload ->> 'name', key) AS name,
    NULL AS about_thread_id,
    CASE
        WHEN (payload ->> 'prid') IS NOT NULL THEN 'discussion'
        WHEN (payload ->> 't') = 'c' THEN 'room'
        ELSE 'group'
    END AS kind,
    payload ->> 'prid' AS parent_id,
    coalesce(payload ->> 't', 'p') <> 'c' AS is_private,
    payload ->> 'teamId' AS team_id,
    coalesce(flag(payload ->> 'teamMain'), FALSE) AS is_team_main,
    gone_at,
    url || CASE WHEN (payload ->> 't') = 'c' THEN '/channel/' ELSE '/group/' END || url_encode(payload ->> 'name') || '?msg=' AS message_url
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'rooms' AND payload IS NOT NULL
