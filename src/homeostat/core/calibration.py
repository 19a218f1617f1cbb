"""Platt scaling, and what calibration curves share: they move log odds to log odds and keep their order.

Platt (1999, Advances in Large Margin Classifiers): two numbers, which some days of events can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeostat.core.metrics import Array

LEAST = 1e-9  # scores are kept so far off 0 and 1, which have no log odds
FEWEST = 50  # events of either class: some days of a rare one say little about its level
ROUNDS = 100  # of Newton's method, which takes some five
ROUNDING = 1e-9  # share that a loss may rise by without being higher
CLOSE = 1e-10  # a step no longer than that is the last


@dataclass(frozen=True)
class Platt:
    """Log odds times ``slope`` plus ``intercept``."""

    slope: float
    intercept: float

    def moved(self, odds: Array) -> Array:
        """The log odds (n,) after it."""
        return self.slope * odds + self.intercept

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "platt", "slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Platt:
        return cls(float(raw["slope"]), float(raw["intercept"]))


def fit_platt(score: Array, y: Array) -> Platt | None:
    """Slope and intercept of least log loss; ``y`` (n,) is 0 or 1.

    None where either class has too few events to say, or where the order of the scores would not be kept.
    """
    if fewest(y) < FEWEST:
        return None
    odds = log_odds(score)
    answer = logistic(np.stack([odds, np.ones(len(odds))]), targets(y), np.array([1.0, 0.0]))
    return Platt(float(answer[0]), float(answer[1])) if answer is not None and answer[0] > 0 else None


def fewest(y: Array) -> float:
    """The events of the rarer class."""
    happened = float(y.sum())
    return min(happened, len(y) - happened)


def targets(y: Array) -> Array:
    """Platt's: never sure of either class."""
    happened = float(y.sum())
    return np.where(y > 0, (happened + 1) / (happened + 2), 1 / (len(y) - happened + 2))


def logistic(terms: Array, target: Array, start: Array) -> Array | None:
    """The weights of ``terms`` (k, n), the last of which is 1, of least log loss, by Newton's method; None: there are
    none.
    """
    answer = start
    for _ in range(ROUNDS):
        p = sigmoid(answer @ terms)
        slope = (terms * (p - target)).sum(axis=1)
        bend = np.array([[(one * other * p * (1 - p)).sum() for other in terms] for one in terms])
        if not np.isfinite(bend).all():
            return None
        if np.linalg.cond(bend) > 1 / CLOSE:  # every score is the same: only their level can be learned
            step = np.zeros(len(start))
            step[-1] = slope[-1] / max(bend[-1, -1], LEAST)
        else:
            step = np.linalg.solve(bend, slope)
        most = _loss(terms, target, answer) * (1 + ROUNDING)
        while _loss(terms, target, answer - step) > most:  # too far: where the level moved much, whole steps go astray
            step = step / 2
        answer = answer - step
        if np.abs(step).max() < CLOSE:
            return answer if np.isfinite(answer).all() else None
    return None


def _loss(terms: Array, target: Array, answer: Array) -> float:
    odds = answer @ terms
    return float((np.logaddexp(0.0, odds) - target * odds).sum())


def log_odds(score: Array) -> Array:
    inside = np.clip(score, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def sigmoid(value: Array) -> Array:
    small = np.exp(-np.abs(value))
    return np.where(value >= 0, 1.0, small) / (1.0 + small)


def inside(odds: Array) -> Array:
    """Log odds of probabilities that are neither 0 nor 1."""
    most = -np.log(LEAST)
    return np.clip(odds, -most, most)
