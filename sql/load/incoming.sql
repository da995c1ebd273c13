-- The lines of landed files.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT *
FROM read_json(
    $files,
    columns = {
        'kind': 'VARCHAR',
        'stream': 'VARCHAR',
        'key': 'VARCHAR',
        'container': 'VARCHAR',
        'at': 'BIGINT',
        'mark': 'VARCHAR',
        'seen_at': 'BIGINT',
        'gone': 'BOOLEAN',
        'payload': 'JSON',
        'low': 'BIGINT',
        'high': 'BIGINT',
        'keys': 'VARCHAR[]',
        'covers': 'BOOLEAN'
    },
    format = 'newline_delimited',
    maximum_object_size = 33554432
);

-- Streams that only older versions landed.
DELETE FROM incoming
WHERE list_contains($unread, stream);
