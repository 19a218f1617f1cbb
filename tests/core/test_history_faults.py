"""The fault behind statistics that lie outside their limits, from profiles written by hand."""

from __future__ import annotations

import numpy as np

from homeostat.core.history_faults import Fault, faults
from homeostat.core.profile_limits import Compared
from homeostat.core.profiles import Profile
from homeostat.core.repairs import UNIT

AT = np.array([-15.0, -12, -8, -4, 0, 4, 8, 12, 15])  # of the quantiles of a day around its mean
MEANS = np.linspace(40, 66, 40)  # of earlier days, in degrees Fahrenheit


def day(quantiles: np.ndarray) -> Profile:
    stats = {("temp", "same"): 0.05, ("temp", "missing"): 0.0, ("temp", "zero"): 0.0, ("temp", "middle"): quantiles[4]}
    return Profile(100, stats, {"temp": quantiles}, {"temp": float(quantiles[7] - quantiles[1])})


def judged(mean: float, units: dict[str, str]) -> Fault:
    """The fault of a day in Celsius."""
    celsius = (mean + AT - 32) / 1.8
    outside = [Compared("temp", "middle", celsius[4], 35.0, 70.0, 53.0)]
    (fault,) = faults(day(celsius), [day(m + AT) for m in MEANS], outside, units)
    return fault


def test_a_column_that_came_in_another_unit_still_does() -> None:
    """One day of few values fits several units; the one that the day before was in is the likeliest."""
    for mean in (44.0, 53.0, 60.0):
        alone, after = judged(mean, {}), judged(mean, {"temp": "Celsius for Fahrenheit"})
        assert alone.kind == "unit change"
        assert after.facts["unit"] == "Celsius for Fahrenheit"
        assert after.facts["repair"] == UNIT["Celsius for Fahrenheit"].sql == "{c} * 1.8 + 32"


def test_a_unit_that_no_longer_fits_is_not_kept() -> None:
    assert judged(53.0, {"temp": "seconds for minutes"}).facts["unit"] != "seconds for minutes"
    assert judged(53.0, {"load": "thousandths"}).facts["unit"] == judged(53.0, {}).facts["unit"]
