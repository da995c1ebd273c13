"""What each table promises: `expectations/<schema>.<table>.yaml`, read into one object.

From a contract come the DDL, the shape every SQL file must have, the Great Expectations suite,
the comments inside the published file, the data dictionary, and what is private.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from pipeline.statements import identifier, literal

FOLDER = Path(__file__).parents[1] / "expectations"

Severity = Literal["critical", "warning"]

# The C parser, where it is built in: every command reads all contracts, and it is ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Section):
    """One column.

    unit      what a number counts or measures; null for text and keys
    required  never null
    values    the only values allowed
    pii       "name", "text", "account" ...: what of a person it shows; null: nothing
    """

    type: str
    description: str
    unit: str | None = None
    required: bool = False
    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    pii: Literal["account", "name", "text", "email"] | None = None


class Rule(_Section):
    """One sentence that must hold for every row; `sql` is true where it does (null counts)."""

    says: str
    sql: str
    severity: Severity = "critical"


class Band(_Section):
    """The smallest share of last night's rows that raises no warning.

    keeps  that share, 0 to 1
    per    column by whose values rows are counted apart
    """

    keeps: float = Field(gt=0, le=1)
    per: str = "source"


class Contract(_Section):
    """The contract of one table.

    grain    what one row is
    key      columns that no two rows share
    build    how it comes to be: "load" (written by Python), "merge" (typed from the records that
             changed, see `pipeline/build.py`), "replace" (built whole from other tables), "view"
             (nothing stored)
    publish  the file it goes out in: "community" (no names, no text), "restricted", or null
    kept     its rows cannot be derived again: neither a migration nor a rebuild may lose them
    passport where the definition comes from and how the number could mislead
    """

    table: str = Field(pattern=r"^(raw|staging|judgement|marts)\.[a-z_]+$")
    description: str
    grain: str
    key: tuple[str, ...]
    build: Literal["load", "merge", "replace", "view"]
    publish: Literal["community", "restricted"] | None = None
    kept: bool = False
    passport: str | None = None
    rows_from: int | None = Field(None, description="fewer rows than this break the contract")
    band: Band | None = None
    columns: Mapping[str, Column]
    rules: Mapping[str, Rule] = {}

    @property
    def schema_name(self) -> str:
        """The schema part of the table's name."""
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        """The table's name without its schema."""
        return self.table.split(".")[1]

    def ddl(self) -> str:
        """CREATE TABLE IF NOT EXISTS, columns in order. What is required, and keys, are checked
        each night instead of by the table: a bad row is then named and does not end the build, and
        DuckDB's upserts are faster by an order without an index."""
        columns = ",\n  ".join(f"{identifier(n)} {c.type}" for n, c in self.columns.items())
        return f"CREATE TABLE IF NOT EXISTS {self.table} (\n  {columns}\n)"

    def comments(self) -> Iterator[str]:
        """COMMENT ON statements for the table and each column."""
        passport = f" {self.passport}" if self.passport else ""
        text = f"{self.description} Grain: {self.grain}.{passport}"
        yield f"COMMENT ON TABLE {self.table} IS {literal(text)}"
        for name, column in self.columns.items():
            unit = f" [{column.unit}]" if column.unit else ""
            note = literal(column.description + unit)
            yield f"COMMENT ON COLUMN {self.table}.{identifier(name)} IS {note}"


@cache
def contracts(folder: Path = FOLDER) -> Mapping[str, Contract]:
    """All contracts by table name, sorted. A malformed one raises with its file's name."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        contract = Contract.model_validate({"table": file.stem, **_yaml(file)})
        found[contract.table] = contract
    return found


def dictionary(tables: Mapping[str, Contract]) -> str:
    """The data dictionary as Markdown, one section a table."""
    lines = [
        "# Data dictionary",
        "",
        "Made from the contracts beside this file by `make dictionary`; a test keeps it current.",
        "",
    ]
    for contract in tables.values():
        lines += _section(contract)
    return "\n".join(lines)


def _section(contract: Contract) -> Iterator[str]:
    where = {"community": "in `community-*.duckdb`", "restricted": "in `restricted-*.duckdb`"}
    yield f"## {contract.table}\n"
    yield f"{contract.description}\n"
    yield f"- **One row is** {contract.grain}; key ({', '.join(contract.key)})"
    yield f"- **Published** {where.get(contract.publish or '', 'no, it stays in the work file')}"
    if contract.passport:
        yield f"- **Passport** {contract.passport}"
    yield from _home(contract)
    yield "\n| column | type | unit | null? | what it is |\n|---|---|---|---|---|"
    for name, column in contract.columns.items():
        facts = [column.type, column.unit or "", "no" if column.required else "yes"]
        yield f"| `{name}` | {' | '.join(facts)} | {_about(column)} |"
    if contract.band or contract.rules:
        yield "\nRules:\n"
    if contract.band:
        kept = f"{100 * contract.band.keeps:g} % of last night's rows"
        yield f"- `band` (warning): At least {kept} of each {contract.band.per} are there."
    for name, rule in contract.rules.items():
        yield f"- `{name}` ({rule.severity}): {rule.says}"
    yield ""


def _home(contract: Contract) -> Iterator[str]:
    if contract.build == "merge":
        yield f"- **Made by** `sql/staging/*/{contract.name}.sql`, one file a platform"
    elif contract.build in ("replace", "view"):
        yield f"- **Made by** `sql/{contract.schema_name}/{contract.name}.sql`"


def _about(column: Column) -> str:
    text = column.description
    if column.values:
        text += " One of " + ", ".join(f"`{value}`" for value in column.values) + "."
    if column.pii:
        text += f" Personal: {column.pii}."
    return text.replace("|", "\\|").replace("\n", " ")


def _yaml(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    tree: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one, as named above
    return tree
