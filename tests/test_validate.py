"""The nightly gate: each promise of a contract can be broken, and is then named."""

import re
import tempfile
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
            "rules": {
                "small": {"says": "Things are small.", "sql": "size < 10", "severity": "warning"}
            },
            **parts,
        }
    )


def test_every_part_of_a_contract_is_a_promise():
    told = contract(rows_from=1, band={"keeps": 0.98, "per": "kind"})
    assert [(p.rule, p.severity) for p in validate.promises(told, {"b": 1, "a": 2})] == [
        ("columns", "critical"),
        ("key", "critical"),
        ("rows", "warning"),
        ("band/a", "warning"),
        ("band/b", "warning"),
        ("id_required", "critical"),
        ("kind_values", "critical"),
        ("size_range", "critical"),
        ("small", "warning"),
    ]


def test_of_a_view_only_the_columns_are_asked():
    assert [p.rule for p in validate.promises(contract(build="view"))] == ["columns"]


def validated(tmp_path, monkeypatch, broken, rows, last_night=None):
    """What is found in a table of these rows."""
    monkeypatch.setattr(validate, "contracts", lambda: {broken.table: broken})
    file = tmp_path / "work.duckdb"
    with duckdb.connect(file) as db:
        db.execute("CREATE SCHEMA marts")
        db.execute("CREATE TABLE marts.things (id INTEGER, kind VARCHAR, size INTEGER)")
        db.execute(f"INSERT INTO marts.things VALUES {rows}")
    found = validate.validate(file, tmp_path / "docs", last_night)
    with duckdb.connect(file) as db:
        assert len(db.execute("FROM marts.things").fetchall()) == rows.count("(")
    return found


def test_great_expectations_keeps_its_progress_to_itself(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    validated(tmp_path, monkeypatch, contract(), "(1, 'a', 1)")
    assert not [r for r in caplog.records if r.name.startswith("great_expectations")]


def test_what_is_broken_is_named_with_its_rows(tmp_path, monkeypatch):
    rows = "(1, 'a', 1), (1, 'b', 2), (NULL, 'c', 11), (4, NULL, -1)"
    found = validated(tmp_path, monkeypatch, contract(rows_from=9), rows)
    assert [(b.rule, b.severity, b.rows) for b in found.broken] == [
        ("key", "critical", 1),
        ("rows", "warning", 5),
        ("id_required", "critical", 1),
        ("kind_values", "critical", 1),
        ("size_range", "critical", 1),
        ("small", "warning", 1),
    ]
    assert found.broken[0] == validate.Broken(
        "marts.things", "key", "critical", "No two rows share id.", 1
    )
    assert {b.severity for b in found.critical} == {"critical"}
    assert found.checked == 7
    told = "".join(page.read_text() for page in found.docs.parent.rglob("validations/**/*.html"))
    for sentence in ("Things are small.", "size is at least 0.", "kind_values: 1"):
        assert sentence in told


def test_the_pages_load_nothing_and_leave_nothing_elsewhere(tmp_path, monkeypatch):
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    docs = validated(tmp_path, monkeypatch, contract(), "(1, 'c', 1)").docs.parent
    pages = {
        str(page.relative_to(docs)): page.read_text() for page in docs.rglob("*") if page.is_file()
    }
    [results] = [name for name in pages if name.startswith("validations/")]
    assert pages.keys() == {"index.html", "expectations/contracts.html", results}
    assert f'href="{results}"' in pages["index.html"]
    for page in pages.values():
        assert re.findall(r"https?:|//\w|<script|<link|<img|@import", page) == []
    assert list(elsewhere.iterdir()) == []


def test_a_band_names_the_rows_that_are_missing(tmp_path, monkeypatch):
    """49 rows of 50 are 98 %, 97 of 100 are not; what nobody counted before breaks nothing."""
    banded = contract(
        band={"keeps": 0.98, "per": "kind"},
        columns=dict.fromkeys(("id", "kind", "size"), {"type": "INTEGER", "description": ""}),
        rules={},
    )
    rows = [f"({n}, 'it''s', 1)" for n in range(97)] + [f"({n}, 'b', 1)" for n in range(100, 149)]
    rows.append("(200, 'new', 1)")
    last = {"it's": 100, "b": 50, "gone": 3}
    found = validated(tmp_path, monkeypatch, banded, ", ".join(rows), {"marts.things": last})
    assert [(b.rule, b.severity, b.rows) for b in found.broken] == [
        ("band/gone", "warning", 3),
        ("band/it's", "warning", 1),
    ]
    assert found.broken[1].says == "At least 98 % of last night's 100 rows of it's are there."
    assert found.rows == {"marts.things": {"it's": 97, "b": 49, "new": 1}}


@pytest.mark.parametrize(
    "columns",
    [
        "id INTEGER, kind VARCHAR",
        "id INTEGER, kind VARCHAR, size INTEGER, more INTEGER",
        "id INTEGER, kind VARCHAR, width INTEGER",
    ],
)
def test_a_column_too_few_or_too_many_is_critical(tmp_path, monkeypatch, columns):
    broken = contract()
    monkeypatch.setattr(validate, "contracts", lambda: {broken.table: broken})
    with duckdb.connect(tmp_path / "work.duckdb") as db:
        db.execute(f"CREATE SCHEMA marts; CREATE TABLE marts.things ({columns})")
    found = validate.validate(tmp_path / "work.duckdb", tmp_path / "docs")
    assert [(b.rule, b.severity, b.rows) for b in found.broken] == [
        ("columns", "critical", 2 if "width" in columns else 1)
    ]


def test_a_table_whose_rows_cannot_be_counted_is_critical(tmp_path, monkeypatch):
    broken = contract(rules={"odd": {"says": "It is odd.", "sql": "error('no matter')"}})
    found = validated(tmp_path, monkeypatch, broken, "(1, 'a', 1)")
    assert [(b.table, b.rule, b.severity) for b in found.broken] == [
        ("marts.things", "counted", "critical")
    ]


def test_what_stood_in_while_importing_is_gone_afterwards(tmp_path, monkeypatch):
    validated(tmp_path, monkeypatch, contract(rules={}), "(1, 'a', 1)")
    from scipy import stats

    assert stats.norm.cdf(0) == 0.5


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
