-- Take the texts of threads that were quiet for so many days out of raw.records, and their sentences out of
-- judgement. The last statement counts the records that lost theirs.
CREATE OR REPLACE TEMP TABLE quiet AS
SELECT source, thread_id
FROM staging.messages
GROUP BY ALL
HAVING max(created_at) < as_of() - to_days($days);

-- Revisions are not typed; they hold texts too, and go by their own age.
CREATE OR REPLACE TEMP TABLE leaving AS
SELECT m.source, m.record
FROM staging.messages AS m
INNER JOIN quiet AS q ON m.source = q.source AND m.thread_id = q.thread_id

UNION

SELECT source, record
FROM staging.reports
WHERE created_at < as_of() - to_days($days)

UNION

SELECT source, stream || '/' || key AS record
FROM raw.records
WHERE stream = 'revisions' AND make_timestamp(coalesce("at", first_seen_at)) < as_of() - to_days($days);

UPDATE judgement.scores AS s SET sentence = NULL
FROM staging.messages AS m
INNER JOIN quiet AS q ON m.source = q.source AND m.thread_id = q.thread_id
WHERE s.source = m.source AND s.message_id = m.message_id AND s.sentence IS NOT NULL;

UPDATE judgement.threads AS t SET sentence = NULL, context = NULL
FROM quiet AS q
WHERE t.source = q.source AND t.thread_id = q.thread_id AND coalesce(t.sentence, t.context) IS NOT NULL;

UPDATE raw.records AS r
SET
    payload = without_text(r.stream, r.payload),
    load = (SELECT max(o.load) + 1 FROM raw.records AS o)
FROM leaving AS l
WHERE
    r.source = l.source AND r.stream || '/' || r.key = l.record
    AND without_text(r.stream, r.payload) <> r.payload
    AND (r.payload ->> 'let_go') IS NULL;
