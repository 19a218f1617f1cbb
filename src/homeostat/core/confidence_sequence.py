"""Confidence sequences: an interval for a mean that holds at every look at once, so that looking often costs nothing.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024, Time-uniform central limit
theory and asymptotic confidence sequences, Annals of Statistics 52). An ordinary interval that is looked at after every
few events excludes the truth in half of all experiments; this one in as many as ``confidence`` allows.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homeostat.core.metrics import Array

FEWEST_MEANS = 200  # of pairs or of means of blocks: before, the normal approximation does not hold
FEWEST_ROWS = 500  # of the smaller of two arms: before, arms of a tenth to nine tenths are wrong too often
TIGHTEST = 5_000  # observations at which the sequence is as tight as it gets


class Moments(NamedTuple):
    """What a sequence needs of the ``rows`` observations so far."""

    rows: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Those of values (n,), of which there are some."""
        return cls(len(values), float(np.mean(values)), float(np.var(values)))


class Bounds(NamedTuple):
    """What ``value`` may be; ``rows`` are the observations that it rests on."""

    value: float
    low: float
    high: float
    rows: int


def block_means(values: Array, block: NDArray[Any]) -> Array:
    """The mean of the values (n,) of each block: those of one block move together, and count as one observation.

    >>> block_means(np.array([1.0, 3.0, 5.0]), np.array([7, 7, 9])).tolist()
    [2.0, 5.0]
    """
    _, at = np.unique(block, return_inverse=True)
    return np.asarray(np.bincount(at, weights=values) / np.bincount(at))


def mean_bounds(values: Moments, confidence: float) -> Bounds | None:
    """Of the mean of independent values; None while they are too few.

    >>> mean_bounds(Moments(199, 0.1, 0.0), 0.95) is None, mean_bounds(Moments(200, 0.1, 0.0), 0.95)
    (True, Bounds(value=0.1, low=0.1, high=0.1, rows=200))
    """
    if values.rows < FEWEST_MEANS:
        return None
    return _bounds(values.mean, values.rows, values.variance, values.rows, confidence)


def difference_bounds(ours: Moments, theirs: Moments, confidence: float) -> Bounds | None:
    """Of the mean of ours less that of theirs, which are of different events; None while either are too few."""
    smaller, n = min(ours.rows, theirs.rows), ours.rows + theirs.rows
    if smaller < FEWEST_ROWS:
        return None
    variance = n * sum(arm.variance / arm.rows for arm in (ours, theirs))
    return _bounds(ours.mean - theirs.mean, n, variance, smaller, confidence)


def _bounds(value: float, n: int, variance: float, rows: int, confidence: float) -> Bounds:
    alpha = 1 - confidence
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / TIGHTEST
    half = sqrt(variance * 2 * (n * rho2 + 1) / (n * n * rho2) * log(sqrt(n * rho2 + 1) / alpha))
    return Bounds(value, value - half, value + half, rows)
