"""The notebook of the data team runs over a published night."""

import json
from pathlib import Path

import matplotlib as mpl

NOTEBOOK = Path(__file__).parents[2] / "docs" / "hearth.ipynb"


def test_the_notebook_runs_from_top_to_bottom(emberfield, monkeypatch):
    """Its cells in order, in one name space, as a kernel runs them; outputs are not committed."""
    monkeypatch.setenv("HEARTH_PUBLISHED", str(emberfield.home / "published" / "current.duckdb"))
    mpl.use("Agg")
    cells = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells)
    names = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
    assert [line.get_label() for line in names["axes"].get_lines()] == ["chat", "forum"]
    assert len(names["people"]) > 40
    names["db"].close()
    names["plt"].close("all")
