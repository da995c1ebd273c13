-- People are named as their place names them: by id, or by user name. A claim says nothing of the
-- finding, so it replaces no choice and none replaces it. A build of now knows all that was said.
WITH said AS (
    SELECT
        *,
        CASE WHEN kind IN ('sour', 'toxic') THEN kind ELSE 'question' END AS finding
    FROM judgement.verdicts
    WHERE has_ended(said_at)
),

known AS (
    SELECT s.*, person_id(s.via, coalesce(a.account_id, s.account)) AS person_id
    FROM said AS s
    LEFT JOIN staging.accounts AS a
        ON s.via = a.source AND (s.account = a.account_id OR s.account = a.username)
    QUALIFY row_number() OVER (
        PARTITION BY s.source, s.thread_id, s.kind, s.text_hash, s.via, s.account, s.choice, s.said_at
        ORDER BY coalesce(s.account = a.account_id, FALSE) DESC, a.gone_at IS NULL DESC
    ) = 1
)

SELECT
    k.source,
    k.thread_id,
    k.finding,
    k.kind,
    k.text_hash,
    t.message_id,
    k.evidence,
    k.person_id,
    k.via,
    k.choice,
    k.said_at,
    local_day(k.said_at) AS said_day,
    k.until_day,
    k.model,
    k.choice = 'claim' OR row_number() OVER (
        PARTITION BY k.source, k.thread_id, k.kind, k.text_hash, k.person_id, k.choice = 'claim'
        ORDER BY k.said_at DESC, k.choice ASC
    ) = 1 AS is_last
FROM known AS k
LEFT JOIN judgement.threads AS t
    ON k.source = t.source AND k.thread_id = t.thread_id AND k.finding = t.kind AND k.text_hash = t.text_hash
