SELECT source, stream, records, newest_at::DATE AS newest, read_at::DATE AS read_on, status
FROM marts.freshness
ORDER BY source, stream
