"""A served community, and nights without the slow validation."""

import pytest

from tests.test_night import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


@pytest.fixture
def unchecked(monkeypatch):
    """Great Expectations takes seconds and has its own tests."""
    monkeypatch.setattr("pipeline.steps.running.validate", lambda night: {})
