"""Columns between which the amount to predict always lies, such as the lowest and the highest price of the same day."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from homeostat.scaffold.audit.candidates import Candidates, floats
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.predictive_power import Array

FEWEST = 400  # rows
WITHIN = 0.999  # share of the rows that are not beyond a bound
TELLS = 0.9  # R2 of the middle between two bounds
ALONE, MOST = 0.5, 8  # R2 of each, and bounds of one kind that are tried, the closest


def bounds(candidates: Candidates) -> Iterator[Issue]:
    """The tightest two numbers that the label lies between in as good as all rows: they are measured with it."""
    profile, y = candidates.profile, candidates.y
    if profile.label.task != "regression" or len(y) < FEWEST:
        return
    numbers = {
        c.name: floats(candidates.rows[c.name])
        for c in candidates.columns
        if c.kind in ("integer", "float") and c.distinct > 2
    }
    for names in bracket(numbers, y):
        lower, upper = (profile.table.column(name).raw for name in names)
        text = f"{profile.label.column} always lies between {lower} and {upper}, which follow it closely"
        yield from (leak("label leakage", name, f"{text}: measured with it", 0.8, 96) for name in names)


def bracket(numbers: dict[str, Array], y: Array) -> Iterator[tuple[str, str]]:
    """The names of the lower and the upper bound of ``y`` (n,); none where no middle follows it.

    >>> y = np.random.default_rng(1).normal(size=500).cumsum()
    >>> list(bracket({"high": y + 1, "low": y - 1, "floor": y * 0 - 99}, y))
    [('low', 'high')]
    """
    finite = {name: v for name, v in numbers.items() if np.isfinite(v).mean() >= WITHIN and np.nanstd(v) > 0}
    close = {name: alone for name, v in finite.items() if (alone := _told(v, y)) >= ALONE}
    ordered = sorted(close, key=close.__getitem__, reverse=True)
    lower = [name for name in ordered if (finite[name] <= y).mean() >= WITHIN][:MOST]
    upper = [name for name in ordered if (finite[name] >= y).mean() >= WITHIN][:MOST]
    told = {(a, b): _told((finite[a] + finite[b]) / 2, y) for a, b in product(lower, upper) if a != b}
    if told and max(told.values()) >= TELLS:
        yield max(told, key=told.__getitem__)


def _told(middle: Array, y: Array) -> float:
    """The share of the label's variance that the middle leaves no room for."""
    finite = np.isfinite(middle)
    return 1 - float((y[finite] - middle[finite]).var()) / max(float(y[finite].var()), 1e-300)
