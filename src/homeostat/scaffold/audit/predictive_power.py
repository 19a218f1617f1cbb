"""How well one column alone predicts the label, on rows later than those that it was learned from."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS = 24  # of a number; missing values have one of their own
PRIOR = 10.0  # rows that the overall mean counts for in each bin
EARLIER = 0.6  # share of the rows, in order of time, that it is learned from


def predictive_power(values: pl.Series, y: Array, task: str) -> float:
    """From 0, none, to 1, perfect: of a binary label twice the AUC less one (Gini), of a number the R2.

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
    """The area under the ROC curve; 0.5 where there is only one class.

    >>> auc(np.array([0.0, 1.0]), np.array([0.2, 0.7]))
    1.0
    """
    positive = y > 0.5
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return 0.5
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _codes(values: pl.Series) -> NDArray[np.intp]:
    """A small number for each value or bin of values; 0 where it is missing."""
    if values.dtype.is_temporal():
        values = values.to_physical()
    if values.dtype.is_numeric() and values.n_unique() > BINS:
        numbers = values.cast(pl.Float64).to_numpy()
        finite = np.isfinite(numbers)
        cuts = np.linspace(0, 1, BINS + 1)[1:-1]
        edges = np.unique(np.quantile(numbers[finite], cuts)) if finite.any() else np.zeros(0)
        return np.where(finite, 1 + np.searchsorted(edges, numbers, side="right"), 0)
    return values.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.intp)


def _means(codes: NDArray[np.intp], y: Array, cut: int) -> Array:
    """The label's mean by code over the first ``cut`` rows, shrunk towards the overall mean, (n,)."""
    rows = np.bincount(codes[:cut], minlength=int(np.max(codes)) + 1)
    sums = np.bincount(codes[:cut], weights=y[:cut], minlength=len(rows))
    means: Array = ((sums + PRIOR * y[:cut].mean()) / (rows + PRIOR))[codes]
    return means
