-- Tombstones for keys inside a complete list that the list does not name. Lists of a range are joined by buckets
-- as wide as the widest of them, so that a list lies in two at most: compared with every list of its stream, each
-- key would be looked at hundreds of times.
CREATE OR REPLACE TEMP TABLE lists AS
SELECT row_number() OVER () AS list, stream, container, low, high, seen_at, keys
FROM incoming
WHERE kind = 'span' AND keys IS NOT NULL;

CREATE OR REPLACE TEMP TABLE listed AS
SELECT list, unnest(keys) AS key FROM lists;

CREATE OR REPLACE TEMP TABLE unlisted AS
WITH wide AS (SELECT 1 + max(high - low) AS width FROM lists),

bucketed AS (
    SELECT l.* EXCLUDE (keys), unnest(range(l.low // w.width, l.high // w.width + 1)) AS bucket
    FROM lists AS l, wide AS w
    WHERE l.low IS NOT NULL

    UNION ALL

    SELECT * EXCLUDE (keys), NULL AS bucket
    FROM lists
    WHERE low IS NULL
),

held AS (
    SELECT
        r.stream, r.container, r.key, r.seen_at,
        try_cast(r.key AS BIGINT) AS n,
        n // (SELECT w.width FROM wide AS w) AS bucket
    FROM raw.records AS r
    SEMI JOIN lists AS l ON r.stream = l.stream AND r.container = l.container
    WHERE r.source = $source AND r.gone_at IS NULL
),

looked_at AS (
    SELECT h.stream, h.key, l.list, l.seen_at
    FROM held AS h
    INNER JOIN bucketed AS l
        ON
            h.stream = l.stream AND h.container = l.container AND h.bucket = l.bucket
            AND h.n BETWEEN l.low AND l.high AND h.seen_at < l.seen_at

    UNION ALL

    SELECT h.stream, h.key, l.list, l.seen_at
    FROM held AS h
    INNER JOIN bucketed AS l
        ON h.stream = l.stream AND h.container = l.container AND h.seen_at < l.seen_at
    WHERE l.bucket IS NULL
)

SELECT o.stream, o.key, max(o.seen_at) AS seen_at
FROM looked_at AS o
ANTI JOIN listed AS k ON o.list = k.list AND o.key = k.key
GROUP BY o.stream, o.key;

UPDATE raw.records SET gone_at = u.seen_at, seen_at = u.seen_at, load = $number
FROM unlisted AS u
WHERE source = $source AND records.stream = u.stream AND records.key = u.key;
