-- Messages that have no score by this judge on this text; the last statement reads them. Scores that are out of date
-- go first, so a night that is killed goes on where it stopped. So do those of messages that turned out to be a bot's.
DELETE FROM judgement.scores AS j
USING marts.messages AS m
WHERE j.source = m.source AND j.message_id = m.message_id AND NOT m.is_human;

-- A step of its own: DuckDB would hold both joins in memory at once.
CREATE OR REPLACE TEMP TABLE said AS
SELECT source, message_id, body_hash
FROM marts.wordings
WHERE is_human AND deleted_at IS NULL;

CREATE OR REPLACE TEMP TABLE unjudged AS
SELECT s.source, s.message_id
FROM said AS s
WHERE NOT EXISTS (
    SELECT 1
    FROM judgement.scores AS j
    WHERE
        j.source = s.source AND j.message_id = s.message_id
        AND j.body_hash = s.body_hash AND j.model_version = $version
);

DELETE FROM judgement.scores AS j
USING unjudged AS u
WHERE j.source = u.source AND j.message_id = u.message_id;

-- A text that young is often mended; it is judged the night after.
SELECT w.*
FROM marts.wordings AS w
SEMI JOIN unjudged AS u ON w.source = u.source AND w.message_id = u.message_id
WHERE w.settled_at <= $as_of::TIMESTAMP - INTERVAL 30 MINUTES;
