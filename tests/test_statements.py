"""What may stand in a statement, and what a query gives back."""

import duckdb
import pytest

from pipeline.statements import (
    identifier,
    literal,
    spreadsheet_safe,
    spreadsheet_safe_column,
    value,
)

CELLS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=1", "'=1", " =1", "\n=1", "", "中文"]


@pytest.fixture
def db():
    with duckdb.connect() as db:
        yield db


@pytest.mark.parametrize("text", ["", "it's", "''", 'a "b"', "back\\slash", "line\nbreak"])
def test_a_text_comes_back_as_it_was(db, text):
    assert value(db, f"SELECT {literal(text)}") == text


@pytest.mark.parametrize("name", ["order", "two words", 'a "b"', "it's"])
def test_any_name_may_name_a_column(db, name):
    db.execute(f"CREATE TABLE t ({identifier(name)} INTEGER)")
    assert value(db, "SELECT column_name FROM duckdb_columns() WHERE table_name = 't'") == name


def test_the_one_value_of_a_query(db):
    assert value(db, "SELECT $1 + $2 + $1", 1, 2) == 4
    assert value(db, "SELECT NULL") is None
    assert value(db, "SELECT 1 WHERE false") is None


def test_a_spreadsheet_computes_neither_cell_nor_column(db):
    db.execute("CREATE TABLE t AS SELECT unnest($cells) AS cell", {"cells": CELLS})
    found = db.execute(f"SELECT {spreadsheet_safe_column('cell')} FROM t").fetchall()
    assert [cell for (cell,) in found] == [spreadsheet_safe(cell) for cell in CELLS]
    assert [cell for cell in CELLS if spreadsheet_safe(cell) != cell] == CELLS[:6]
    assert spreadsheet_safe(-1) == -1
    assert spreadsheet_safe(None) is None
