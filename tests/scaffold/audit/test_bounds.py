"""Columns that enclose the amount to predict are told from those that only go with it."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.scaffold.audit.bounds import bracket
from homeostat.scaffold.audit.predictive_power import Array

CHANCE = np.random.default_rng(4)
CLOSE: Array = 100 + CHANCE.normal(size=900).cumsum()
SPREAD: Array = np.abs(CHANCE.normal(size=900))
BEFORE: Array = np.roll(CLOSE, 1)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ({"open": BEFORE, "high": CLOSE + SPREAD, "low": CLOSE - SPREAD[::-1]}, [("low", "high")]),
        ({"high_before": BEFORE + SPREAD, "low_before": BEFORE - SPREAD}, []),
        ({"floor": CLOSE * 0 + SPREAD - 200, "capacity": 500 + 9 * SPREAD}, []),
        ({"high": CLOSE + SPREAD}, []),
    ],
    ids=["the same day", "the day before", "far away", "one alone"],
)
def test_what_encloses_the_label_is_found(numbers: dict[str, Array], found: list[tuple[str, str]]) -> None:
    assert list(bracket(numbers, CLOSE)) == found
