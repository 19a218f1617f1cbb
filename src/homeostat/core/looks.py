"""How far a window lies from windows before it, on the scale of how far windows of history did: one number a look.

A window is summed up by series: the share of a column's values that are missing, the means of the thirds of its
values, the rate of a label, predicted over observed. Every window is held to the same number of windows, equally far
before it, so a distance of now and one of history are of windows equally far apart: season and autocorrelation count
as normal. Each is divided by the scale of its own series in history, and the largest decides (the maximum statistic of
Westfall and Young, 1993, "Resampling-based multiple testing"). It has to last: a series counts as far as it was off in
``LASTS`` of ``OF`` looks.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["share", "mean", "ratio", "loss"]  # a loss is a ratio that only counts where it rises
LASTS, OF = 2, 3  # looks in which a series has to be off, of so many in a row
BEFORE = 4  # windows that one is held to; the first that a lasting change can be in are left out between
FEWEST = 8  # distances of history that give a series its scale
HALF = 0.5  # of the rows of a window before; fewer say nothing
FIRST = BEFORE + OF - 1  # the first window that has all the windows before it


class Series(NamedTuple):
    """``subject`` is a column, or an objective; ``aspect`` what of it."""

    subject: str
    aspect: str
    kind: Kind

    @property
    def name(self) -> str:
        return f"{self.subject}: {self.aspect}"


@dataclass(frozen=True)
class Sums:
    """Windows in order of time, (n, k) for k series: a value is ``top`` over ``bottom``, which add up over windows.

    ``weight`` is the number of values behind it, zero where there are none; ``spread`` how far single values differ,
    times ``weight``.
    """

    series: tuple[Series, ...]
    top: Array
    bottom: Array
    weight: Array
    spread: Array

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        return self.top, self.bottom, self.weight, self.spread

    def take(self, chosen: slice | NDArray[np.intp]) -> Sums:
        """Some of the windows, or the same in another order."""
        return Sums(self.series, *(array[chosen] for array in self.arrays))


def distances(windows: Sums) -> tuple[Array, Array]:
    """Of each look, from window ``FIRST`` on, the distance of each series and its standard error: (n - FIRST, k) both.

    A distance is NaN where either side has too few values.
    """
    many = max(len(windows.top) - FIRST, 0)
    now = windows.take(slice(FIRST, None))
    totals = [np.vstack([np.zeros((1, array.shape[1])), np.cumsum(array, axis=0)]) for array in windows.arrays]
    then = Sums(windows.series, *(total[BEFORE : BEFORE + many] - total[:many] for total in totals))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = _values(now) - _values(then)
        spread = (now.spread + then.spread) / (now.weight + then.weight)
        error = spread * np.sqrt(1 / now.weight + 1 / then.weight)
    one_sided = np.array([one.kind == "loss" for one in windows.series], dtype=bool)
    far = np.where(one_sided, np.maximum(moved, 0.0), np.abs(moved))
    few = (then.weight <= 0) | (now.weight < HALF * then.weight / BEFORE) | ~np.isfinite(far)
    return np.where(few, np.nan, far), np.where(few, np.nan, error)


def ratios(far: Array, error: Array) -> Array:
    """Distances over the scale of their series: the root mean square of its others, and no less than chance.

    (looks, k); the looks beside one are left out of its scale, since they share windows with it. NaN where a series
    has too few others.
    """
    there = np.isfinite(far)
    squares = np.where(there, far, 0.0) ** 2
    total, many = squares.sum(axis=0), there.sum(axis=0)
    beside, near = np.zeros_like(squares), np.zeros_like(squares)
    for shift in range(1 - OF, OF):
        rows = slice(max(shift, 0), len(far) + min(shift, 0))
        others = slice(max(-shift, 0), len(far) + min(-shift, 0))
        beside[rows] += squares[others]
        near[rows] += there[others]
    left = many - near
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(np.maximum(total - beside, 0.0) / left)
        ratio = far / np.maximum(scale, error)
    return np.where((left >= FEWEST) & there, np.where(np.isfinite(ratio), ratio, 0.0), np.nan)


def lasting(ratio: Array) -> Array:
    """How far each series was off in ``LASTS`` of the last ``OF`` looks: (looks, k), NaN where there are fewer."""
    padded = np.vstack([np.full((OF - 1, ratio.shape[1]), np.nan), ratio])
    last = np.stack([padded[shift : shift + len(ratio)] for shift in range(OF)])
    held = np.sort(np.where(np.isnan(last), -np.inf, last), axis=0)[-LASTS]
    return np.where(np.isfinite(held), held, np.nan)


def largest(held: Array) -> Array:
    """The statistic of each look: its largest; NaN where no series says anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows without a number
        return np.nanmax(held, axis=1) if held.shape[1] else np.full(len(held), np.nan)


def _values(windows: Sums) -> Array:
    """Each series on the scale on which its chance does not depend on its level."""
    kinds = np.array([one.kind for one in windows.series])
    quotient = windows.top / windows.bottom
    share, ratio = kinds == "share", (kinds == "ratio") | (kinds == "loss")
    values = quotient.copy()
    values[:, share] = np.arcsin(np.sqrt(np.clip(quotient[:, share], 0.0, 1.0)))
    values[:, ratio] = np.log(quotient[:, ratio])
    return values


def together(parts: Sequence[Sums]) -> Sums:
    """Series of the same windows, side by side."""
    series = tuple(one for part in parts for one in part.series)
    arrays = (np.hstack(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True))
    return Sums(series, *arrays)
