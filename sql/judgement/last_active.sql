-- When each person wrote last; without those who are never to be named.
SELECT source, person_id, max(created_at) AS last_active_at
FROM recent
WHERE is_human AND person_id IS NOT NULL AND NOT list_contains($never, lower(coalesce(username, '')))
GROUP BY ALL;
