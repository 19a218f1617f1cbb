"""Isotonic calibration on log odds: pooled adjacent violators, with straight lines between the pools.

Lines between the pools' means keep the order, which steps would not (centred isotonic regression: Oron and Flournoy,
2017, Statistics in Biopharmaceutical Research); beyond the outermost the log odds move as these did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeostat.core.calibration import fewest, inside, log_odds, targets
from homeostat.core.metrics import Array

PLENTY = 1000  # events of either class: with fewer it fits chance (Niculescu-Mizil and Caruana, 2005, ICML)
POOL = 100  # events of a pool at least: the rate of one event says nothing
RISE = 1e-6  # of the rate from pool to pool, at least: less is the same, but for rounding
LINE = 3  # pools at least: two are a straight line, which Platt's is
Pool = tuple[float, float, int]  # mean log odds, mean target, events


@dataclass(frozen=True)
class Isotonic:
    """Log odds ``at`` the pools, rising, and what they become ``to``, rising too."""

    at: tuple[float, ...]
    to: tuple[float, ...]

    def moved(self, odds: Array) -> Array:
        """The log odds (n,) after it."""
        at, to = np.array(self.at), np.array(self.to)
        beyond = np.minimum(odds - at[0], 0.0) + np.maximum(odds - at[-1], 0.0)
        return inside(np.interp(odds, at, to) + beyond)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "isotonic", "at": list(self.at), "to": list(self.to)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Isotonic:
        return cls(tuple(map(float, raw["at"])), tuple(map(float, raw["to"])))


def fit_isotonic(score: Array, y: Array) -> Isotonic | None:
    """The curve of pools that rise; ``y`` (n,) is 0 or 1. None where events are not plenty, or pools too few."""
    if fewest(y) < PLENTY:
        return None
    odds, target = log_odds(score), targets(y)
    order = np.argsort(odds, kind="stable")
    pools: list[Pool] = []
    for part in np.array_split(order, len(order) // POOL):
        pools.append((float(odds[part].mean()), float(target[part].mean()), len(part)))
        while len(pools) > 1 and not _rises(*pools[-2:]):
            pools[-2:] = [_pooled(*pools[-2:])]
    if len(pools) < LINE:
        return None
    at, rate = np.array([pool[0] for pool in pools]), np.array([pool[1] for pool in pools])
    return Isotonic(tuple(at.tolist()), tuple(log_odds(rate).tolist()))


def _rises(one: Pool, other: Pool) -> bool:
    return other[0] > one[0] and other[1] > one[1] + RISE


def _pooled(one: Pool, other: Pool) -> Pool:
    events = one[2] + other[2]
    at, rate = ((one[place] * one[2] + other[place] * other[2]) / events for place in (0, 1))
    return at, rate, events
