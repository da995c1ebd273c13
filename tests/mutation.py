"""Does a case notice when a condition of a mart is deleted or turned around?

`python -m tests.mutation [table ...]` changes one condition at a time (in WHERE, ON, HAVING, QUALIFY,
FILTER and CASE), runs the table's cases, prints every change that none of them noticed, and the score.
"""

import sys
import tempfile
import threading
from pathlib import Path
from unittest import mock

import duckdb
import sqlglot
import yaml
from sqlglot import exp

from pipeline import build
from pipeline.contracts import contracts
from tests.conftest import make_community
from tests.test_sql import CASES, has_twin, outcome, scenery

_PLACES = (exp.Where, exp.Having, exp.Qualify, exp.Filter, exp.If, exp.Join)


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


def noticed(scene, table, cases, sql):
    """Whether a case of the table fails over this SQL."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(sql)
        file.flush()
        with mock.patch.object(build, "files_of", lambda _: [Path(file.name)]):
            for case in cases:
                for twin in (False, True) if has_twin(table, case) else (False,):
                    endless = threading.Timer(20, scene.interrupt)  # a recursion may lose its end
                    endless.start()
                    try:
                        found, wanted = outcome(scene, table, case, twin=twin)
                    except duckdb.Error:
                        return True
                    finally:
                        endless.cancel()
                    if found != wanted:
                        return True
    return False


def main(wanted):
    total = killed = 0
    with tempfile.TemporaryDirectory() as folder, scenery(make_community(folder)) as scene:
        for contract in contracts().values():
            table = contract.table
            if contract.build != "replace" or (wanted and table not in wanted):
                continue
            cases = [
                yaml.safe_load(f.read_text("utf-8")) for f in sorted((CASES / table).glob("*.yaml"))
            ]
            [file] = build.files_of(contract)
            sql = file.read_text("utf-8")
            plain = sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")
            assert not noticed(scene, table, cases, plain), (
                f"{table}: sqlglot writes other SQL than it read"
            )
            for told, changed in mutants(sql):
                total += 1
                if noticed(scene, table, cases, changed):
                    killed += 1
                else:
                    print(f"{table}: nobody noticed: {told}", flush=True)
    print(f"mutation score: {killed} of {total} ({killed / total:.0%})")


if __name__ == "__main__":
    main(sys.argv[1:])
