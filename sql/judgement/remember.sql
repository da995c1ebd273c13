-- Carry on the rows of judgement.found that the night before told of what tonight finds too, and add the rest.
CREATE OR REPLACE TEMP MACRO is_same(f, t) AS
f.source IS NOT DISTINCT FROM t.source AND f.thread_id IS NOT DISTINCT FROM t.thread_id
AND f.kind IS NOT DISTINCT FROM t.kind AND f.text_hash IS NOT DISTINCT FROM t.text_hash
AND f.level IS NOT DISTINCT FROM t.level AND f.severity IS NOT DISTINCT FROM t.severity
AND f.model IS NOT DISTINCT FROM t.model AND f.model_version IS NOT DISTINCT FROM t.model_version;

CREATE OR REPLACE TEMP TABLE found_tonight AS
SELECT t.*
FROM judgement.threads AS t
SEMI JOIN recent AS c ON t.source = c.source AND t.thread_id = c.thread_id;

-- What was found earlier this same night and is found no more ended the night before.
DELETE FROM judgement.found AS f
WHERE
    f.first_found_at = $tonight AND f.last_found_at = $tonight
    AND NOT EXISTS (SELECT t.kind FROM found_tonight AS t WHERE is_same(f, t));

UPDATE judgement.found AS f SET last_found_at = $last
WHERE
    f.last_found_at = $tonight
    AND NOT EXISTS (SELECT t.kind FROM found_tonight AS t WHERE is_same(f, t));

UPDATE judgement.found AS f SET last_found_at = $tonight
FROM found_tonight AS t
WHERE is_same(f, t) AND f.last_found_at = $last;

INSERT INTO judgement.found BY NAME
WITH carried_on AS (SELECT * FROM judgement.found WHERE last_found_at = $tonight)

SELECT
    t.source, t.thread_id, t.kind, t.text_hash, t.message_id, t.level, t.severity, t.model, t.model_version,
    $tonight AS first_found_at,
    $tonight AS last_found_at
FROM found_tonight AS t
ANTI JOIN carried_on ON is_same(carried_on, t);
