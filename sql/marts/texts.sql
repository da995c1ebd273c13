-- A view: it stores no text a second time.
SELECT
    s.source,
    s.message_id,
    s.thread_id,
    t.title,
    s.body,
    s.form,
    coalesce(s.url, t.url) AS url
FROM staging.messages AS s
INNER JOIN marts.messages AS m ON s.source = m.source AND s.message_id = m.message_id
LEFT JOIN staging.threads AS t ON s.source = t.source AND s.thread_id = t.thread_id
WHERE NOT m.is_private AND NOT m.is_deleted AND s.body IS NOT NULL
