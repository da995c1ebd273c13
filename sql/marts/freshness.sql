WITH reads AS (
    SELECT
        source,
        unnest(streams) AS stream,
        run,
        make_timestamp(started_at) AS read_at,
        unavailable
    FROM raw.reads
),

latest AS (
    SELECT
        source, stream,
        max(read_at) FILTER (unavailable IS NULL) AS read_at,
        arg_max(run, read_at) FILTER (unavailable IS NULL) AS run,
        arg_max(coalesce(unavailable, ''), read_at) AS unavailable
    FROM reads
    GROUP BY source, stream
),

loads AS (
    SELECT run, max(loaded_at) AS loaded_at
    FROM raw.files
    GROUP BY run
),

held AS (
    SELECT r.source, r.stream, count(*) AS records, make_timestamp(max(r.at)) AS newest_at
    FROM raw.records AS r
    GROUP BY r.source, r.stream
),

active_days AS (
    SELECT r.source, r.stream, make_timestamp(r.at)::DATE AS day
    FROM raw.records AS r
    WHERE make_timestamp(r.at) BETWEEN as_of() - lookback() AND as_of()
    GROUP BY ALL
),

gaps AS (
    SELECT *, day - lag(day) OVER (PARTITION BY source, stream ORDER BY day) AS gap
    FROM active_days
),

rhythms AS (
    SELECT source, stream, max(gap) * 24.0 AS longest_gap_h
    FROM gaps
    GROUP BY source, stream
    HAVING count(*) >= 10
)

SELECT
    l.source,
    l.stream,
    coalesce(h.records, 0) AS records,
    h.newest_at,
    hours_between(h.newest_at, greatest(h.newest_at, as_of()))::DOUBLE AS silent_h,
    w.longest_gap_h::DOUBLE AS longest_gap_h,
    l.read_at,
    f.loaded_at,
    l.read_at + INTERVAL 26 HOURS AS expected_by,
    CASE
        WHEN l.unavailable <> '' THEN 'unavailable'
        WHEN l.read_at + INTERVAL 26 HOURS < as_of() THEN 'late'
        ELSE 'fresh'
    END AS status,
    nullif(l.unavailable, '') AS unavailable
FROM latest AS l
LEFT JOIN loads AS f ON l.run = f.run
LEFT JOIN held AS h ON l.source = h.source AND l.stream = h.stream
LEFT JOIN rhythms AS w ON l.source = w.source AND l.stream = w.stream
