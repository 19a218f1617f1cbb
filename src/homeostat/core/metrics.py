"""What is measured, by task; the first metric a scope names is its loss: lower is better.

A metric is one of two shapes, so that a resample costs little: a function of sums over rows (``Sums``), or of the
curve of hits and false alarms in order of falling score (``Curve``). What is undefined on the given rows is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALL = 1e-15  # scores of 0 and 1 are held this far off them: log loss stays finite


@dataclass(frozen=True)
class Sums:
    """``terms(y, score, group)`` is (k, n); ``finish`` takes their sums (k, ...) to values (...)."""

    terms: Callable[[Array, Array, NDArray[Any] | None], Array]
    finish: Callable[[Array], Array]


@dataclass(frozen=True)
class Curve:
    """``finish`` takes cumulative hits and false alarms (m, ...) in order of falling score to values (...).

    Their places are distinct scores: all of them, or those where the curve turns.
    """

    finish: Callable[[Array, Array], Array]


Metric = Sums | Curve


def value(task: str, metric: str, y: Array, score: Array, group: NDArray[Any] | None = None) -> float:
    """One metric of ``METRICS`` on the rows given; NaN where it is undefined.

    >>> value("binary", "auc", np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.9]))
    0.75
    """
    measure = METRICS[task][metric]
    if len(y) == 0:
        return float("nan")
    if isinstance(measure, Sums):
        return float(measure.finish(measure.terms(y, score, group).sum(axis=1)))
    order, ends = falling(score)
    hits = np.cumsum(y[order])[ends]
    return float(measure.finish(hits, ends + 1.0 - hits))


def falling(score: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows in order of falling score, and in that order the last place of each distinct score."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    return order, np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)


def turns(hit: NDArray[np.bool_], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of ``ends`` that bound a score with hits: between them only false alarms grow, along a straight line.

    ``hit`` (n,) are the rows in order of falling score, ``ends`` the last places of its distinct scores.

    >>> turns(np.array([False, False, True, False, False]), np.arange(5))
    array([1, 2, 4])
    """
    hits = np.cumsum(hit)[ends]
    grown = np.diff(hits, prepend=0) > 0
    return ends[grown | np.append(grown[1:], True)]


def log_losses(y: Array, score: Array) -> Array:
    """The log loss of each row."""
    held = np.clip(score, SMALL, 1 - SMALL)
    return -np.log(np.where(y > 0, held, 1 - held))


def _divide(a: Any, b: Any) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / b, np.nan)


def _mean_of(row_values: Callable[[Array, Array], Array]) -> Sums:
    return Sums(
        lambda y, score, _: np.stack([row_values(y, score), np.ones(len(y))]), lambda sums: _divide(sums[0], sums[1])
    )


def _auc(hits: Array, alarms: Array) -> Array:
    """Area under the ROC curve; a tie counts half."""
    steps = np.diff(alarms, axis=0, prepend=0.0)
    before = hits - np.diff(hits, axis=0, prepend=0.0) / 2
    return _divide((steps * before).sum(axis=0), hits[-1] * alarms[-1])


def _average_precision(hits: Array, alarms: Array) -> Array:
    """Precision at each distinct score, weighted by the recall it adds."""
    steps = np.diff(hits, axis=0, prepend=0.0)
    precision = hits / np.maximum(hits + alarms, 1.0)
    return _divide((steps * precision).sum(axis=0), hits[-1])


def _spread_terms(y: Array, score: Array, _: NDArray[Any] | None) -> Array:
    centred = y - y.mean()  # R2 does not change, and large means lose no digits
    return np.stack([np.ones(len(y)), centred, centred**2, (y - score) ** 2])


def _r2(sums: Array) -> Array:
    rows, first, second, error = sums
    return 1 - _divide(error, second - _divide(first**2, rows))


@dataclass(frozen=True)
class Runs:
    """Rows by group and falling score; a run is the rows of one group with one score."""

    order: NDArray[np.intp]  # rows in that order
    group: NDArray[np.intp]  # id of each, in that order
    place: NDArray[np.intp]  # from 0, within the group
    run: NDArray[np.intp]  # id of each


def _runs(score: Array, group: NDArray[Any]) -> Runs:
    _, ids = np.unique(group, return_inverse=True)
    order = np.lexsort((-score, ids))
    ordered, ranked = ids[order], score[order]
    fresh = np.append(True, ordered[1:] != ordered[:-1])
    starts = np.flatnonzero(fresh)
    place = np.arange(len(order)) - starts[np.cumsum(fresh) - 1]
    run = np.cumsum(np.append(True, fresh[1:] | (ranked[1:] != ranked[:-1]))) - 1
    return Runs(order, ordered, place, run)


def _by_group(values: Array, runs: Runs) -> Array:
    """A value a group (NaN: undefined) as terms: at the group's first row, so that it is resampled with that row."""
    first = np.full(len(values), len(runs.order), dtype=np.intp)
    np.minimum.at(first, runs.group, runs.order)
    terms = np.zeros((2, len(runs.order)))
    defined = ~np.isnan(values)
    terms[0, first[defined]], terms[1, first[defined]] = values[defined], 1.0
    return terms


def _ndcg_terms(y: Array, score: Array, group: NDArray[Any] | None) -> Array:
    runs, best = _runs(score, _needed(group)), _runs(y, _needed(group))
    gain, ideal = 2.0 ** y[runs.order] - 1, 2.0 ** y[best.order] - 1
    shared = (np.bincount(runs.run, gain) / np.bincount(runs.run))[runs.run]  # a tie: the mean of its orders
    reached = np.bincount(runs.group, shared / np.log2(runs.place + 2.0))
    return _by_group(_divide(reached, np.bincount(best.group, ideal / np.log2(best.place + 2.0))), runs)


def _precision_terms(y: Array, score: Array, group: NDArray[Any] | None) -> Array:
    runs = _runs(score, _needed(group))
    hit = (y[runs.order] > 0).astype(np.float64)
    total = np.cumsum(hit)
    starts = np.flatnonzero(runs.place == 0)
    inside = total - (total - hit)[starts][runs.group]
    ends = np.append(np.flatnonzero(np.diff(runs.run)), len(hit) - 1)
    precision = inside[ends] / (runs.place[ends] + 1.0)
    reached = np.bincount(runs.group, hit * precision[runs.run])
    return _by_group(_divide(reached, np.bincount(runs.group, hit)), runs)


def _needed(group: NDArray[Any] | None) -> NDArray[Any]:
    if group is None:
        raise ValueError("a ranking metric needs the group of each row")
    return group


_CALIBRATION = Sums(lambda y, score, _: np.stack([score, y]), lambda sums: _divide(sums[0], sums[1]))
_NDCG = Sums(_ndcg_terms, lambda sums: _divide(sums[0], sums[1]))
_SQUARES = _mean_of(lambda y, score: (score - y) ** 2)

UP_TO_ONE = frozenset({"auc", "average_precision", "brier", "ndcg", "ndcg_loss", "r2"})
ANY_SIGN = frozenset({"r2"})

METRICS: Mapping[str, Mapping[str, Metric]] = {
    "binary": {
        "log_loss": _mean_of(log_losses),
        "auc": Curve(_auc),
        "average_precision": Curve(_average_precision),
        "brier": _SQUARES,
        "calibration": _CALIBRATION,  # mean score over label rate
    },
    "regression": {
        "rmse": Sums(_SQUARES.terms, lambda sums: np.sqrt(_SQUARES.finish(sums))),
        "mae": _mean_of(lambda y, score: np.abs(score - y)),
        "r2": Sums(_spread_terms, _r2),
        "calibration": _CALIBRATION,
    },
    "ranking": {
        "ndcg_loss": Sums(_ndcg_terms, lambda sums: 1 - _NDCG.finish(sums)),
        "ndcg": _NDCG,  # mean over groups with anything relevant; gains 2^grade - 1
        "average_precision": Sums(_precision_terms, lambda sums: _divide(sums[0], sums[1])),
    },
}


def inside(metric: str, value: float) -> float:
    """The value, or else the nearest that the metric can have.

    >>> inside("log_loss", -0.02), inside("auc", 1.001), inside("r2", -0.3), inside("rmse", 12.5)
    (0.0, 1.0, -0.3, 12.5)
    """
    least = value if metric in ANY_SIGN else max(value, 0.0)
    return min(least, 1.0) if metric in UP_TO_ONE else least
