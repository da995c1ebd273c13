-- What was decided after the moment of a build of the past is still open in it.
WITH made AS (
    SELECT
        *,
        CASE WHEN resolved_at IS NOT NULL AND NOT has_ended(resolved_at) THEN 'open' ELSE outcome END AS outcome_then,
        CASE WHEN has_ended(resolved_at) THEN resolved_at END AS resolved_at_then
    FROM staging.reports
    WHERE created_at <= as_of() AND NOT has_ended(gone_at)
)

SELECT
    r.source,
    r.report_id,
    k.about,
    r.kind,
    k.message_id,
    coalesce(m.thread_id, k.thread_id) AS thread_id,
    coalesce(m.channel_id, k.channel_id) AS channel_id,
    coalesce(m.person_id, person_id(r.source, k.account_id)) AS person_id,
    person_id(r.source, r.account_id) AS reporter_id,
    NOT r.is_automatic AND coalesce(is_human(a.is_bot, a.is_staged, a.username), TRUE) AS is_by_human,
    coalesce(m.is_private, c.is_private, TRUE) AS is_private,
    r.created_at,
    local_day(r.created_at) AS created_day,
    r.outcome_then AS outcome,
    r.resolved_at_then AS resolved_at,
    CASE WHEN r.outcome_then <> 'open' THEN person_id(r.source, r.resolver_account_id) END AS resolver_id,
    CASE
        WHEN r.resolved_at_then IS NOT NULL THEN greatest(hours_between(r.created_at, r.resolved_at_then), 0)
    END AS time_to_resolution_h
FROM made AS r
INNER JOIN staging.reported AS k ON r.source = k.source AND r.case_id = k.case_id
LEFT JOIN marts.messages AS m ON r.source = m.source AND k.message_id = m.message_id
LEFT JOIN marts.channels AS c ON r.source = c.source AND k.channel_id = c.channel_id
LEFT JOIN staging.accounts AS a ON r.source = a.source AND r.account_id = a.account_id
WHERE NOT has_ended(k.gone_at)
