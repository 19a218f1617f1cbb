"""What chance explains: intervals from a block bootstrap.

Whole blocks of time are drawn with replacement (blocks that do not overlap: Carlstein, 1986, Annals of Statistics 14),
one fewer than there are, which keeps the variance right when blocks are few (Rao and Wu, 1988, JASA 83). The interval
lies between percentiles of the resamples (Efron and Tibshirani, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core import metrics
from homeostat.core.metrics import Array, Curve, Metric, Sums

FEWEST = 5  # blocks; fewer say nothing about chance
AT_ONCE = 1 << 18  # weights at a time: what a processor's cache holds


@dataclass(frozen=True)
class Measure:
    """A value and the interval that chance leaves it; None: too few to say."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Measure:
        return cls(raw["value"], raw["low"], raw["high"])


@dataclass(frozen=True)
class Settings:
    """Of an evaluation: resamples, share of them inside the interval, seed, and rows below which nothing is judged."""

    resamples: int
    confidence: float
    seed: int
    min_slice: int


@dataclass(frozen=True)
class Resamples:
    """``block`` (n,) numbers the block of each row from 0; ``counts`` (r, blocks): how often each was drawn."""

    block: NDArray[np.intp]
    counts: Array

    @classmethod
    def draw(cls, block: NDArray[Any], settings: Settings) -> Resamples:
        """The resamples of rows in blocks ``block``; the same blocks and settings give the same ones."""
        ids, places = np.unique(block, return_inverse=True)
        many, draws = max(len(ids), 1), max(len(ids) - 1, 1)
        drawn = np.random.default_rng(settings.seed).integers(0, many, size=(settings.resamples, draws))
        flat = drawn + many * np.arange(settings.resamples)[:, None]
        counts = np.bincount(flat.ravel(), minlength=many * settings.resamples)
        return cls(places.astype(np.intp), counts.reshape(settings.resamples, many).astype(np.float64))

    @property
    def enough(self) -> bool:
        return self.counts.shape[1] >= FEWEST


def measure(
    metric: Metric, y: Array, score: Array, group: NDArray[Any] | None, drawn: Resamples, settings: Settings
) -> Measure:
    """One metric of the rows given, with its interval."""
    return measures({"": metric}, y, score, group, drawn, settings)[""]


def measures(
    wanted: Mapping[str, Metric],
    y: Array,
    score: Array,
    group: NDArray[Any] | None,
    drawn: Resamples,
    settings: Settings,
) -> dict[str, Measure]:
    """Each metric of the rows given, with its interval; the curves are drawn once for all metrics that need them."""
    if len(y) == 0:
        return dict.fromkeys(wanted, Measure(None))
    curves = {name: metric for name, metric in wanted.items() if isinstance(metric, Curve)}
    values = dict(zip(curves, _along_the_curve(list(curves.values()), y, score, drawn), strict=True))
    for name, metric in wanted.items():
        if isinstance(metric, Sums):
            sums = block_sums(metric.terms(y, score, group), drawn)
            whole = metric.finish(sums.sum(axis=1))
            values[name] = np.append(whole, metric.finish(resampled_sums(sums, drawn)))
    return {name: summary(values[name][0], values[name][1:], drawn, settings) for name in wanted}


def block_sums(terms: Array, drawn: Resamples) -> Array:
    """Sums of ``terms`` (k, n) in each block: (k, blocks)."""
    many = drawn.counts.shape[1]
    return np.stack([np.bincount(drawn.block, term, minlength=many) for term in terms])


def resampled_sums(sums: Array, drawn: Resamples) -> Array:
    """Sums (k, blocks) as each resample has them: (k, r)."""
    return np.einsum("kb,rb->kr", sums, drawn.counts)  # not by BLAS, whose sums depend on its threads


def summary(value: Any, resampled: Array, drawn: Resamples, settings: Settings, among: int = 1) -> Measure:
    """The value with the percentiles of its resamples; no interval where there are too few blocks or defined values.

    Of several intervals, ``among``, that are searched for the worst one, each is wider, so that all of them hold
    together with the confidence requested (Bonferroni); resamples do not reach so far, Student's t does.
    """
    if not np.isfinite(value):
        return Measure(None)
    defined = resampled[np.isfinite(resampled)]
    if not drawn.enough or len(defined) < settings.resamples / 2:
        return Measure(tidy(value))
    tail = (1 - settings.confidence) / 2 / among
    if among == 1:
        low, high = np.quantile(defined, [tail, 1 - tail])
    else:
        reach = student(tail, drawn.counts.shape[1] - 1) * defined.std()
        low, high = value - reach, value + reach
    return Measure(tidy(value), tidy(low), tidy(high))


def student(tail: float, freedom: int) -> float:
    """Where the upper ``tail`` of Student's t begins (Abramowitz and Stegun, 1964, 26.7.5).

    >>> round(student(0.025, 19), 2), round(student(0.001, 13), 2)
    (2.09, 3.85)
    """
    z = NormalDist().inv_cdf(1 - tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def tidy(value: Any) -> float | None:
    """Ten digits: the last ones differ between processors, and files should not; None for NaN."""
    return float(f"{value:.10g}") if np.isfinite(value) else None


def _along_the_curve(curves: Sequence[Curve], y: Array, score: Array, drawn: Resamples) -> list[Array]:
    """Each metric of all rows, then of each resample; a few resamples at a time, to bound memory. ``y`` is 0 or 1."""
    if not curves:
        return []
    order, ends = metrics.falling(score)
    hit, block = y[order] > 0, drawn.block[order]
    ends = metrics.turns(hit, ends)
    hits_until = np.cumsum(hit)[ends]
    weights = np.vstack([np.ones(drawn.counts.shape[1]), drawn.counts])
    # At least two resamples at a time: NumPy adds up a single column in another order, which changes last digits.
    parts = np.clip(len(weights) * len(order) // AT_ONCE, 1, len(weights) // 2)
    values = []
    for part in np.array_split(weights, parts):
        every = np.cumsum(np.take(part, block, axis=1), axis=1).T[ends]
        summed = np.zeros((len(part), np.count_nonzero(hit) + 1))
        np.cumsum(np.take(part, block[hit], axis=1), axis=1, out=summed[:, 1:])
        hits = summed.T[hits_until]
        values.append([curve.finish(hits, every - hits) for curve in curves])
    return [np.concatenate(chunks) for chunks in zip(*values, strict=True)]
