-- Each report carries the message as it was when it was reported.
SELECT
    source,
    record,
    key AS case_id,
    'message' AS about,
    payload ->> '$.message._id' AS message_id,
    coalesce(payload ->> '$.message.tmid', payload ->> '$.message._id') AS thread_id,
    payload ->> '$.message.rid' AS channel_id,
    chat_author(payload -> 'message') AS account_id,
    gone_at
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'reports' AND payload IS NOT NULL
