-- What happened in a thread: time, kind, pseudonym, message, detail. Kinds are those of words `case.`.
WITH here AS (
    SELECT m.*, s.body
    FROM marts.messages AS m
    INNER JOIN staging.messages AS s ON m.source = s.source AND m.message_id = s.message_id
    WHERE m.source = getvariable('case_source') AND m.thread_id = getvariable('case_thread')
)

SELECT created_at AS happened_at, 'message' AS kind, person_id AS who, message_id AS about, body AS detail
FROM here
UNION ALL
SELECT edited_at, 'edited', person_id, message_id, NULL
FROM here
WHERE edited_at IS NOT NULL
UNION ALL
SELECT deleted_at, 'deleted', NULL, message_id, NULL
FROM here
WHERE deleted_at IS NOT NULL
UNION ALL
SELECT created_at, 'reported', NULL, message_id, kind
FROM marts.reports
WHERE source = getvariable('case_source') AND thread_id = getvariable('case_thread')
UNION ALL
SELECT resolved_at, 'resolved', NULL, message_id, outcome
FROM marts.reports
WHERE source = getvariable('case_source') AND thread_id = getvariable('case_thread') AND resolved_at IS NOT NULL
UNION ALL
SELECT h.created_at, 'found', h.person_id, j.message_id, concat_ws(', ', j.kind, array_to_string(j.evidence, ', '), j.model, j.model_version)
FROM judgement.threads AS j
INNER JOIN here AS h ON j.message_id = h.message_id
WHERE j.source = getvariable('case_source') AND j.thread_id = getvariable('case_thread')
UNION ALL
SELECT said_at, 'verdict', NULL, message_id, concat_ws(', ', finding, choice)
FROM marts.verdicts
WHERE source = getvariable('case_source') AND thread_id = getvariable('case_thread')
UNION ALL
SELECT solved_at, 'solved', NULL, NULL, NULL
FROM marts.threads
WHERE source = getvariable('case_source') AND thread_id = getvariable('case_thread') AND solved_at IS NOT NULL
ORDER BY happened_at ASC, kind DESC, about ASC
