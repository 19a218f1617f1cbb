"""Changes of unit and sign, on quantiles of batches."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.profiles import QUANTILES
from homeostat.core.repairs import UNIT, Band, best_repair, named_repair

DRAW = np.random.default_rng(1)
NORMAL = [-2.5, -2.05, -1.28, -0.67, 0, 0.67, 1.28, 2.05, 2.5]  # a standard normal's, at QUANTILES


def batches(middle: float, between: float, within: float) -> list[np.ndarray]:
    return [middle + DRAW.normal(0, between) + within * np.array(NORMAL) for _ in range(40)]


@pytest.mark.parametrize("unit", UNIT.values(), ids=list(UNIT))
def test_a_unit_leads_back_to_what_it_came_from(unit: object) -> None:
    (repair,) = [u for u in UNIT.values() if u is unit]
    usual = np.array(NORMAL) * 10 + 60
    came = repair.factor * usual + repair.constant
    assert np.allclose(repair.fix(came), usual)


@pytest.mark.parametrize(
    ("change", "kind", "unit"),
    [
        (lambda q: (q - 32) / 1.8, "unit change", "Celsius for Fahrenheit"),
        (lambda q: q * 60, "unit change", "seconds for minutes"),
        (lambda q: q * 1000, "unit change", "thousandths"),
        (lambda q: -q[::-1], "sign flip", ""),
        (lambda q: q * 17, "unit change", ""),
    ],
    ids=["Celsius", "seconds", "thousandths", "sign", "a factor without a name"],
)
def test_the_repair_is_named(change: object, kind: str, unit: str) -> None:
    before = batches(60, 4, 5)
    best = best_repair(change(before[0]), Band.of(before))  # type: ignore[operator]
    assert best is not None and (best[0].kind, best[0].unit) == (kind, unit)


@pytest.mark.parametrize("between", [4, 25], ids=["narrow", "wide"])
def test_nothing_repairs_what_is_as_usual(between: float) -> None:
    before = batches(60, between, 5)
    assert all(named_repair(q, Band.of(before)) is None or Band.of(before).misfits(q) == 0 for q in before)


def test_a_wide_history_tells_no_unit() -> None:
    """Where usual batches differ by as much as the unit makes, an unusual one is no sign of it."""
    wide = Band.of([f * (60 + 5 * np.array(NORMAL)) for f in np.linspace(0.3, 3, 40)])
    assert not wide.tells(UNIT["kilometres for miles"]) and wide.tells(UNIT["thousandths"])
    assert len(QUANTILES) == len(NORMAL)
