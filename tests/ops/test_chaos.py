"""A few random kills of whole nights; `make chaos` does hundreds."""

import pytest

from tests.ops import chaos


@pytest.mark.slow
def test_killed_nights_end_as_undisturbed_ones(tmp_path, monkeypatch):
    _, shaken = chaos.run(tmp_path, monkeypatch, nights=2, kills=3, seed=7)
    assert shaken.kills > 0
