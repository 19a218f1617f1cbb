"""Which columns a label is the sum of."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.scaffold.audit.linear_sums import find_sums

CHANCE = np.random.default_rng(4)
A, B, C, D = (CHANCE.gamma(2, s, 600).round(2) for s in (1, 5, 20, 3))
MANY = {f"m{n}": CHANCE.normal(50, 9, 600) for n in range(12)}

CASES = [
    ("two of many", {"a": A, "b": B, "c": C, "d": D}, A + C, ["a + c"]),
    ("a difference", {"a": A, "b": B, "c": C}, B - C, ["b - c"]),
    ("another unit", {"f": A, "b": B}, 1.8 * A + 32, ["1.8 * f + 32"]),
    ("all months, rounded", MANY, np.sum(list(MANY.values()), axis=0).round(1), [" + ".join(MANY)]),
    ("two ways", {"a": A, "b": B, "c": A - 2 * B, "d": 3 * B + D, "e": D}, A + B, ["a + b", "c + d - e"]),
    ("nothing", {"a": A, "b": B}, CHANCE.normal(0, 1, 600), []),
    ("much but not all", {"a": A, "b": B}, A + B + CHANCE.normal(0, 0.3, 600), []),
    ("a count that is near", {"a": A, "b": B}, np.round(A + 0.3 * B), []),
]


@pytest.mark.parametrize(("numbers", "y", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_sum_is_found_and_nothing_else(numbers: dict[str, np.ndarray], y: np.ndarray, expected: list[str]) -> None:
    assert [sorted(str(s).split()) for s in find_sums(numbers, y)] == [sorted(s.split()) for s in expected]
