-- The conversations that changed: their own messages, and in flat channels those that answer them from outside.
SELECT l.*
FROM recent AS l
SEMI JOIN changed AS s ON l.source = s.source AND l.thread_id = s.thread_id
ORDER BY l.source, l.thread_id, l.created_at, l.message_id;
