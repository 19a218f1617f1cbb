"""Beta calibration (Kull, Silva Filho and Flach, 2017, AISTATS): both ends of the scores move by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeostat.core.calibration import fewest, inside, log_odds, logistic, targets
from homeostat.core.metrics import Array

PLENTY = 500  # events of either class: of fewer its rate is known to no better than a twentieth, and an end to less


@dataclass(frozen=True)
class Beta:
    """Log odds become ``a`` ln p - ``b`` ln(1 - p) + ``c``; ``a`` and ``b`` are not below 0."""

    a: float
    b: float
    c: float

    def moved(self, odds: Array) -> Array:
        """The log odds (n,) after it."""
        return inside(self.a * -np.logaddexp(0.0, -odds) + self.b * np.logaddexp(0.0, odds) + self.c)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "beta", "a": self.a, "b": self.b, "c": self.c}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Beta:
        return cls(float(raw["a"]), float(raw["b"]), float(raw["c"]))


def fit_beta(score: Array, y: Array) -> Beta | None:
    """The curve of least log loss; ``y`` (n,) is 0 or 1. None where events are not plenty, or no order is kept."""
    if fewest(y) < PLENTY:
        return None
    odds = log_odds(score)
    low, high = -np.logaddexp(0.0, -odds), np.logaddexp(0.0, odds)
    a, b, c = _weights(y, low, high)
    if a < 0:  # as in the paper: an end that would turn the order around is left out
        a, (b, c) = 0.0, _weights(y, high)
    elif b < 0:
        b, (a, c) = 0.0, _weights(y, low)
    return Beta(a, b, c) if np.isfinite(c) and min(a, b) >= 0 and max(a, b) > 0 else None


def _weights(y: Array, *terms: Array) -> list[float]:
    """Of each term and of 1; NaN where there are none."""
    start = np.array([*(1.0 for _ in terms), 0.0])
    answer = logistic(np.stack([*terms, np.ones(len(y))]), targets(y), start)
    return [float(weight) for weight in (np.full(len(start), np.nan) if answer is None else answer)]
