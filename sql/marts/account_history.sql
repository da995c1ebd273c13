SELECT
    s.source,
    person_id(s.source, s.account_id) AS person_id,
    pseudonym(s.source || '/' || s.account_id) AS account_key,
    s.role,
    s.is_staff,
    s.trust_level,
    coalesce(s.valid_from, a.created_at) AS valid_from,
    s.valid_to,
    s.is_first_seen
FROM staging.account_states AS s
LEFT JOIN staging.accounts AS a ON s.source = a.source AND s.account_id = a.account_id
WHERE has_ended(coalesce(s.valid_from, a.created_at, as_of()))
