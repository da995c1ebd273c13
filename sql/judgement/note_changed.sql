-- How they looked. What was found in those that are recent no more stays: it still says which of them asked something.
INSERT INTO judgement.conversations BY NAME
SELECT * FROM changed;

DELETE FROM judgement.conversations AS c
WHERE NOT EXISTS (
    SELECT 1
    FROM recent AS l
    WHERE l.source = c.source AND l.thread_id = c.thread_id
);
