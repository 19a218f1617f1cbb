"""Whether two figures move together: Spearman's rank correlation with an interval.

The interval is Fisher's, with the variance that Bonett and Wright (2000, Psychometrika 65) give for ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from homeostat.core.intervals import Measure, tidy

FEWEST = 6  # pairs, below which the interval covers nearly everything


def rank_correlation(x: Sequence[float], y: Sequence[float], confidence: float) -> Measure:
    """The rank correlation of n pairs, between -1 and 1; nothing for fewer than ``FEWEST`` or where one is constant.

    >>> rank_correlation([1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 4, 3, 6, 5, 8, 7], 0.95)
    Measure(value=0.9047619048, low=0.4278915123, high=0.9875981801)
    """
    n = len(x)
    if n < FEWEST or len(set(x)) == 1 or len(set(y)) == 1:
        return Measure(None)
    value = float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
    if abs(value) >= 1:
        return Measure(tidy(value), tidy(value), tidy(value))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt((1 + value**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(value) + side * half) for side in (-1, 1))
    return Measure(tidy(value), tidy(low), tidy(high))


def stability(orders: Sequence[Sequence[str]], confidence: float) -> Measure:
    """How far each of several orders keeps to the next: the mean rank correlation of neighbours, its least and most.

    Each is of the names that both of two neighbours have; nothing where some have too few.

    >>> stability([list("abcdefgh"), list("abcdefhg"), list("abcdefgh")], 0.95).value
    0.9761904762
    """
    found = []
    for one, other in pairwise(orders):
        both = [name for name in one if name in other]
        ours, theirs = ([float(order.index(name)) for name in both] for order in (one, other))
        found.append(rank_correlation(ours, theirs, confidence).value)
    kept = [value for value in found if value is not None]
    if not kept or len(kept) < len(found):
        return Measure(None)
    return Measure(tidy(sum(kept) / len(kept)), min(kept), max(kept))


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from zero; equal values share the mean of theirs.

    >>> _ranks([3.0, 1.0, 3.0]).tolist()
    [1.5, 0.0, 1.5]
    """
    _, place, many = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(many) - (many + 1) / 2)[place]
