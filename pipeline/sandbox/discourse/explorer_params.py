"""Parameters of a Data Explorer query: declared in its first comment, cast, and bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_LINE = re.compile(r"^\s*--\s*(null\s+)?(\w+)\s+:([a-z_][a-z0-9_]*)\s*(?:=\s*(.*?))?\s*$", re.I)
_ALIASES = {"integer": "int", "text": "string", "timestamp": "datetime"}
_SQL_TYPES = {
    "int": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
    "date": "DATE",
    "time": "TIME",
    "datetime": "TIMESTAMP",
    "double": "DOUBLE",
    "user_id": "INTEGER",
    "post_id": "INTEGER",
    "topic_id": "INTEGER",
    "category_id": "INTEGER",
    "group_id": "INTEGER",
    "badge_id": "INTEGER",
}
_LISTS = {"int_list": int, "string_list": str, "user_list": str, "group_list": str}
_BITS = {"bigint": 63}


class ParamError(Exception):
    """A parameter that is missing or cannot be what it was declared to be: 422."""


@dataclass(frozen=True)
class Param:
    """One declared parameter. Null `default`: it must be given, unless it is `nullable`."""

    name: str
    kind: str
    default: str | None
    nullable: bool

    def info(self) -> dict[str, Any]:
        """The parameter as the plugin describes it."""
        return {
            "identifier": self.name,
            "type": self.kind,
            "default": self.default,
            "nullable": self.nullable,
        }

    def cast(self, given: Any) -> Any:
        """The value for SQL; null for `#null` and for nothing where that is allowed."""
        text = self.default if given in (None, "") else str(given)
        if text is None or text == "#null":
            if self.nullable:
                return None
            raise ParamError(f"Missing parameter {self.name} of type {self.kind}")
        try:
            return text if self.kind == "string" else self._value(text.strip())
        except ValueError:
            raise ParamError(
                f"Invalid value for {self.name}: {text[:80]!r} is no {self.kind}"
            ) from None

    def _value(self, text: str) -> Any:
        if self.kind in _LISTS:
            return [_LISTS[self.kind](part.strip()) for part in text.split(",")]
        if self.kind == "boolean":
            if text.lower() not in ("t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"):
                raise ValueError(text)
            return text.lower() in ("t", "true", "y", "yes", "1")
        if _SQL_TYPES[self.kind] in ("INTEGER", "BIGINT"):
            value, bits = int(text), _BITS.get(self.kind, 31)
            if not -(2**bits) <= value < 2**bits:
                raise ValueError(text)
            return value
        if self.kind == "double":
            return float(text)
        if self.kind == "datetime":
            return datetime.fromisoformat(text).replace(tzinfo=None)
        return text


def declared(sql: str) -> list[Param]:
    """The parameters of the `-- [params]` block, in order."""
    lines = sql.strip().splitlines()
    begin = next((n for n, line in enumerate(lines) if re.match(r"\s*--\s*\[params\]", line)), None)
    if begin is None:
        return []
    params = []
    for line in lines[begin + 1 :]:
        match = _LINE.match(line)
        if match is None:
            break
        kind = _ALIASES.get(match[2].lower(), match[2].lower())
        if kind in _SQL_TYPES or kind in _LISTS:
            params.append(Param(match[3], kind, match[4] or None, bool(match[1])))
    return params


def bind(sql: str, given: Mapping[str, Any], now: datetime) -> tuple[str, dict[str, Any]]:
    """The query for DuckDB and the values of its parameters. `now()` is the sandbox's own time.

    As in the plugin, `:name` is replaced wherever it stands, in a string too.
    """
    text = "\n".join(line for line in sql.splitlines() if not re.match(r"\s*--", line))
    text = re.sub(r"\bnow\(\)|\bcurrent_timestamp\b", f"TIMESTAMPTZ '{now}Z'", text, flags=re.I)
    values: dict[str, Any] = {}
    for param in declared(sql):
        value = param.cast(given.get(param.name))
        use = re.compile(rf"(?<!:):{param.name}\b")
        if isinstance(value, list):
            items = ", ".join(str(v) if isinstance(v, int) else _quoted(v) for v in value)
            text = use.sub(items.replace("\\", r"\\"), text)
        elif use.search(text):
            kind = _SQL_TYPES.get(param.kind, "VARCHAR")
            text = use.sub(f"CAST(${param.name} AS {kind})", text)
            values[param.name] = value
    return text, values


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
