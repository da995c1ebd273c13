-- A public room inside a private team, or a discussion under a private room, is private; so is one
-- whose team or parent is not known, and one that was made private after it was last listed. A category
-- that is not listed any more was deleted, empty, or made private.
WITH seen AS (
    SELECT
        c.*,
        c.is_private OR coalesce(a.access = 'private', FALSE)
        OR (c.kind = 'category' AND c.gone_at IS NOT NULL)
        OR (c.kind = 'discussion' AND coalesce(p.is_private, TRUE))
        OR (c.team_id IS NOT NULL AND NOT c.is_team_main AND coalesce(m.is_private, TRUE)) AS is_closed_off
    FROM staging.channels AS c
    LEFT JOIN staging.channel_access AS a ON c.source = a.source AND c.channel_id = a.channel_id
    LEFT JOIN staging.channels AS p ON c.source = p.source AND c.parent_id = p.channel_id
    LEFT JOIN staging.channels AS m ON c.source = m.source AND c.team_id = m.team_id AND m.is_team_main
)

SELECT
    source,
    channel_id,
    CASE WHEN NOT is_closed_off THEN name END AS name,
    kind,
    parent_id,
    is_closed_off AS is_private,
    gone_at IS NOT NULL AS is_gone
FROM seen
