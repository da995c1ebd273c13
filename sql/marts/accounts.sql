SELECT
    source,
    person_id(source, account_id) AS person_id,
    account_id,
    username,
    name
FROM staging.accounts
WHERE gone_at IS NULL
