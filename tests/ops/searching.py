"""Everything a folder holds as bytes: what is compressed is opened, what is a database is read."""

import gzip

import duckdb

from pipeline.statements import literal


def every_byte(folder):
    """Path -> all its bytes, as they lie there and as they read."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            found[file] = file.read_bytes() + _opened(file)
    return found


def holders(folder, word):
    """Files below the folder that hold the word, in any case."""
    wanted = word.lower().encode()
    return [
        str(file.relative_to(folder))
        for file, content in every_byte(folder).items()
        if wanted in content.lower()
    ]


def _opened(file):
    if file.suffix == ".gz":
        return gzip.decompress(file.read_bytes())
    if file.suffix == ".duckdb":
        with duckdb.connect(file, read_only=True) as db:
            tables = db.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL"
            ).fetchall()
            return b"".join(_rows(db, f'FROM "{schema}"."{name}"') for schema, name in tables)
    if file.suffix == ".parquet":
        with duckdb.connect() as db:
            return _rows(db, f"FROM {literal(file)}")
    return b""


def _rows(db, sql):
    return "\n".join(map(str, db.execute(sql).fetchall())).encode("utf-8", "replace")
