"""The statistics of a batch's profile, each with its history, on the scale on which its noise is even.

Shares are compared as the arcsine of their root, correlations as Fisher's z, counts as logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from homeostat.core.repairs import Array

SHARES = frozenset({
    "missing", "same", "repeated", "run", "zero", "blanks", "lower", "odd", "new", "mix", "clock", "apart",
    "copies", "shift", "lost", "cut", "midnight", "negative",
})  # fmt: skip
LEAST = 0.5  # of a count, for its logarithm
COUNTS = ("rows", "slice", "distinct")


@dataclass(frozen=True)
class Series:
    """A statistic of this batch and of each before, not yet scaled.

    ``noise``: its standard error on the scale, where as many values are usual; ``wider``: how much greater it is here.
    """

    column: str
    statistic: str
    value: float
    before: Sequence[float] | Array
    noise: float
    wider: float = 1.0
    other: str = ""


def scaled(statistic: str, value: float) -> float:
    """A statistic on the scale on which it is compared."""
    if statistic in SHARES:
        return float(np.arcsin(sqrt(min(max(value, 0.0), 1.0))))
    if statistic == "order":
        return float(np.arctanh(min(max(value, -0.95), 0.95)))
    return log(max(value, LEAST)) if statistic in COUNTS else value


def natural(statistic: str, value: float) -> float:
    """The statistic itself, of its value on the scale."""
    if statistic in SHARES:
        return float(np.sin(min(max(value, 0.0), np.pi / 2)) ** 2)
    if statistic == "order":
        return float(np.tanh(value))
    return float(np.exp(value)) if statistic in COUNTS else value


def scaled_history(series: Sequence[Series]) -> Array:
    """(K, S): each statistic in the batches before, ``scaled``."""
    values = np.array([s.before for s in series], dtype=float)
    names = np.array([s.statistic for s in series])
    shares, orders = np.isin(names, list(SHARES)), names == "order"
    counts = np.isin(names, COUNTS)
    values[shares] = np.arcsin(np.sqrt(np.clip(values[shares], 0, 1)))
    values[orders] = np.arctanh(np.clip(values[orders], -0.95, 0.95))
    values[counts] = np.log(np.maximum(values[counts], LEAST))
    return values.T
