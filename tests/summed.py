"""Windows of series, as the looks of the alarm budget have them."""

from __future__ import annotations

import numpy as np

from homeostat.core.looks import Kind, Series, Sums

ROWS = 1_000.0


def sums(values: np.ndarray, kind: Kind = "mean", rows: float = ROWS, spread: float = 1.0) -> Sums:
    """Windows (n, k) of series with these values."""
    weight = np.full(values.shape, rows)
    series = tuple(Series(f"c{i}", "value", kind) for i in range(values.shape[1]))
    return Sums(series, values * weight, weight, weight, spread * weight)


def noise(windows: int, columns: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(windows, columns))
