-- States of what is kept through time (who was staff when and under which name, where a thread stood, what it was
-- called) that differ from the state seen before. A file may be older than what is held: then the present state follows it once more,
-- and the record counts as changed, so that its history is typed again.
CREATE OR REPLACE TEMP TABLE versions AS
WITH told AS (
    SELECT stream, key, seen_at, payload
    FROM incoming
    WHERE kind = 'record' AND NOT gone AND stream IN ('users', 'topics')
),

-- Found by key, then read by row, as in merge.sql.
places AS MATERIALIZED (
    SELECT r.rowid AS place
    FROM raw.records AS r
    SEMI JOIN told AS t ON r.stream = t.stream AND r.key = t.key
    WHERE r.source = $source AND r.stream IN ('users', 'topics') AND r.gone_at IS NULL
),

seen AS (
    SELECT * FROM told

    UNION ALL

    SELECT stream, key, seen_at, payload
    FROM raw.records
    WHERE rowid IN (SELECT p.place FROM places AS p)
),

states AS (
    SELECT
        stream, key, seen_at,
        CASE stream
            WHEN 'users'
                THEN json_object(
                    'username', payload -> 'username',
                    'admin', payload -> 'admin',
                    'moderator', payload -> 'moderator',
                    'trust_level', payload -> 'trust_level',
                    'roles', payload -> 'roles',
                    'type', payload -> 'type'
                )
            WHEN 'topics'
                THEN json_object('title', payload -> 'title', 'category_id', payload -> 'category_id')
        END AS state,
        FALSE AS is_held
    FROM seen

    UNION ALL

    SELECT v.stream, v.key, v.seen_at, v.state, TRUE AS is_held
    FROM raw.versions AS v
    SEMI JOIN told AS t ON v.stream = t.stream AND v.key = t.key
    WHERE v.source = $source
),

one_each AS (
    SELECT *
    FROM states
    QUALIFY row_number() OVER (
        PARTITION BY stream, key, seen_at ORDER BY is_held DESC, state::VARCHAR
    ) = 1
)

SELECT *
FROM one_each
QUALIFY
    NOT is_held
    AND state::VARCHAR IS DISTINCT FROM lag(state::VARCHAR) OVER (PARTITION BY stream, key ORDER BY seen_at);

INSERT INTO raw.versions
SELECT $source, stream, key, seen_at, state FROM versions;

UPDATE raw.records SET load = $number
FROM versions AS v
WHERE source = $source AND records.stream = v.stream AND records.key = v.key AND load < $number;
