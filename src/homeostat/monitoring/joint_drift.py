"""Whether a classifier can tell the rows of now from those of the reference, and by which columns: joint drift.

Columns may each be distributed as before while they no longer belong together: a join that mixes rows, a relation that
turned. A domain classifier sees that (Lopez-Paz and Oquab, 2017, "Revisiting classifier two-sample tests", ICLR). Rows
of one day are alike, so chance is measured by exchanging whole days between the two sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.core import metrics
from homeostat.core.metrics import Array
from homeostat.models import encoding
from homeostat.models.lightgbm import library

ROWS = 3_000  # of each side
CONFIDENCE = 0.95
EXCHANGES = 19  # of days: the highest AUC of so many is passed by chance once in 20
NAMED = 5  # columns that give it away
FEWEST_DAYS = 4  # of each side, to be exchanged
OF_THE_DAY = 0.8  # share of a column's variance that lies between days, from which it names days rather than rows
PARAMS = {
    "objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 40, "verbosity": -1,
    "num_threads": 1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip
TREES = 40


@dataclass(frozen=True)
class JointDrift:
    """``auc`` of the classifier on days that it was not fitted to, beside what exchanged days give in 95 of 100.

    ``columns`` are those that gave it away, by the gain of their splits, with their shares of it.
    """

    auc: float
    by_chance: float
    columns: tuple[tuple[str, float], ...]

    @property
    def drifted(self) -> bool:
        return self.auc > self.by_chance


def joint_drift(
    current: pl.DataFrame, reference: pl.DataFrame, days: tuple[pl.Series, pl.Series], seed: int
) -> JointDrift | None:
    """Tell ``current`` from ``reference`` by the columns that both have; ``days`` are the event times of their rows.

    Columns that hardly vary within a day are left out: those are for the comparison column by column.
    None where there are too few days, or no column to tell them apart by.
    """
    names = [c for c in current.columns if c in reference.columns and _usable(current[c], reference[c])]
    sides = [_thinned(table.select(names), times) for table, times in zip((current, reference), days, strict=True)]
    if not names or any(times.n_unique() < FEWEST_DAYS for _, times in sides):
        return None
    table = pl.concat([side for side, _ in sides], how="vertical_relaxed")
    day = np.concatenate([times.to_physical().to_numpy() for _, times in sides])
    side = np.repeat([1, 0], [len(rows) for rows, _ in sides])
    x = encoding.matrix(encoding.learn(names, table), table)
    kept = [i for i in range(len(names)) if not _names_days(x[:, i], day)]
    if not kept:
        return None
    x, names = x[:, kept], [names[i] for i in kept]
    auc, gain = _told_apart(x, side, day)
    draw = np.random.default_rng(seed)
    chance = [_told_apart(x, _exchanged(side, day, draw), day)[0] for _ in range(EXCHANGES)]
    order = [int(i) for i in np.argsort(-gain)[:NAMED] if gain[i] > 0]
    shares = tuple((names[i], float(gain[i] / gain.sum())) for i in order)
    return JointDrift(auc, max(chance), shares)


def _usable(one: pl.Series, other: pl.Series) -> bool:
    kinds = [s.dtype.is_numeric() or s.dtype in (pl.Boolean, pl.String) for s in (one, other)]
    return all(kinds) and one.null_count() < len(one) and other.null_count() < len(other)


def _names_days(values: Array, day: NDArray[np.intp]) -> bool:
    """Whether a column hardly varies within a day: a classifier would learn the days by heart, not what moved."""
    there = ~np.isnan(values)
    values, (_, at) = values[there], np.unique(day[there], return_inverse=True)
    if not len(values) or values.std() == 0:
        return True
    means = np.bincount(at, values) / np.bincount(at)
    return bool(means[at].var() >= OF_THE_DAY * values.var())


def _thinned(table: pl.DataFrame, times: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """At most ``ROWS``, evenly, and the day of each."""
    step = max(1, -(-len(table) // ROWS))
    return table.gather_every(step), times.gather_every(step).dt.date()


def _exchanged(side: NDArray[np.intp], day: NDArray[np.intp], draw: np.random.Generator) -> NDArray[np.intp]:
    """Whole days dealt out again: as many to each side as there were."""
    days = np.unique(day)
    here = np.unique(day[side == 1])
    chosen = draw.choice(days, len(here), replace=False)
    return np.isin(day, chosen).astype(np.intp)


def _told_apart(x: Array, side: NDArray[np.intp], day: NDArray[np.intp]) -> tuple[float, Array]:
    """AUC over days that were left out of the fit, in two halves, and the gain by column."""
    lightgbm = library()
    half = np.isin(day, np.unique(day)[::2])
    score, gain = np.zeros(len(side)), np.zeros(x.shape[1])
    for part in (half, ~half):
        if len(np.unique(side[~part])) < 2:
            return 0.5, gain
        booster = lightgbm.train(PARAMS, lightgbm.Dataset(x[~part], side[~part], params=PARAMS), TREES)
        score[part] = booster.predict(x[part])
        gain += booster.feature_importance("gain")
    return metrics.value("binary", "auc", side.astype(float), score, None), gain
