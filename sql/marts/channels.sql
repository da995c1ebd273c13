SELECT
    source,
    channel_id,
    CASE WHEN NOT is_private THEN name END AS name,
    kind,
    parent_id,
    is_private,
    gone_at IS NOT NULL AS is_gone
FROM staging.channels
