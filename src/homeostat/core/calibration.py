"""A calibrator of probabilities: they keep their order and move to the level at which things happen now.

Platt scaling on the log odds (Platt, 1999, Advances in Large Margin Classifiers), two numbers: isotonic regression
needs more events than a few weeks hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from homeostat.core.metrics import Array

LEAST = 1e-9  # scores are kept so far off 0 and 1, which have no log odds
ROUNDS = 100  # of Newton's method, which takes some five
CLOSE = 1e-10  # a step no longer than that is the last


@dataclass(frozen=True)
class Calibrator:
    """p becomes the sigmoid of ``slope`` times its log odds plus ``intercept``; fitted on events in [since, until]."""

    slope: float
    intercept: float
    since: datetime
    until: datetime
    rows: int

    def apply(self, score: Array) -> Array:
        """Calibrated probabilities, (n,).

        >>> when = datetime(2024, 3, 1)
        >>> Calibrator(1.0, 0.0, when, when, 0).apply(np.array([0.25, 0.5])).round(12).tolist()
        [0.25, 0.5]
        """
        return sigmoid(self.slope * log_odds(score) + self.intercept)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"kind": "platt", "since": self.since.isoformat(), "until": self.until.isoformat()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Calibrator:
        """What ``to_dict`` wrote.

        Raises:
            ValueError, KeyError: it is of another kind, or damaged.
        """
        if raw["kind"] != "platt":
            raise ValueError(f"a calibrator of kind {raw['kind']!r}")
        since, until = (datetime.fromisoformat(raw[name]) for name in ("since", "until"))
        return cls(float(raw["slope"]), float(raw["intercept"]), since, until, int(raw["rows"]))


def fit_platt(score: Array, y: Array) -> tuple[float, float] | None:
    """Slope and intercept of least log loss, by Newton's method; ``y`` (n,) is 0 or 1.

    None where the labels are of one class, or where the order of the scores would not be kept.
    """
    if len(y) == 0 or y.min() == y.max():
        return None
    happened = float(y.sum())
    high, low = (happened + 1) / (happened + 2), 1 / (len(y) - happened + 2)  # Platt's targets: never sure of either
    target, odds = np.where(y > 0, high, low), log_odds(score)
    terms, answer = np.stack([odds, np.ones(len(odds))]), np.array([1.0, 0.0])
    for _ in range(ROUNDS):
        p = sigmoid(answer @ terms)
        slope = (terms * (p - target)).sum(axis=1)
        bend = np.array([[(one * other * p * (1 - p)).sum() for other in terms] for one in terms])
        if np.linalg.cond(bend) > 1 / CLOSE:  # every score is the same: only their level can be learned
            step = np.array([0.0, slope[1] / max(bend[1, 1], LEAST)])
        else:
            step = np.linalg.solve(bend, slope)
        answer = answer - step
        if np.abs(step).max() < CLOSE:
            break
    return (float(answer[0]), float(answer[1])) if np.isfinite(answer).all() and answer[0] > 0 else None


def log_odds(score: Array) -> Array:
    inside = np.clip(score, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def sigmoid(value: Array) -> Array:
    small = np.exp(-np.abs(value))
    return np.where(value >= 0, 1.0, small) / (1.0 + small)
