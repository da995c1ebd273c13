-- What a night brings is complete up to the moment its read began. Which stream messages come in is what
-- most of them were typed from: a forum's chat may fail, or end, while its posts go on.
WITH streams AS (
    SELECT source, split_part(record, '/', 1) AS stream
    FROM staging.messages
    GROUP BY source, stream
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY count(*) DESC, stream) = 1
),

known AS (
    SELECT s.source, max(make_timestamp(r.started_at)) AS read_until
    FROM streams AS s
    LEFT JOIN raw.reads AS r
        ON s.source = r.source AND list_contains(r.streams, s.stream) AND r.unavailable IS NULL
    GROUP BY s.source
),

held AS (
    SELECT
        created_day AS day, source,
        count(*) AS messages,
        count(*) FILTER (is_countable) AS countable_messages,
        count(*) FILTER (is_private) AS private_messages,
        count(*) FILTER (is_deleted) AS deleted_messages
    FROM marts.messages
    GROUP BY ALL
)

SELECT
    c.day,
    k.source,
    k.read_until IS NOT NULL AND c.day < local_day(least(k.read_until, as_of())) AS is_covered,
    coalesce(h.messages, 0) AS messages,
    coalesce(h.countable_messages, 0) AS countable_messages,
    coalesce(h.private_messages, 0) AS private_messages,
    coalesce(h.deleted_messages, 0) AS deleted_messages
FROM marts.calendar AS c
CROSS JOIN known AS k
LEFT JOIN held AS h ON c.day = h.day AND k.source = h.source
WHERE c.is_over
