-- The newest version of each key, over what is held. A tombstone keeps the last payload.
CREATE OR REPLACE TEMP TABLE merged AS
WITH newest AS (
    SELECT *
    FROM incoming
    WHERE kind = 'record'
    QUALIFY row_number() OVER (
        PARTITION BY stream, key ORDER BY seen_at DESC, gone DESC, "at" DESC NULLS LAST
    ) = 1
),

last_payload AS (
    SELECT stream, key, arg_max(payload, seen_at) AS payload
    FROM incoming
    WHERE kind = 'record' AND NOT gone
    GROUP BY stream, key
),

-- Found by key, then read by row: payloads are long and only these are wanted.
places AS MATERIALIZED (
    SELECT r.rowid AS place
    FROM raw.records AS r
    SEMI JOIN newest AS n ON r.stream = n.stream AND r.key = n.key
    WHERE r.source = $source
),

held AS (
    SELECT rowid AS place, *
    FROM raw.records
    WHERE rowid IN (SELECT p.place FROM places AS p)
),

told AS (
    SELECT
        n.* EXCLUDE (payload),
        o.place,
        o.gone_at,
        o.first_seen_at,
        o.load AS held_load,
        o."at" AS held_at,
        o.payload AS held_payload,
        CASE WHEN n.gone THEN coalesce(p.payload, o.payload) ELSE n.payload END AS payload
    FROM newest AS n
    LEFT JOIN last_payload AS p ON n.stream = p.stream AND n.key = p.key
    LEFT JOIN held AS o ON n.stream = o.stream AND n.key = o.key
    WHERE o.place IS NULL OR n.seen_at >= o.seen_at
)

SELECT
    place,
    $source AS source,
    stream,
    key,
    container,
    CASE WHEN gone THEN greatest("at", held_at) ELSE "at" END AS "at",
    mark,
    seen_at,
    coalesce(first_seen_at, seen_at) AS first_seen_at,
    CASE WHEN gone THEN coalesce(gone_at, "at", seen_at) END AS gone_at,
    payload,
    CASE
        WHEN
            place IS NOT NULL AND gone = (gone_at IS NOT NULL)
            AND (payload::VARCHAR IS NOT DISTINCT FROM held_payload::VARCHAR)
            THEN held_load
        ELSE $number
    END AS load,
    $run AS run
FROM told;

DELETE FROM raw.records
WHERE rowid IN (SELECT m.place FROM merged AS m);

INSERT INTO raw.records BY NAME
SELECT * EXCLUDE (place) FROM merged;
