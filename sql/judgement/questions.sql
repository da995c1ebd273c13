-- What was asked, whether it waits, and who helped; the newest first, for old ones have been told before.
SELECT f.*, is_waiting(j.level, j.rule, t.is_solved) AS is_waiting, a.person_id AS helper
FROM judgement.threads AS j
INNER JOIN marts.threads AS t ON j.source = t.source AND j.thread_id = t.thread_id
INNER JOIN recent AS f ON j.source = f.source AND j.thread_id = f.thread_id AND f.is_first
LEFT JOIN recent AS a
    ON j.source = a.source AND j.thread_id = a.thread_id AND j.answer_id = a.message_id
WHERE j.kind = 'question'
ORDER BY f.created_at DESC, f.thread_id DESC, f.source ASC;
