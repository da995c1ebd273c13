"""The SQL that reads Discourse's tables.

Three queries are stored on the forum, the same for all streams:

    schema   which of our tables and columns this forum has
    digest   per bucket of ids: how many rows, and one fingerprint of all their states
    rows     the rows of chosen buckets or ids, each as JSON, or only their states

Comparing digests with what the warehouse holds finds every difference, whatever made it: an edit
in the grace period, a staff deletion, a merge, a row that committed late. None of these moves a
time that could be asked for (posts.updated_at stays; like counts are bare counters).

The SQL is the common subset of PostgreSQL and DuckDB, without semicolons, and reads only, and names
every column it reads. What is private is left out here, in the WHERE clauses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Schema = Mapping[str, frozenset[str]]

WIDTH = 256  # ids in a bucket
PAIR = 2**32  # a pair of ids as one: first * PAIR + second

# Read where a forum has them; which of them decides where accepted answers are kept
SOLVED = ("discourse_solved_topic_answers", "discourse_solved_solved_topics")

_DIGEST_PARAMETERS = """-- [params]
-- string :streams
-- bigint :low
-- bigint :high
"""
_ROWS_PARAMETERS = """-- [params]
-- string :streams
-- bigint :low
-- bigint :high
-- string :buckets
-- int :by_ids
-- string :ids
-- int :bodies
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One stream's rows: those of the table of its name, where nothing else is said.

    main      the table that is `x` in all SQL here; empty: the stream's name
    rows      a query whose rows are `x` instead of the table's own
    joins     what is joined to it; aliases are one letter
    columns   columns of `x` to read, of those the forum has
    times     the same for times; `created_at` becomes `created_us`, µs since 1970 UTC
    mark      what makes up a row's state: names of the above, or SQL
    computed  name -> SQL, read with the rest where the forum has what it speaks of
    """

    stream: str
    columns: str
    times: str
    mark: str
    main: str = ""
    rows: str = ""
    joins: str = ""
    where: str = "TRUE"
    computed: Mapping[str, str] = field(default_factory=dict)
    id: str = "x.id"
    width: int = WIDTH

    @property
    def table(self) -> str:
        """The table whose rows these are."""
        return self.main or self.stream

    @property
    def source(self) -> str:
        """The FROM clause."""
        return f"{self.rows or self.table} x {self.joins}".rstrip()

    def names(self) -> set[str]:
        """Tables that this stream would read."""
        every = " ".join((self.source, self.where, *self.computed.values()))
        return {self.table, *(table for table, _ in _ALIAS.findall(every))}

    def missing(self, schema: Schema) -> list[str]:
        """Tables and columns without which the stream is not there, and which the forum lacks."""
        return _unmet(f"{self.source} {self.where} {self.id}", schema)

    def expressions(self, schema: Schema) -> dict[str, str]:
        """Name -> SQL of all we read of a row on this forum."""
        have = schema.get(self.table, frozenset())
        found = {name: f"x.{name}" for name in self.columns.split() if name in have}
        for name in self.times.split():
            if name in have:
                found[name.removesuffix("_at") + "_us"] = microseconds(f"x.{name}")
        for name, sql in self.computed.items():
            if not _unmet(f"{self.source} {sql}", schema):
                found[name] = sql
        return found

    def state(self, schema: Schema) -> str:
        """SQL of a row's mark: its parts in order, joined by |; null is empty.

        The last part stands for what we read of a row, so that rows are read again when we, or the
        settings, begin to read more of them.
        """
        known = self.expressions(schema)
        parts = [known.get(part, part) for part in self.mark.split()]
        usable = [f"coalesce(CAST({part} AS text), '')" for part in parts if "." in part]
        shape = hashlib.sha256(" ".join(sorted(known)).encode()).hexdigest()[:4]
        return f"concat_ws('|', {', '.join(usable)}, '{shape}')"

    def select(self, schema: Schema, bodies: bool) -> str:
        """SQL of all rows: id, mark and, with `bodies`, everything else."""
        rest = self.expressions(schema) if bodies else {}
        named = {"id": self.id, "mark": self.state(schema), **rest}
        listed = ", ".join(f"{sql} AS {name}" for name, sql in named.items())
        return f"SELECT {listed} FROM {self.source} WHERE {self.where}"


_ALIAS = re.compile(r"(?:^|FROM |JOIN )(\w+) ([a-z])\b")
_COLUMN = re.compile(r"\b([a-z])\.(\w+)")


def _unmet(sql: str, schema: Schema) -> list[str]:
    """Tables and columns this SQL speaks of and the forum lacks."""
    tables = {alias: table for table, alias in _ALIAS.findall(sql)}
    lacking = {table for table in tables.values() if table not in schema}
    columns = {
        f"{tables[alias]}.{column}"
        for alias, column in _COLUMN.findall(sql)
        if alias in tables and column not in schema.get(tables[alias], {column})
    }
    return sorted(lacking | columns)


def microseconds(sql: str) -> str:
    """SQL of a time as µs since 1970 UTC: as JSON, Discourse rounds times to ms."""
    return f"CAST(extract(epoch FROM {sql}) * 1000000 AS bigint)"


def schema_sql(needed: Iterable[str]) -> str:
    """Which of these tables and columns there are: rows of table and column."""
    names = ", ".join(f"'{name}'" for name in sorted({*needed, *SOLVED}))
    return (
        "SELECT table_name, column_name FROM information_schema.columns"
        f" WHERE table_schema <> 'backup' AND table_name IN ({names})"
    )


def digest_sql(tables: Sequence[Table], schema: Schema) -> str:
    """Rows of stream, bucket, how many rows it has, and the MD5 of their ids and marks.

    `streams` names streams, separated by commas; only ids from `low` to `high` count.
    """
    branches = [
        f"(SELECT '{table.stream}' AS stream, {_bucket(table)} AS bucket, count(*) AS entries,"
        " md5(string_agg(concat(t.id, ':', t.mark), ',' ORDER BY t.id)) AS state"
        f" FROM ({table.select(schema, bodies=False)}) t"
        f" WHERE {_chosen(table)} AND t.id BETWEEN :low AND :high GROUP BY {_bucket(table)})"
        for table in tables
    ]
    return _DIGEST_PARAMETERS + "\nUNION ALL\n".join(branches)


def rows_sql(tables: Sequence[Table], schema: Schema) -> str:
    """Rows of stream, id, mark and, where `bodies` is 1, all we read of it as JSON.

    `buckets` narrows them to buckets, as "posts/7,posts/9"; "-" narrows nothing. Where `by_ids`
    is 1, `ids` narrows them to these.
    """
    branches = [
        f"(SELECT '{table.stream}' AS stream, t.id AS id, t.mark AS mark,"
        " CASE WHEN :bodies = 1 THEN CAST(to_json(t) AS text) END AS body"
        f" FROM ({table.select(schema, bodies=True)}) t"
        f" WHERE {_chosen(table)} AND t.id BETWEEN :low AND :high"
        f" AND (:buckets = '-' OR concat('{table.stream}/', {_bucket(table)})"
        " = ANY(string_to_array(:buckets, ',')))"
        " AND (:by_ids = 0 OR t.id = ANY(CAST(string_to_array(:ids, ',') AS bigint[]))))"
        for table in tables
    ]
    return _ROWS_PARAMETERS + "\nUNION ALL\n".join(branches)


def _bucket(table: Table) -> str:
    return f"CAST(floor(t.id / {table.width}.0) AS bigint)"


def _chosen(table: Table) -> str:
    return f"'{table.stream}' = ANY(string_to_array(:streams, ','))"
