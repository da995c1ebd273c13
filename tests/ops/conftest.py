"""A served community."""

import pytest

from tests.test_night import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)
