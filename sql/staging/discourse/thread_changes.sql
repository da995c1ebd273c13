-- modifications is YAML as Ruby writes it: each field a list of its value before and after. A value is
-- plain, in single quotes with '' for ', or in double quotes with escapes of YAML's own, which are more than
-- JSON's (an emoji is \U0001F600); the further lines of a long one are indented.
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

-- What is in double quotes falls into escapes, line ends and what stands between them.
cut AS (
    SELECT
        *,
        [title.before, title.after] AS ends,
        list_transform(ends, LAMBDA value: CASE
            WHEN left(value, 1) = '"'
                THEN regexp_extract_all(
                    value[2:-2],
                    '\\U[[:xdigit:]]{8}|\\u[[:xdigit:]]{4}|\\x[[:xdigit:]]{2}|\\\n[ \t]*|\\.|[ \t]*\n[ \t]*|[^\\\n \t]+|[ \t]'
                )
        END) AS tokens
    FROM written
),

unquoted AS (
    SELECT
        *,
        list_transform(tokens, LAMBDA side: list_transform(side, LAMBDA token: CASE
            WHEN contains(token, chr(10)) THEN CASE WHEN left(token, 1) = '\' THEN '' ELSE ' ' END
            WHEN left(token, 1) <> '\' THEN token
            WHEN token[2] IN ('U', 'u', 'x') THEN try(chr(try_cast('0x' || token[3:] AS INTEGER)))
            WHEN token[2] IN ('"', '\', '/', ' ') THEN token[2]
            WHEN contains('_NLP', token[2]) THEN chr([160, 133, 8232, 8233][strpos('_NLP', token[2])])
            ELSE chr([7, 8, 9, 10, 11, 12, 13, 27][strpos('abtnvfre', token[2])])
        END)) AS pieces
    FROM cut
),

read AS (
    SELECT
        *,
        list_transform([1, 2], LAMBDA n: CASE
            WHEN list_count(pieces[n]) = len(pieces[n]) THEN array_to_string(pieces[n], '')
            WHEN left(ends[n], 1) = '''' THEN replace(regexp_replace(ends[n][2:-2], '\s*\n\s*', ' ', 'g'), '''''', '''')
            WHEN left(ends[n], 1) = '"' THEN ends[n]
            ELSE regexp_replace(ends[n], '\s*\n\s*', ' ', 'g')
        END) AS titles
    FROM unquoted
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
