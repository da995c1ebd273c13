"""A few random disturbances of whole nights; `make chaos` does hundreds."""

import pytest

from tests.ops import chaos


@pytest.mark.slow
def test_killed_nights_end_as_undisturbed_ones(tmp_path, monkeypatch):
    shaken, faults = chaos.run(tmp_path, monkeypatch, nights=2, kills=4, seed=7, sick=0.1)
    assert shaken.kills > 0
    assert faults > 0


@pytest.mark.slow
def test_a_disk_that_fills_at_any_write_is_named_and_costs_nothing(world):
    """A file may not grow beyond a size: what a full disk does to whoever writes next."""
    with world.serve() as addresses:
        calm = chaos.Home(world.folder / "calm", world, addresses)
        calm.whole_night(0)
        full = chaos.Home(world.folder / "full", world, addresses)
        for size in (100, 3_000, 300_000, 6_000_000):
            full.full_disk(0, size)
        assert full.full == 4
        full.whole_night(0)
        assert (
            chaos.differences(
                chaos.published(calm.folder) | calm.told(),
                chaos.published(full.folder) | full.told(),
            )
            == {}
        )
