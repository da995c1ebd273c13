-- Members whose report of a message no moderator has decided yet.
CREATE OR REPLACE TEMP TABLE reported AS
SELECT source, message_id, count(DISTINCT coalesce(reporter_id, report_id)) AS members
FROM marts.reports
WHERE about = 'message' AND is_by_human AND NOT is_private AND outcome = 'open'
GROUP BY ALL;

-- Conversations of which something changed since they were judged last. Passing time counts as a change once: when
-- nobody returned for so many days. Of a question in a flat channel, what was said around it counts too;
-- learning later whose name was called there does not.
CREATE OR REPLACE TEMP TABLE changed AS
WITH said AS (
    SELECT
        l.source, l.thread_id,
        bit_xor(hash(l, r.members)) AS content,
        max(l.created_at) FILTER (l.is_human) <= $as_of::TIMESTAMP - to_days($stale_days) AS is_stale
    FROM recent AS l
    LEFT JOIN reported AS r ON l.source = r.source AND l.message_id = r.message_id
    GROUP BY ALL
),

around AS (
    SELECT
        source, thread_id, message_id,
        bit_xor(hash(recent)) OVER (
            PARTITION BY source, channel_id ORDER BY created_at, message_id
            ROWS BETWEEN $before PRECEDING AND $after FOLLOWING
        ) AS content
    FROM recent
    WHERE is_first AND is_chat
),

asked AS (
    SELECT a.source, a.thread_id, a.content
    FROM around AS a
    SEMI JOIN judgement.scores AS j
        ON
            a.source = j.source AND a.message_id = j.message_id
            AND j.label = 'question' AND j.score >= j.threshold
),

now AS (
    SELECT
        s.source, s.thread_id,
        hash(s.content, s.is_stale, a.content, $judged_by)::VARCHAR AS fingerprint
    FROM said AS s
    LEFT JOIN asked AS a ON s.source = a.source AND s.thread_id = a.thread_id
)

SELECT now.*
FROM now
ANTI JOIN judgement.conversations AS c
    ON now.source = c.source AND now.thread_id = c.thread_id AND now.fingerprint = c.fingerprint;
