"""Does a case notice when a condition of a table's one SQL file is deleted or turned around?

`python -m tests.mutation [table ...]` changes one condition at a time (in WHERE, ON, HAVING, QUALIFY,
FILTER and CASE), asks the changed SELECT over each of the table's cases, prints every change that none
of them noticed, and the score, and fails where there is such a change. `EQUIVALENT` holds the changes
that no row could show.
"""

import os
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb
import sqlglot
import yaml
from sqlglot import exp

from pipeline import build
from pipeline.contracts import contracts
from tests.conftest import make_community
from tests.test_sql import CASES, arrange, has_twin, rows_of, scenery, wanted_rows

_PLACES = (exp.Where, exp.Having, exp.Qualify, exp.Filter, exp.If, exp.Join)
ENDLESS_S = 10  # a recursion may lose its end
EQUIVALENT = yaml.safe_load((Path(__file__).parent / "equivalent.yaml").read_text("utf-8"))


def mutants(sql):
    """(what was changed, the changed SQL), one condition at a time."""
    count = len(list(_conditions(sqlglot.parse_one(sql, dialect="duckdb"))))
    for number in range(count):
        for name, change in (
            ("deleted", lambda c: exp.true()),
            ("inverted", lambda c: exp.not_(c.copy())),
        ):
            tree = sqlglot.parse_one(sql, dialect="duckdb")
            condition = list(_conditions(tree))[number]
            told = f"{name}: {condition.sql(dialect='duckdb')}"
            condition.replace(change(condition))
            yield told, tree.sql(dialect="duckdb")


def _conditions(tree):
    for place in tree.find_all(*_PLACES):
        whole = place.args.get("on") if isinstance(place, exp.Join) else place.this
        if isinstance(place, exp.Filter):
            whole = place.expression.this
        if whole is not None and not isinstance(place.parent, exp.Filter):
            yield from _leaves(whole)


def _leaves(condition):
    inner = condition.unnest()
    if isinstance(inner, exp.And | exp.Or):
        yield from _leaves(inner.left)
        yield from _leaves(inner.right)
    else:
        yield inner


def unnoticed(table):
    """How many changes there are to a table's SQL, and those that none of its cases notices."""
    [file] = build.files_of(contracts()[table])
    sql = file.read_text("utf-8")
    plain = sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")
    excused = EQUIVALENT.get(table, {})
    alive = [(told, changed) for told, changed in mutants(sql) if told not in excused]
    count = len(alive)
    with tempfile.TemporaryDirectory() as folder, scenery(make_community(folder)) as scene:
        for case in map(_case, sorted((CASES / table).glob("*.yaml"))):
            for twin in (False, True) if has_twin(table, case) else (False,):
                arrange(scene, case, twin=twin)
                assert _agrees(scene, plain, case, twin), f"{table}: sqlglot writes other SQL"
                alive = [m for m in alive if _agrees(scene, m[1], case, twin)]
                for given in case["given"]:
                    scene.execute(f"DELETE FROM {given}")
    return count, [told for told, _ in alive]


def _case(file):
    return yaml.safe_load(file.read_text("utf-8"))


def _agrees(scene, sql, case, twin):
    """Whether this SQL gives what the case wants."""
    endless = threading.Timer(ENDLESS_S, scene.interrupt)
    endless.start()
    try:
        return rows_of(scene, f"({sql})", case["expect"], twin=twin) == wanted_rows(case)
    except duckdb.Error:
        return False
    finally:
        endless.cancel()


def main(wanted):
    tables = [
        contract.table
        for contract in contracts().values()
        if contract.build in ("replace", "merge")
        and len(build.files_of(contract)) == 1
        and contract.table in (wanted or contract.table)
    ]
    if not tables:
        sys.exit(f"none of {', '.join(wanted)} is a table of one SQL file")
    total = survived = 0
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as workers:
        for table, (count, alive) in zip(tables, workers.map(unnoticed, tables), strict=True):
            print(f"{table}: {count - len(alive)} of {count}", flush=True)
            for told in alive:
                print(f"  nobody noticed: {told}", flush=True)
            total, survived = total + count, survived + len(alive)
    killed = total - survived
    print(f"mutation score: {killed} of {total} ({killed / total:.0%})")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
