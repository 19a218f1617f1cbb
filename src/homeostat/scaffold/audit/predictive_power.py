"""How well one column alone tells the label, on rows later than those that it was learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]
BINS = 24  # of a number; absence has one of its own
PRIOR = 10.0  # rows that the overall mean counts for beside a bin's own
EARLIER = 0.6  # share of the rows, in order of time, that is learned from


def power(values: pl.Series, y: Array, task: str) -> float:
    """From 0, tells nothing, to 1, tells all: of a yes or no twice the AUC less one, of an amount the R2.

    Rows are in order of time; ``y`` (n,) has no missing values.
    """
    codes = _codes(values)
    cut = int(len(y) * EARLIER)
    if cut < 20 or len(y) - cut < 20:
        return 0.0
    score = _means(codes, y, cut)[cut:]
    later = y[cut:]
    if task == "binary":
        return max(0.0, 2 * auc(later, score) - 1)
    total = float(((later - later.mean()) ** 2).sum())
    return max(0.0, 1 - float(((later - score) ** 2).sum()) / total) if total else 0.0


def auc(y: Array, score: Array) -> float:
    """The chance that a yes scores above a no; 0.5 where there is only one of them.

    >>> auc(np.array([0.0, 1.0]), np.array([0.2, 0.7]))
    1.0
    """
    yes = y > 0.5
    many, few = int(yes.sum()), int((~yes).sum())
    if not many or not few:
        return 0.5
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2
    return float((middle[place][yes].sum() - many * (many + 1) / 2) / (many * few))


def _codes(values: pl.Series) -> NDArray[np.intp]:
    """A small number for each value or bin of values; 0 where it is absent."""
    import polars as pl

    if values.dtype.is_temporal():
        values = values.to_physical()
    if values.dtype.is_numeric() and values.n_unique() > BINS:
        numbers = values.cast(pl.Float64).to_numpy()
        there = np.isfinite(numbers)
        cuts = np.linspace(0, 1, BINS + 1)[1:-1]
        edges = np.unique(np.quantile(numbers[there], cuts)) if there.any() else np.zeros(0)
        return np.where(there, 1 + np.searchsorted(edges, numbers, side="right"), 0)
    return values.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.intp)


def _means(codes: NDArray[np.intp], y: Array, cut: int) -> Array:
    """The label's mean by code over the first ``cut`` rows, drawn towards the mean of all, (n,)."""
    rows = np.bincount(codes[:cut], minlength=int(np.max(codes)) + 1)
    sums = np.bincount(codes[:cut], weights=y[:cut], minlength=len(rows))
    found: Array = ((sums + PRIOR * y[:cut].mean()) / (rows + PRIOR))[codes]
    return found
