-- Data Explorer gives the Solved plugin's own rows; by REST the accepted post says so itself.
SELECT
    source,
    record,
    payload ->> 'topic_id' AS thread_id,
    payload ->> 'answer_post_id' AS message_id,
    payload ->> 'accepter_user_id' AS account_id,
    discourse_at(payload, 'created') AS accepted_at,
    gone_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'solutions' AND payload IS NOT NULL

UNION ALL

SELECT
    source,
    record,
    payload ->> 'topic_id' AS thread_id,
    key AS message_id,
    NULL AS account_id,
    NULL::TIMESTAMP AS accepted_at,
    gone_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'posts' AND flag(payload ->> 'accepted_answer')
