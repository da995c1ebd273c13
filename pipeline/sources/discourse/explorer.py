"""The forum's Data Explorer plugin: our stored queries, and their runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from pipeline.errors import BadAnswer, FixAccess, SourceDown
from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse import tables
from pipeline.sources.discourse.client import EXPLORER_ROOTS, ForumClient, Refused
from pipeline.sources.discourse.streams import all_tables
from pipeline.sources.discourse.tables import Schema, Table
from pipeline.sources.http import TooLarge

LIMIT = 10_000  # rows in an answer; Discourse refuses a higher limit (400)
DEFAULT_LIMIT = 1_000  # what it gives unasked, where an answer does not say
HASTY_S = 20.0  # a big question is rather made smaller than repeated for long
SHORTEST_S = 1.0  # with less patience left, nothing would be asked twice
URI_CHARS = 4_000  # of a question by GET; nginx takes 8 KB, Puma 10 KB
TOO_LONG = (413, 414, 431)  # what servers say of a question that is longer than they take


class TooMuch(Exception):
    """The forum could not answer this much at once: ask for less."""


class TooSlow(TooMuch):
    """The forum's database was stopped after the seconds that Data Explorer gives it."""


class TooLong(TooMuch):
    """A server in front of the forum refused the question itself: name less in it."""


class Explorer:
    """What one forum lets us read by SQL. Open it before any run.

    `installation` stands in our queries' descriptions, so that nobody else's are deleted.
    tables  streams this forum can give, by name
    absent  streams it cannot give -> the tables or columns it lacks
    """

    def __init__(
        self, client: ForumClient, name: str, settings: DiscourseSettings, installation: str
    ) -> None:
        self.tables: dict[str, Table] = {}
        self.absent: dict[str, list[str]] = {}
        self._client = client
        self._name = name
        self._settings = settings
        self._owner = f"{installation}:{name}"
        self._ids: dict[str, int] = {}
        self._runs_by_get = False
        self._names_limit = True
        self._sick_since: float | None = None  # when big questions began to get no answer
        self._most_chars = 0  # that a question may name things with; 0: as many as we like

    def open(self) -> None:
        """Find our queries, or make them; 2 requests where nothing changed, 5 the first time.

        Raises Refused (404) where the plugin is off, FixAccess where the key may not do it,
        SourceDown where the forum's database does not even name its tables in time.
        """
        stored = self._stored()
        every = all_tables(self._settings, {})
        needed = {name for table in every for name in table.names()}
        self._ids["schema"] = self._ensure(stored, "schema", tables.schema_sql(needed))
        schema = self._schema()
        for table in all_tables(self._settings, schema):
            missing = table.missing(schema)
            if missing:
                self.absent[table.stream] = missing
            else:
                self.tables[table.stream] = table
        for kind, sql in self._sql(schema).items():
            self._ids[kind] = self._ensure(stored, kind, sql)

    def run(self, kind: str, *, hasty: bool = False, **values: object) -> list[list[Any]]:
        """Rows of one of our queries. Raises TooMuch where the forum's 10 seconds, its memory, its
        rows in an answer or our size limit do not suffice; `hasty` also where it is sick for more
        than 20 seconds, until it has been so for as long as the source's patience lasts."""
        form: dict[str, Any] = {
            "params": json.dumps({name: str(value) for name, value in values.items()}),
            "download": "true",  # or Discourse loads users and posts to go with the ids
        }
        if self._names_limit:
            form["limit"] = LIMIT
        try:
            answer = self._asked(self._ids[kind], form, hasty)
        except TooLarge:
            raise TooMuch("too large") from None
        except Refused as refused:
            if refused.status == 400 and self._names_limit:  # it allows fewer rows: as many as then
                self._names_limit = False
                return self.run(kind, hasty=hasty, **values)
            if refused.status in TOO_LONG:
                longest = max((_chars(str(value)) for value in values.values()), default=0)
                self._most_chars = max(1, longest // 2)
                raise TooLong(f"{refused.status}: {refused.said}") from None
            if "statement timeout" in refused.said:
                raise TooSlow(refused.said) from None
            raise
        rows = answer.get("rows") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise BadAnswer(f"{self._name}: Data Explorer's {kind} query answered no rows")
        if len(rows) == int(answer.get("default_limit") or DEFAULT_LIMIT):
            raise TooMuch("an answer of just as many rows as the forum gives unasked")
        return rows

    def holds(self, names: Sequence[str]) -> bool:
        """Whether one question may name all these things."""
        return not self._most_chars or _chars(",".join(names)) <= self._most_chars

    def _asked(self, query: int, form: dict[str, Any], hasty: bool) -> Any:
        """The answer to one run. A server that stays sick is not asked for less and less: until it
        answers again, all questions together have the patience of one call."""
        transport = self._client.transport
        sick_since = transport.now() if self._sick_since is None else self._sick_since
        ends_at = sick_since + transport.patience_s
        left_s = ends_at - transport.now()
        patience_s = min(HASTY_S, left_s) if hasty else left_s
        try:
            answer = self._run(query, form, patience_s)
        except SourceDown:
            self._sick_since = sick_since
            if not hasty or ends_at - transport.now() < SHORTEST_S:
                raise
            raise TooMuch("no answer") from None
        except (Refused, TooLarge):
            self._sick_since = None
            raise
        self._sick_since = None
        return answer

    def _run(self, query: int, form: dict[str, Any], patience_s: float | None) -> Any:
        if not self._runs_by_get:
            path = f"{self._client.explorer_root}/queries/{query}/run.json"
            try:
                return self._client.submit(path, patience_s=patience_s, **form)
            except FixAccess:  # a key with "global: read" may only GET
                self._runs_by_get = True
                self._most_chars = URI_CHARS
        return self._client.fetch(
            f"/data-explorer/queries/{query}/run.json", patience_s=patience_s, **form
        )

    def _sql(self, schema: Schema) -> dict[str, str]:
        chosen = list(self.tables.values())
        return {
            "digest": tables.digest_sql(chosen, schema),
            "rows": tables.rows_sql(chosen, schema),
        }

    def _schema(self) -> Schema:
        found: dict[str, set[str]] = {}
        try:
            rows = self._schema_rows()
        except TooMuch as error:
            raise SourceDown(
                f"{self._name}: Data Explorer does not name all of the forum's tables ({error}); "
                "it may work later, or with a higher data_explorer_query_result_limit"
            ) from None
        for table, column in rows:
            found.setdefault(table, set()).add(column)
        return {table: frozenset(columns) for table, columns in found.items()}

    def _schema_rows(self) -> list[list[Any]]:
        """No question is smaller, so where the database is too busy for it, it is asked again."""
        transport = self._client.transport
        began, attempt = transport.now(), 0
        while True:
            try:
                return self.run("schema")
            except TooSlow:
                if not transport.rest(attempt, began):
                    raise
            attempt += 1

    def _stored(self) -> list[dict[str, Any]]:
        """Queries of the forum that may be ours; notes which of the two routes answers."""
        for root in EXPLORER_ROOTS:
            self._client.explorer_root = root
            try:
                return list(self._listed(root))
            except Refused as refused:
                if refused.status != 404 or root == EXPLORER_ROOTS[-1]:
                    raise
        return []

    def _listed(self, root: str) -> Iterator[dict[str, Any]]:
        seen: set[int] = set()
        offset = 0
        while True:  # old versions give all at once and know no offset
            page = self._client.fetch(f"{root}/queries.json", filter="Hearth", offset=offset)
            queries = page.get("queries", []) if isinstance(page, dict) else []
            new = [query for query in queries if query["id"] not in seen]
            yield from new
            seen.update(query["id"] for query in new)
            offset += len(queries)
            if not new or not page.get("load_more_queries"):
                return

    def _ensure(self, stored: Sequence[dict[str, Any]], kind: str, sql: str) -> int:
        """The id of our query with this SQL, made now if need be. Its older versions are deleted:
        changing one in place could change it under another run of ours."""
        wanted = _marker(self._owner, kind, sql)
        mine = [query for query in stored if _marker(self._owner, kind) in _described(query)]
        fit = [query["id"] for query in mine if wanted in _described(query)]
        chosen = fit[0] if fit else self._made_by_hand(stored, kind, sql)
        if chosen is None:
            chosen = self._create(kind, sql, wanted)
        for query in mine:
            if query["id"] != chosen:
                with suppress(Refused):  # another run of ours was quicker
                    self._client.remove(f"{self._client.explorer_root}/queries/{query['id']}.json")
        return int(chosen)

    def _made_by_hand(self, stored: Sequence[dict[str, Any]], kind: str, sql: str) -> int | None:
        for query in stored:
            if query.get("name") == self._title(kind) and not _described(query):
                path = f"{self._client.explorer_root}/queries/{query['id']}.json"
                text = query.get("sql") or self._client.fetch(path)["query"]["sql"]
                if text.split() == sql.split():
                    return int(query["id"])
        return None

    def _create(self, kind: str, sql: str, description: str) -> int:
        form: dict[str, Any] = {
            "query[name]": self._title(kind),
            "query[description]": f"Made by Hearth, which reads this forum nightly. {description}",
            "query[sql]": sql,
        }
        try:
            made = self._client.submit(f"{self._client.explorer_root}/queries.json", **form)
        except FixAccess as error:
            raise FixAccess(
                f"{error}. If the key is meant to be read-only, an admin must make the Data "
                f"Explorer query {self._title(kind)!r} by hand, without a description:\n\n{sql}\n"
            ) from None
        return int(made["query"]["id"])

    def _title(self, kind: str) -> str:
        return f"Hearth {kind} ({self._name})"


def _chars(value: str) -> int:
    """How long a value is in a URI."""
    return len(quote(value, safe=""))


def _marker(owner: str, kind: str, sql: str = "") -> str:
    """What the description of a query of ours holds; without SQL, of any version."""
    version = hashlib.sha256(sql.encode()).hexdigest()[:12] if sql else ""
    return f"hearth:{owner}:{kind}:{version}"


def _described(query: dict[str, Any]) -> str:
    return str(query.get("description") or "")
