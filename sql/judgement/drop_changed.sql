-- All that was found in the conversations that changed.
DELETE FROM judgement.threads AS t
USING changed AS s
WHERE t.source = s.source AND t.thread_id = s.thread_id;

DELETE FROM judgement.conversations AS t
USING changed AS s
WHERE t.source = s.source AND t.thread_id = s.thread_id;
