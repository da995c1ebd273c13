-- By REST a flagged post is named by its post_id; a queued post has none before it is approved. A chat
-- message's report had another name once.
SELECT
    source,
    record,
    key AS case_id,
    CASE
        WHEN (payload ->> 'type') = 'ReviewableQueuedPost' THEN 'queued'
        WHEN (payload ->> 'type') = 'ReviewableUser' THEN 'account'
        WHEN (payload ->> 'type') IN ('Chat::ReviewableMessage', 'ReviewableChatMessage') THEN 'message'
        WHEN (payload ->> 'post_id') IS NOT NULL OR (payload ->> 'target_type') = 'Post' THEN 'message'
        ELSE 'other'
    END AS about,
    coalesce(
        payload ->> 'post_id',
        CASE
            WHEN (payload ->> 'type') IN ('Chat::ReviewableMessage', 'ReviewableChatMessage')
                THEN 'chat:' || (payload ->> 'target_id')
            WHEN (payload ->> 'target_type') = 'Post' THEN payload ->> 'target_id'
        END
    ) AS message_id,
    payload ->> 'topic_id' AS thread_id,
    payload ->> 'category_id' AS channel_id,
    payload ->> 'target_created_by_id' AS account_id,
    gone_at
FROM raw.changed
WHERE platform = 'discourse' AND stream = 'reports' AND payload IS NOT NULL
