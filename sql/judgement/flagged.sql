WITH told AS (
    SELECT DISTINCT t.source, t.thread_id
    FROM judgement.threads AS t
    SEMI JOIN recent AS l ON t.source = l.source AND t.thread_id = l.thread_id
    WHERE t.kind <> 'question'
)

SELECT count(*) AS threads FROM told;
