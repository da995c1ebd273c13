"""A served community, as every night's tests have it."""

from tests.test_night import world

__all__ = ["world"]
