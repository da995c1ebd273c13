-- modifications is YAML as Ruby writes it: each field a list of its value before and after. A value is
-- plain, in single quotes with '' for ', or in double quotes as JSON has it; the further lines of a long
-- one are indented.
WITH revisions AS (
    SELECT
        source,
        record,
        payload ->> 'post_id' AS message_id,
        discourse_at(payload, 'created') AS changed_at,
        payload ->> 'modifications' AS changes
    FROM raw.changed
    WHERE platform = 'discourse' AND stream = 'revisions'
),

written AS (
    SELECT
        *,
        regexp_extract(
            changes, '(?:^|\n)title:\s*\n- (.*?)\n- (.*?)(?:\n[a-z_]+:|\s*$)', ['before', 'after'], 's'
        ) AS title,
        regexp_extract(
            changes, '(?:^|\n)category_id:\s*\n- *(\d*)[^\n]*\n- *(\d*)', ['before', 'after']
        ) AS channel
    FROM revisions
),

read AS (
    SELECT
        *,
        list_transform([title.before, title.after], LAMBDA value: CASE left(value, 1)
            WHEN '"'
                THEN
                    coalesce(
                        try_cast(regexp_replace(value, '\s*\\?\n\s*\\?', ' ', 'g') AS JSON) ->> '$', value
                    )
            WHEN '''' THEN replace(regexp_replace(value[2:-2], '\s*\n\s*', ' ', 'g'), '''''', '''')
            ELSE regexp_replace(value, '\s*\n\s*', ' ', 'g')
        END) AS titles
    FROM written
)

SELECT
    source,
    record,
    message_id,
    changed_at,
    nullif(titles[1], '') AS title_before,
    nullif(titles[2], '') AS title,
    nullif(channel.before, '') AS channel_before,
    nullif(channel.after, '') AS channel_id
FROM read
WHERE title.after <> '' OR channel.after <> ''
