DELETE FROM judgement.helpers AS h
USING recent AS l
WHERE h.source = l.source AND h.thread_id = l.thread_id;
