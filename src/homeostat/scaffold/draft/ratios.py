"""Ratios of two numbers that predict more than either: a price by the square metre, a debt against an income."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import polars as pl

from homeostat.scaffold.audit.predictive_power import EARLIER, Array, predictive_power
from homeostat.scaffold.profile.table import Column

TRIED = 8  # numbers: those that predict most, then those with most values
MOST = 3  # ratios of a first draft
ROWS = 20_000  # that they are tried on
GAIN = 0.05  # least power above that of the better of the two
MEASURED = 24  # distinct values of a number that measures something
TOO_GOOD = 0.97  # power from which a ratio is the label itself


def predictive_ratios(
    numbers: Sequence[Column], rows: pl.DataFrame, y: Array, task: str, powers: Mapping[str, float]
) -> tuple[tuple[str, str], ...]:
    """The pairs whose ratio, first by second, predicts more on later rows; ``rows`` are in order of time."""
    measured = [c for c in numbers if c.distinct > MEASURED and _mostly_positive(rows[c.name])]
    names = [c.name for c in sorted(measured, key=lambda c: (-powers.get(c.name, 0.0), -c.distinct))[:TRIED]]
    every = max(1, rows.height // ROWS)
    part, y = rows.gather_every(every), y[::every]
    alone = {name: predictive_power(part[name], y, task) for name in names}
    by_chance = float(4 / np.sqrt(max(len(y) * (1 - EARLIER), 1)))  # the best of all pairs where none predicts
    better = []
    for one, two in permutations(names, 2):
        power = predictive_power(part[one] / part[two].replace(0, None), y, task)
        if max(alone[one], alone[two]) + GAIN < power < TOO_GOOD and power > by_chance:
            better.append((power, one, two))
    best: dict[frozenset[str], tuple[str, str]] = {}
    for _, one, two in sorted(better, reverse=True):
        best.setdefault(frozenset((one, two)), (one, two))  # a ratio and its inverse are alike
    return tuple(best.values())[:MOST]


def _mostly_positive(values: pl.Series) -> bool:
    filled = values.drop_nulls()
    return bool(len(filled)) and float((filled > 0).mean() or 0.0) > 0.9  # type: ignore[arg-type]
