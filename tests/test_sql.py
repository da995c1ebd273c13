"""SQL by example: `tests/sql/<schema>.<table>/<rule>.yaml` holds rows in and rows out.

A case:

    says: One sentence.
    as_of: 2026-03-02T02:00:00     # optional
    given: {<table>: [row, ...]}   # columns left out get a plain value where they are required
    expect: [row, ...]             # all rows of the table, in any order; only the columns named

A given row with `each_day: {<column>: [value, ...]}` stands for a row a day, its `day` being the first.

People are written source/account instead of their pseudonyms.
"""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from pipeline import build, warehouse
from pipeline.contracts import contracts
from pipeline.statements import SQL

CASES = Path(__file__).parent / "sql"
NIGHT = datetime(2026, 3, 2, 2)
MADE_BY_SQL = {n: c for n, c in contracts().items() if c.build != "load"}
PLAIN = {
    "BOOLEAN": False,
    "VARCHAR": "",
    "BIGINT": 0,
    "INTEGER": 0,
    "DOUBLE": 0.0,
    "TIMESTAMP": datetime(2026, 3, 1, 12),
    "DATE": datetime(2026, 3, 1).date(),
    "VARCHAR[]": [],
    "BIGINT[]": [],
    "JSON": "{}",
    "MAP(VARCHAR, BIGINT)": "{}",
}
USUAL = {
    "raw.records": {"stream": "", "run": "r", "load": 1, "container": ""},
    "staging.messages": {"kind": "regular", "form": "markdown"},
    "staging.channels": {"kind": "category"},
    "staging.threads": {"is_listed": True, "holds_messages": True},
    "staging.accounts": {"is_active": True},
    "marts.messages": {"kind": "regular", "is_human": True, "is_countable": True},
    "marts.threads": {"is_countable": True, "is_by_human": True},
    "raw.sources": {"url": "https://example.org"},
    "judgement.threads": {"reasons": "[]"},
}


def cases():
    return sorted(CASES.glob("*/*.yaml"))


def read(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@contextmanager
def scenery(community):
    """Every table, empty, with people under readable pseudonyms."""
    with duckdb.connect() as db:
        warehouse.prepare(db)
        build.build(db, community, datetime(2026, 3, 2, 2, tzinfo=UTC))
        db.execute("DELETE FROM raw.sources")
        db.execute("DELETE FROM raw.builds")
        db.execute("DELETE FROM marts.health")
        db.execute("CREATE OR REPLACE MACRO pseudonym(named) AS named")
        db.execute("SET VARIABLE since_load = 0")
        db.execute("SET VARIABLE is_history = true")
        yield db


@pytest.fixture(scope="module")
def scene(community):
    with scenery(community) as db:
        yield db


@pytest.mark.parametrize("file", cases(), ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_case(scene, file):
    case = read(file)
    assert set(case) <= {"says", "as_of", "given", "expect"}
    found, wanted = outcome(scene, file.parent.name, case)
    assert found == wanted, case["says"]


def has_twin(table, case):
    """Whether sources are apart in this table, and the case tells nothing of all together."""
    contract = contracts()[table]
    told_of_all = any(row.get("source") == "all" for row in case["expect"])
    is_apart = "source" in contract.columns and "other_source" not in contract.columns
    return contract.build == "replace" and is_apart and not told_of_all


def cases_with_a_twin():
    found = [file for file in cases() if has_twin(file.parent.name, read(file))]
    assert found, "no case has a twin"
    return found


@pytest.mark.parametrize("file", cases_with_a_twin(), ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_case_beside_a_twin_source(scene, file):
    """The same rows once more in a source of another name change nothing in the first."""
    case = read(file)
    found, wanted = outcome(scene, file.parent.name, case, twin=True)
    assert found == wanted, case["says"]


def outcome(scene, table, case, *, twin=False):
    """What a case finds and what it wants; `twin` gives every row once more in another source."""
    scene.begin()
    try:
        arrange(scene, case, twin=twin)
        build.make(scene, contracts()[table])
        found = rows_of(scene, table, case["expect"], twin=twin)
    finally:
        scene.rollback()
        scene.execute(f"SET VARIABLE as_of = '{NIGHT}'::TIMESTAMP")
    return found, wanted_rows(case)


def arrange(scene, case, *, twin=False):
    """Set the case's moment and write its rows, with `twin` once more in a source of another name."""
    scene.execute("SET VARIABLE as_of = ?::TIMESTAMP", [case.get("as_of", NIGHT)])
    for given, rows in case["given"].items():
        insert(scene, contracts()[given], rows)
        if twin:
            apart = [
                {**row, "source": f"twin of {row['source']}"} for row in rows if "source" in row
            ]
            insert(scene, contracts()[given], apart)


def day_by_day(row):
    """The rows a given row stands for."""
    if "each_day" not in row:
        return [row]
    [(column, values)] = row["each_day"].items()
    plain = {name: value for name, value in row.items() if name != "each_day"}
    return [
        {**plain, "day": row["day"] + timedelta(n), column: value} for n, value in enumerate(values)
    ]


def insert(db, contract, rows):
    for row in (day for given in rows for day in day_by_day(given)):
        unknown = set(row) - set(contract.columns)
        assert not unknown, f"{contract.table} has no column {unknown}"
        plain = {
            name: PLAIN[column.type] for name, column in contract.columns.items() if column.required
        }
        full = {**plain, **USUAL.get(contract.table, {}), **row}
        if full.get("payload") is not None:
            full["payload"] = json.dumps(full["payload"])
        marks = ", ".join("?" for _ in full)
        columns = ", ".join(f'"{name}"' for name in full)
        db.execute(f"INSERT INTO {contract.table} ({columns}) VALUES ({marks})", [*full.values()])


def rows_of(db, table, expected, *, twin=False):
    """The rows of a table or subquery, as far as the expected ones name columns; of a twin nothing."""
    columns = list(expected[0]) if expected else ["*"]
    assert all(list(row) == columns for row in expected), "name the same columns in every row"
    listed = ", ".join(columns)
    own = " WHERE source <> 'all' AND source NOT LIKE 'twin of %'" if twin else ""
    return sorted(db.execute(f"SELECT {listed} FROM {table}{own}").fetchall(), key=repr)


def wanted_rows(case):
    return sorted((tuple(row.values()) for row in case["expect"]), key=repr)


def test_every_table_has_its_three_places():
    for name, contract in MADE_BY_SQL.items():
        assert build.files_of(contract), f"{name} has a contract but no SQL"
        assert list((CASES / name).glob("*.yaml")), f"{name} has no case in tests/sql/{name}/"
    known = {f for c in MADE_BY_SQL.values() for f in build.files_of(c)} | {SQL / "macros.sql"}
    others = {"cases", "judgement", "load", "reports", "retention"}  # run by Python, by name
    written = {f for f in SQL.rglob("*.sql") if f.parent.name not in others}
    assert written == known, "an SQL file without a contract"
    assert {f.parent.name for f in cases()} == set(MADE_BY_SQL)


def test_every_rule_has_its_case():
    for name, contract in MADE_BY_SQL.items():
        stems = {f.stem for f in (CASES / name).glob("*.yaml")}
        missing = set(contract.rules) - stems
        assert not missing, f"{name}: no case for {sorted(missing)}"


def test_every_file_has_the_shape_of_its_contract(scene):
    """Over empty tables binding alone tells. A platform's staging file may leave columns out; a mart
    may not."""
    files = [
        (contract, file) for contract in contracts().values() for file in build.files_of(contract)
    ]
    assert files
    assert [what for contract, file in files for what in misfits(scene, contract, file)] == []


def misfits(db, contract, file):
    """One sentence for every column of a file that differs from its contract."""
    rows = db.execute(f"DESCRIBE {file.read_text(encoding='utf-8').strip().rstrip(';')}").fetchall()
    found = {name: kind for name, kind, *_ in rows}
    wanted = {name: column.type for name, column in contract.columns.items()}
    where = f"{file.relative_to(SQL)} against {contract.table}"
    yield from (f"{where}: unknown column {name}" for name in found if name not in wanted)
    for name, kind in wanted.items():
        if name not in found:
            if contract.build != "merge":
                yield f"{where}: no column {name}"
        elif found[name] not in (kind, '"NULL"'):
            yield f"{where}: {name} is {found[name]}, the contract says {kind}"
