-- A name that several accounts of one source have tells nobody apart; a single word is anybody's name.
WITH candidates AS (
    SELECT source, account_id, username, name, email_hash, person_id(source, account_id) AS person_id
    FROM staging.accounts
    WHERE gone_at IS NULL AND is_human(is_bot, is_staged, username)
),

signs AS (
    SELECT *, 'same_email' AS kind, email_hash AS sign FROM candidates
    UNION ALL
    SELECT *, 'same_username' AS kind, lower(username) AS sign FROM candidates
    UNION ALL
    SELECT *, 'same_name' AS kind, lower(name) AS sign FROM candidates
    WHERE contains(trim(name), ' ')
),

telling AS (
    SELECT *
    FROM signs
    QUALIFY kind = 'same_email' OR count(*) OVER (PARTITION BY source, kind, sign) = 1
),

told_apart AS (
    SELECT
        person_id(first_source, first_account_id) AS one,
        person_id(second_source, second_account_id) AS other
    FROM raw.account_links
    WHERE NOT is_link
)

SELECT
    a.source AS first_source,
    a.account_id AS first_account_id,
    any_value(a.username) AS first_username,
    any_value(a.name) AS first_name,
    b.source AS second_source,
    b.account_id AS second_account_id,
    any_value(b.username) AS second_username,
    any_value(b.name) AS second_name,
    list(a.kind ORDER BY a.kind) AS evidence
FROM telling AS a
INNER JOIN telling AS b
    ON a.kind = b.kind AND a.sign = b.sign AND a.source < b.source AND a.person_id <> b.person_id
ANTI JOIN told_apart AS t
    ON (a.person_id = t.one AND b.person_id = t.other) OR (a.person_id = t.other AND b.person_id = t.one)
GROUP BY a.source, a.account_id, b.source, b.account_id
