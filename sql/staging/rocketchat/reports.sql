-- A report that was dealt with is hidden and says how. `action` is the console's free text: what does
-- not speak of deleting or deactivating left message and author alone, so the report was not agreed to.
SELECT
    source,
    record,
    key AS report_id,
    key AS case_id,
    payload ->> '$.reportedBy._id' AS account_id,
    FALSE AS is_automatic,
    'free_text' AS kind,
    utc(payload ->> 'ts') AS created_at,
    CASE
        WHEN NOT coalesce(flag(payload ->> '_hidden'), FALSE) THEN 'open'
        WHEN regexp_matches(coalesce(payload ->> '$.moderationInfo.action', ''), 'delete|deactivat', 'i') THEN 'agreed'
        ELSE 'disagreed'
    END AS outcome,
    utc(payload ->> '$.moderationInfo.hiddenAt') AS resolved_at,
    payload ->> '$.moderationInfo.moderatedBy' AS resolver_account_id,
    gone_at
FROM raw.changed
WHERE platform = 'rocketchat' AND stream = 'reports' AND payload IS NOT NULL
