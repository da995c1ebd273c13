-- What was made private after it was last listed is private, and so is what is closed to us: nobody can see
-- what it is now. A category that is not listed any more was deleted, empty, or made private. A discussion
-- is as private as the room above it, a team's room as that of the team, and either is where that one is
-- not known.
WITH RECURSIVE leaning AS (
    SELECT source, channel_id, parent_id AS leans_on
    FROM staging.channels
    WHERE kind = 'discussion'

    UNION ALL

    SELECT c.source, c.channel_id, m.channel_id AS leans_on
    FROM staging.channels AS c
    LEFT JOIN staging.channels AS m ON c.source = m.source AND c.team_id = m.team_id AND m.is_team_main
    WHERE c.team_id IS NOT NULL AND NOT c.is_team_main
),

shut AS (
    SELECT c.source, c.channel_id
    FROM staging.channels AS c
    LEFT JOIN staging.channel_access AS a ON c.source = a.source AND c.channel_id = a.channel_id
    WHERE c.is_private OR a.access <> 'read' OR (c.kind = 'category' AND c.gone_at IS NOT NULL)

    UNION

    SELECT l.source, l.channel_id
    FROM leaning AS l
    ANTI JOIN staging.channels AS p ON l.source = p.source AND l.leans_on = p.channel_id
),

closed AS (
    SELECT source, channel_id
    FROM shut

    UNION

    SELECT l.source, l.channel_id
    FROM closed AS o
    INNER JOIN leaning AS l ON o.source = l.source AND o.channel_id = l.leans_on
)

SELECT
    c.source,
    c.channel_id,
    CASE WHEN o.channel_id IS NULL THEN c.name END AS name,
    c.kind,
    c.parent_id,
    o.channel_id IS NOT NULL AS is_private,
    c.gone_at IS NOT NULL AS is_gone
FROM staging.channels AS c
LEFT JOIN closed AS o ON c.source = o.source AND c.channel_id = o.channel_id
