"""The sample queries of docs/queries.md with the answers a published file gives; the restricted file of
its night is attached as `r`.

`python -m tests.metrics.queries <file>` writes them into the page.
"""

import re
import sys
from pathlib import Path

import duckdb

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
_QUERY = re.compile(r"```sql\n(?P<sql>.+?)\n```\n\n```text\n.*?```", re.DOTALL)


def answered(page, file):
    """The page with every answer as `file` gives it."""
    restricted = file.with_name(file.name.replace("community-", "restricted-"))
    with duckdb.connect(file, read_only=True) as db:
        db.execute(f"ATTACH '{restricted}' AS r (READ_ONLY)")
        return _QUERY.sub(lambda found: _block(db, found["sql"]), page)


def queries(page):
    return [found["sql"] for found in _QUERY.finditer(page)]


def _block(db, sql):
    rows = db.execute(sql)
    names = [name for name, *_ in rows.description]
    cells = [names, *([_text(cell) for cell in row] for row in rows.fetchall())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return f"```sql\n{sql}\n```\n\n```text\n" + "\n".join(lines) + "\n```"


def _text(cell):
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    PAGE.write_text(answered(PAGE.read_text("utf-8"), Path(sys.argv[1]).resolve()), "utf-8")
