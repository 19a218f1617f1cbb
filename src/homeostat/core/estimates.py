"""Quality of events whose labels are not in, estimated from their scores, and the band that an estimate has earned.

Classification: what the metric would be if the scores were the chances they claim to be (CBPE, confidence-based
performance estimation: Guo et al., 2017, and Białek et al., 2024, arXiv 2401.08348). Regression: the loss of each event
is that of matured events with scores like it (direct loss estimation). Both follow how hard the events are; neither
sees that the scores have come off their level, which only labels show.

The band is conformal over the errors of estimates that were graded since: adaptive conformal inference (Gibbs and
Candès, 2021, NeurIPS), so that it widens after misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np

from homeostat.core.metrics import METRICS, SMALL, Array, Curve, Sums, falling

FEWEST_GRADES = 20  # fewer say nothing about how far an estimate is off
STEP = 0.05  # how fast the band's miss rate is corrected (the paper's gamma)
TENTHS = 10  # groups of like scores, of which the losses are averaged
NO_METHOD = frozenset({"calibration", "r2"})  # assumed right by the one method; the other needs the labels' spread


@dataclass(frozen=True)
class Past:
    """Matured events that an estimate for regression learns from, (n,) each."""

    y: Array
    score: Array


def estimate(task: str, metric: str, score: Array, past: Past | None = None) -> float | None:
    """One metric of events with these scores (n,), before any label; None where there is no method or no event."""
    measured = METRICS[task][metric]
    if metric in NO_METHOD or len(score) == 0:
        return None
    value = float("nan")
    if task == "binary":
        value = _expected(measured, score)
    elif task == "regression" and past is not None and isinstance(measured, Sums):
        value = _like_scores(measured, score, past)
    return value if np.isfinite(value) else None


def _expected(metric: Sums | Curve, score: Array) -> float:
    """Each event counts as a positive with its chance, and as a negative with the rest."""
    chance = np.clip(score, SMALL, 1 - SMALL)
    if isinstance(metric, Sums):
        yes, no = (metric.terms(np.full(len(score), label), score, None) for label in (1.0, 0.0))
        return float(metric.finish((yes * chance + no * (1 - chance)).sum(axis=1)))
    order, ends = falling(score)
    hits = np.cumsum(chance[order])[ends]
    return float(metric.finish(hits, ends + 1.0 - hits))


def _like_scores(metric: Sums, score: Array, past: Past) -> float:
    """The mean terms of matured events in the same tenth of the scores."""
    if len(past.y) < TENTHS:
        return float("nan")
    terms = metric.terms(past.y, past.score, None)
    edges = np.unique(np.quantile(past.score, np.linspace(0, 1, TENTHS + 1)[1:-1]))
    theirs, ours = np.searchsorted(edges, past.score), np.searchsorted(edges, score)
    rows = np.bincount(theirs, minlength=len(edges) + 1)
    sums = np.stack([np.bincount(theirs, term, minlength=len(edges) + 1) for term in terms])
    overall = terms.mean(axis=1, keepdims=True)
    means = np.where(rows > 0, sums / np.maximum(rows, 1), overall)
    return float(metric.finish(means[:, ours].sum(axis=1)))


def half_band(errors: Sequence[float], confidence: float) -> float | None:
    """How far an estimate may be off, from the absolute ``errors`` of earlier ones, oldest first.

    None for fewer than ``FEWEST_GRADES``. Where the corrected rate asks for more than was ever seen, it is the most.

    >>> half_band([0.01] * 30, 0.95), half_band([0.01] * 19, 0.95)
    (0.01, None)
    """
    if len(errors) < FEWEST_GRADES:
        return None
    miss = target = 1 - confidence
    for place in range(FEWEST_GRADES, len(errors)):
        missed = errors[place] > _quantile(errors[:place], 1 - miss)
        miss += STEP * (target - missed)
    return _quantile(errors, 1 - miss)


def _quantile(errors: Sequence[float], level: float) -> float:
    """The conformal quantile: one more exchangeable error is no larger with at least that chance."""
    place = ceil((len(errors) + 1) * min(max(level, 0.0), 1.0))
    return sorted(errors)[min(max(place, 1), len(errors)) - 1]


@dataclass(frozen=True)
class Trust:
    """How estimates did against "same as the last graded window": median absolute errors of each."""

    grades: int
    error: float
    naive: float

    @property
    def earned(self) -> bool:
        return self.error < self.naive


def trust(realised: Sequence[float], estimated: Sequence[float], last: Sequence[float]) -> Trust | None:
    """Of graded estimates that had a graded window before them; None for fewer than ``FEWEST_GRADES``."""
    if len(realised) < FEWEST_GRADES:
        return None
    off, naive = ([abs(a - b) for a, b in zip(values, realised, strict=True)] for values in (estimated, last))
    return Trust(len(realised), median(off), median(naive))
