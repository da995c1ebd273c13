"""Examples that the authors of a metric published, with the numbers they give."""

import pytest

from tests.metrics.test_independent import made

STANDING = {
    "source": "forum",
    "messages": 1,
    "helps": 0,
    "reactions": 0,
    "weeks_active": 1,
    "contribution": 1,
    "reason": "active",
}


def test_gravity_of_the_orbit_model(tables):
    """Its "Measure gravity": 30 members over three months, +2.1 and +5.4 per member."""
    months = {
        "2026-01-05": (17, 8, 4, 1),
        "2026-02-02": (15, 9, 5, 1),
        "2026-03-02": (12, 10, 6, 2),
    }
    tiers = ("passer_by", "user", "contributor", "core")
    rows = [
        {**STANDING, "week": week, "person_id": f"p{place}", "tier": tier}
        for week, counts in months.items()
        for place, tier in enumerate(
            tier for tier, count in zip(tiers, counts, strict=True) for _ in range(count)
        )
    ]
    asked = "weighted_commitment, round(gravity, 1)"
    assert sorted(made(tables, "marts.standings", rows, "marts.gravity", asked)) == [
        (441, None),
        (504, 2.1),
        (666, 5.4),
    ]


def test_absence_factor_of_chaoss(tables):
    """CHAOSS Contributor Absence Factor: eight people, of whom two made half; their Gini beside it."""
    made_by = (1000, 202, 90, 33, 332, 343, 42, 433)
    rows = [
        {
            **STANDING,
            "week": "2026-03-02",
            "person_id": f"p{n}",
            "tier": "user",
            "messages": messages,
        }
        for n, messages in enumerate(made_by)
    ]
    asked = "absence_factor, gini"
    assert made(tables, "marts.standings", rows, "marts.concentration", asked) == [
        (2, pytest.approx(0.4855, abs=5e-5))
    ]
