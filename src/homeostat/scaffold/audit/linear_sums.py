"""Columns that add up to the label: picked one after the other, each the one that explains most of the residual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from homeostat.scaffold.audit.predictive_power import Array

MOST = 12  # columns of a sum
ROWS = 4000  # that sums are tried on
EXACT = 0.98  # share of the rows in which a sum has to hold
CLOSE = 0.9999  # R2 of a sum that holds but for rounding
SETS = 3  # sums that one label may be


@dataclass(frozen=True)
class Sum:
    """``weights`` by column, and a constant: the label is their sum, but for rounding."""

    weights: Mapping[str, float]
    constant: float

    def __str__(self) -> str:
        """The sum as a person writes it.

        >>> str(Sum({"a": 1.0, "b": -1.0}, 0.0)), str(Sum({"f": 1.8}, 32.0))
        ('a - b', '1.8 * f + 32')
        """
        parts = [(w, n if abs(abs(w) - 1) < 1e-3 else f"{abs(w):.4g} * {n}") for n, w in self.weights.items()]
        parts.sort(key=lambda p: -np.sign(p[0]))
        text = "".join((" + " if w > 0 else " - ") + n for w, n in parts)
        text = text[3:] if text.startswith(" + ") else "-" + text[3:]
        if abs(self.constant) > 1e-6:
            text += f" {'+' if self.constant > 0 else '-'} {abs(self.constant):.4g}"
        return text


def find_sums(numbers: Mapping[str, Array], y: Array) -> list[Sum]:
    """Sums of columns (n,) that equal ``y`` (n,), no column in two of them.

    Orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993): it ends at once where few columns give an exact
    sum, and stops as soon as further columns stop explaining much.
    """
    at = np.linspace(0, len(y) - 1, min(len(y), ROWS)).astype(int)
    y, left = y[at], {k: v[at] for k, v in numbers.items()}
    left = {k: v for k, v in left.items() if np.isfinite(v).mean() > 0.95 and np.nanstd(v) > 0}
    sums: list[Sum] = []
    while left and len(sums) < SETS:
        one = _pursue(left, y)
        if one is None:
            break
        sums.append(one)
        left = {k: v for k, v in left.items() if k not in one.weights}
    return sums


def _pursue(numbers: Mapping[str, Array], y: Array) -> Sum | None:
    names = list(numbers)
    x = np.column_stack([numbers[n] for n in names])
    finite = np.isfinite(x).all(axis=1)
    if finite.sum() < 50 or finite.mean() < 0.5 or y[finite].std() == 0:
        return None
    x, y = x[finite], y[finite]
    standard = (x - x.mean(axis=0)) / x.std(axis=0).clip(1e-300)
    chosen: list[int] = []
    residual = y - y.mean()
    for _ in range(min(MOST, len(names), len(y) // 20)):
        correlation = np.abs(standard.T @ residual)
        correlation[chosen] = -1.0
        chosen.append(int(np.argmax(correlation)))
        design = np.column_stack([x[:, chosen], np.ones(len(y))])
        scale = np.abs(design).max(axis=0).clip(1e-300)
        weights = np.linalg.lstsq(design / scale, y, rcond=None)[0] / scale
        residual = y - design @ weights
        if _is_exact(residual, y, weights[:-1]):
            constant = float(weights[-1]) if abs(weights[-1]) > 1e-3 * float(y.std()) else 0.0
            return _without_idle(Sum({names[c]: float(w) for c, w in zip(chosen, weights[:-1], strict=True)}, constant),
                                 {names[c]: x[:, c] for c in chosen}, y)  # fmt: skip
    return None


def _is_exact(residual: Array, y: Array, weights: Array) -> bool:
    """Whether the residual is zero with any weights, or below the label's rounding with equal weights."""
    spread = float(y.std())
    if (np.abs(residual) <= 1e-6 * spread).mean() >= EXACT:
        return True
    size = np.abs(weights)
    alike = bool((np.abs(size - size.mean()) <= 0.02 * size.mean()).all()) and len(size) > 1
    digit = last_digit(y)
    near = (np.abs(residual) <= 1.5 * digit).mean() >= EXACT and digit < 0.05 * spread
    return alike and bool(near) and 1 - float(residual.var()) / spread**2 >= CLOSE


def last_digit(y: Array) -> float:
    """The last decimal that the label is written with."""
    for places in range(7):
        if (np.abs(y * 10**places - np.round(y * 10**places)) < 1e-6 * np.maximum(1, np.abs(y * 10**places))).all():
            return float(10.0**-places)
    return 0.0


def _without_idle(whole: Sum, numbers: Mapping[str, Array], y: Array) -> Sum:
    """The sum without columns that add nothing, which were tried on the way."""
    spread = float(y.std())
    kept = {n: w for n, w in whole.weights.items() if abs(w) * float(numbers[n].std()) > 1e-5 * spread}
    return Sum(kept, whole.constant)
