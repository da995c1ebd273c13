"""How sure one can be of a share that was counted over few cases."""

from __future__ import annotations

from math import sqrt

_Z = 1.959964  # of a normal distribution: 95 % lie within; sql/macros.sql has the same


def wilson(agreed: int, judged: int) -> tuple[float, float]:
    """Wilson's (1927) 95 % interval of a proportion. Of one case or more: `rate_low()` and
    `rate_high()` in sql/macros.sql, which say the same of a mart, are null under 5."""
    share, square = agreed / judged, _Z**2 / judged
    middle = share + square / 2
    reach = _Z * sqrt(share * (1 - share) / judged + square / (4 * judged))
    return max(0.0, (middle - reach) / (1 + square)), min(1.0, (middle + reach) / (1 + square))
