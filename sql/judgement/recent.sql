-- Conversations that may be judged tonight, a row a message. One whose first message has let its text go cannot be
-- judged: what was found in it stays.
CREATE OR REPLACE TEMP TABLE recent AS
SELECT *
FROM marts.conversations
QUALIFY bool_or(is_first) OVER (PARTITION BY source, thread_id);
