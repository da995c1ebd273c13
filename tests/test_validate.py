"""The nightly gate: each promise of a contract can be broken, and is then named."""

from datetime import UTC, datetime

import duckdb
import pytest

from pipeline import build, validate, warehouse
from pipeline.contracts import Contract, contracts


def contract(**parts):
    return Contract.model_validate(
        {
            "table": "marts.things",
            "description": "Things.",
            "grain": "one thing",
            "key": ["id"],
            "build": "replace",
            "columns": {
                "id": {"type": "INTEGER", "description": "Key.", "required": True},
                "kind": {"type": "VARCHAR", "description": "Kind.", "values": ["a", "b"]},
                "size": {"type": "INTEGER", "description": "Size.", "low": 0},
            },
            "rules": {"small": {"says": "Things are small.", "sql": "size < 10",
                                "severity": "warning"}},
            **parts,
        }
    )  # fmt: skip


def test_every_part_of_a_contract_is_a_promise():
    assert [(p.rule, p.severity) for p in validate.promises(contract(rows_from=1))] == [
        ("columns", "critical"), ("key", "critical"), ("rows", "warning"),
        ("required", "critical"), ("range", "critical"), ("kind_values", "critical"),
        ("small", "warning"),
    ]  # fmt: skip


def test_what_is_broken_is_named_with_its_rows(tmp_path, monkeypatch):
    broken = contract(rows_from=9)
    monkeypatch.setattr(validate, "contracts", lambda: {broken.table: broken})
    file = tmp_path / "work.duckdb"
    with duckdb.connect(file) as db:
        db.execute("CREATE SCHEMA marts")
        db.execute(broken.ddl())
        db.execute(
            "INSERT INTO marts.things VALUES (1, 'a', 1), (1, 'b', 2), (NULL, 'c', 11), (4, NULL, -1)"
        )
    found = validate.validate(file, tmp_path / "docs")
    assert {(b.rule, b.severity, b.rows) for b in found.broken} == {
        ("key", "critical", 1), ("rows", "warning", 4), ("required", "critical", 1),
        ("kind_values", "critical", 1), ("range", "critical", 1), ("small", "warning", 1),
    }  # fmt: skip
    assert {b.rule for b in found.critical} == {"key", "required", "kind_values", "range"}
    assert found.docs.is_file()
    with duckdb.connect(file) as db:
        assert db.execute("SELECT count(*) FROM marts.things").fetchone() == (4,)


def test_an_empty_warehouse_keeps_every_promise(tmp_path, community):
    file = tmp_path / "work.duckdb"
    with duckdb.connect(file) as db:
        warehouse.prepare(db)
        build.build(db, community, datetime(2026, 3, 2, tzinfo=UTC))
    found = validate.validate(file, tmp_path / "docs")
    assert found.broken == ()
    assert found.checked == sum(len(list(validate.promises(c))) for c in contracts().values())


@pytest.mark.parametrize("table", contracts())
def test_every_rule_is_a_sentence(table):
    for name, rule in contracts()[table].rules.items():
        assert rule.says[0].isupper(), name
        assert rule.says.endswith("."), name
