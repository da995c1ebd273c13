-- A room that is gone keeps what was said of it last: what was private is not opened by being deleted.
SELECT
    source,
    record,
    key AS channel_id,
    payload ->> 'access' AS access,
    nullif(utc(payload ->> 'asked_at'), 'epoch'::TIMESTAMP) AS read_at
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'room_reads' AND (payload ->> 'access') IS NOT NULL
