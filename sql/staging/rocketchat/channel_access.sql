SELECT
    source,
    record,
    key AS channel_id,
    payload ->> 'access' AS access
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'room_reads' AND payload IS NOT NULL AND gone_at IS NULL
