"""Two numbers of a row whose ratio says more than either: a price by the square metre, a debt against an income."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.scaffold.audit.predictive_power import EARLIER, power

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeostat.scaffold.audit.predictive_power import Array
    from homeostat.scaffold.profile.profile_table import Column

TRIED = 8  # numbers, those that tell most and those that vary most
MOST = 3  # ratios of a first draft
ROWS = 20_000  # of the table that they are tried on
PAYS = 0.05  # power above that of the better of the two, at least
MEASURED = 24  # different values of a number that measures something
TOO_GOOD = 0.97  # power from which a ratio is the label itself


def paying(
    numbers: Sequence[Column], rows: pl.DataFrame, y: Array, task: str, powers: Mapping[str, float]
) -> tuple[tuple[str, str], ...]:
    """The pairs whose ratio, first by second, tells more on later rows; ``rows`` are in order of time."""
    measured = [c for c in numbers if c.distinct > MEASURED and _positive(rows[c.name])]
    named = [c.name for c in sorted(measured, key=lambda c: (-powers.get(c.name, 0.0), -c.distinct))[:TRIED]]
    every = max(1, rows.height // ROWS)
    part, y = rows.gather_every(every), y[::every]
    alone = {name: power(part[name], y, task) for name in named}
    found = []
    for one, two in permutations(named, 2):
        told = power(part[one] / part[two].replace(0, None), y, task)
        if told < TOO_GOOD and told > max(alone[one], alone[two]) + PAYS and told > _by_chance(len(y)):
            found.append((told, one, two))
    return _apart(sorted(found, reverse=True))


def _apart(found: Sequence[tuple[float, str, str]]) -> tuple[tuple[str, str], ...]:
    """The best of them, a pair once: a ratio and its inverse say the same."""
    chosen: dict[frozenset[str], tuple[str, str]] = {}
    for _, one, two in found:
        chosen.setdefault(frozenset((one, two)), (one, two))
    return tuple(chosen.values())[:MOST]


def _positive(values: pl.Series) -> bool:
    """Whether hardly any is below nought or nought: a share of nothing is none."""
    there = values.drop_nulls()
    return bool(len(there)) and float((there > 0).mean() or 0.0) > 0.9  # type: ignore[arg-type]


def _by_chance(rows: int) -> float:
    """What the best of all the pairs may seem to tell where none tells anything."""
    return float(4 / np.sqrt(max(rows * (1 - EARLIER), 1)))
