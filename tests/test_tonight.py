"""How far a read has come, in words."""

import pytest

from pipeline.tonight import how_far


@pytest.mark.parametrize(
    ("asked", "expected", "seconds", "told"),
    [
        (0, 100, 0.0, "5 records, 0 requests, 0.0 a second"),
        (10, None, 5.0, "5 records, 10 requests, 2.0 a second"),
        (10, 100, 20.0, "5 records, 10 requests, 0.5 a second; about 90 left, 3 min to go"),
        (120, 100, 60.0, "5 records, 120 requests, 2.0 a second; about 0 left, 0 min to go"),
    ],
)
def test_how_far(asked, expected, seconds, told):
    assert how_far(5, asked, expected, seconds) == told
