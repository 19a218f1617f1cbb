"""Two models on the same rows: how far the loss of one lies from the other's, and what chance leaves of that.

Rows come in blocks of time, in order. The influence of a block on the difference is its jackknife pseudo-value (Tukey,
1958, Annals of Mathematical Statistics 29), so that any loss that is a function of sums is a series of blocks whose
mean is the difference. Neighbouring blocks are alike, which two methods allow for; the wider answer counts:

- Student's t over q contiguous groups of blocks (Ibragimov and Müller, 2010, Journal of Business & Economic Statistics
  28), none shorter than the blocks are correlated;
- the stationary bootstrap (Politis and Romano, 1994, JASA 89) with automatic block length (Politis and White, 2004,
  Econometric Reviews 23; as corrected by Patton, Politis and White, 2009, Econometric Reviews 28).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, log10, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core.intervals import Settings, student, tidy
from homeostat.core.metrics import METRICS, Array, Sums

MOST_GROUPS = 8  # more gain little, and are shorter
FEWEST_GROUPS = 4  # fewer say too little about how they differ
TINY = 1e-9  # of a share: none is surer

Finish = Callable[[Array], Array]


@dataclass(frozen=True)
class Losses:
    """The rows of one objective: labels, scores of two models and ranking groups, (m,) each.

    ``place`` (m,) numbers them among all rows that are compared; ``weight`` is that of the objective's loss.
    """

    task: str
    loss: str
    y: Array
    score: Array
    other: Array
    place: NDArray[np.intp]
    group: NDArray[Any] | None = None
    weight: float = 1.0

    def part(self, rows: NDArray[np.intp]) -> Losses:
        """Some of the rows, numbered by themselves."""
        group = None if self.group is None else self.group[rows]
        y, score, other = self.y[rows], self.score[rows], self.other[rows]
        return replace(self, y=y, score=score, other=other, group=group, place=np.arange(len(rows)))


@dataclass(frozen=True)
class Paired:
    """The loss of one model against another's on ``rows`` rows; ``share`` is how far above it lies (below: < 0).

    ``groups`` holds the share of each group of contiguous blocks, in order of time. ``low`` and ``high`` are one-sided
    ends of the share, each at the confidence of the settings; None where there are too few groups to say.
    """

    rows: int
    loss: float | None = None
    other_loss: float | None = None
    share: float | None = None
    groups: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None


def pair_losses(parts: Sequence[Losses], block: NDArray[Any], settings: Settings) -> Paired:
    """The loss of one objective, or those of several added by weight; ``block`` (n,) numbers the blocks of all rows."""
    if len(block) < settings.min_slice:
        return Paired(len(block))
    losses = [METRICS[part.task][part.loss] for part in parts]
    metrics = [metric for metric in losses if isinstance(metric, Sums)]
    assert len(metrics) == len(losses), "every loss is a function of sums"

    def placed(metric: Sums, part: Losses, score: Array) -> Array:
        terms = metric.terms(part.y, score, part.group)
        spread = np.zeros((len(terms), len(block)))
        spread[:, part.place] = terms
        return spread

    def finish(sums: Array) -> Array:
        each = np.split(sums, np.cumsum(lengths)[:-1])
        added: Array = np.sum([p.weight * m.finish(s) for p, m, s in zip(parts, metrics, each, strict=True)], axis=0)
        return added

    ours = [placed(metric, part, part.score) for metric, part in zip(metrics, parts, strict=True)]
    theirs = [placed(metric, part, part.other) for metric, part in zip(metrics, parts, strict=True)]
    lengths = [len(terms) for terms in ours]
    return _pair(np.concatenate(ours), np.concatenate(theirs), finish, block, settings)


def pair_costs(cost: Array, other: Array, block: NDArray[Any], settings: Settings) -> Paired:
    """What each event costs under one model, (n,), against what it costs under another; the losses are of 1,000."""
    if len(block) < settings.min_slice:
        return Paired(len(block))
    ours, theirs = (np.stack([of_each, np.ones(len(of_each))]) for of_each in (cost, other))
    return _pair(ours, theirs, lambda sums: 1000 * sums[0] / np.maximum(sums[1], 1.0), block, settings)


def pool(paired: Paired, earlier: Sequence[float], confidence: float) -> Paired:
    """The same with ends by its own groups and ``earlier`` ones together, which are of comparisons on other rows."""
    groups = (*earlier, *paired.groups)
    if not earlier or not paired.groups or len(groups) < FEWEST_GROUPS:
        return paired
    low, high = _student_ends(float(np.mean(groups)), groups, confidence)
    return replace(paired, low=tidy(low), high=tidy(high))


def shrunk(paired: Paired, earlier: Sequence[float], confidence: float) -> Paired:
    """The same drawn towards the shares of ``earlier`` comparisons, each as far as it is unsure: empirical Bayes.

    What a refit of the same recipe changes has a distribution, of which earlier ones are a sample (Morris, 1983, JASA
    78). Its spread is that of the sample, the noise in it included, so that less is drawn than could be. Unchanged
    where earlier ones are fewer than ``FEWEST_GROUPS``, or this one says nothing by itself.
    """
    if paired.share is None or paired.high is None or len(earlier) < FEWEST_GROUPS:
        return paired
    z = NormalDist().inv_cdf(confidence)
    own = max(paired.high - paired.share, TINY) / z
    spread = max(float(np.std(earlier, ddof=1)) * sqrt(1 + 1 / len(earlier)), TINY)
    weight = spread**2 / (spread**2 + own**2)
    middle, reach = weight * paired.share + (1 - weight) * float(np.mean(earlier)), z * own * sqrt(weight)
    return replace(paired, low=tidy(middle - reach), high=tidy(middle + reach))


def surely_above(paired: Paired, confidence: float, among: int) -> bool:
    """Whether the loss lies above the other's even as the worst of ``among`` that are searched for it (Bonferroni)."""
    if paired.share is None or len(paired.groups) < FEWEST_GROUPS:
        return False
    tail = (1 - confidence) / among
    return _student_ends(paired.share, paired.groups, 1 - tail)[0] > 0


def _pair(ours: Array, theirs: Array, finish: Finish, block: NDArray[Any], settings: Settings) -> Paired:
    _, places = np.unique(block, return_inverse=True)
    blocks = int(places.max()) + 1
    sums = [np.stack([np.bincount(places, term, minlength=blocks) for term in terms]) for terms in (ours, theirs)]
    here, there = (finish(part.sum(axis=1)) for part in sums)
    share = _share(here, there)
    paired = Paired(len(block), tidy(here), tidy(there), tidy(share))
    without = _share(*(finish(part.sum(axis=1, keepdims=True) - part) for part in sums)) if blocks > 1 else share
    if not (np.isfinite(share) and np.isfinite(without).all()):
        return paired
    influence = np.atleast_1d(share + (blocks - 1) * (np.mean(without) - without))
    groups = groups_of(influence)
    paired = replace(paired, groups=tuple(float(f"{group:.10g}") for group in groups))
    if len(groups) < FEWEST_GROUPS:
        return paired
    ends = (_student_ends(float(share), groups, settings.confidence), _bootstrap_ends(influence, settings))
    return replace(paired, low=tidy(min(low for low, _ in ends)), high=tidy(max(high for _, high in ends)))


def _share(here: Array, there: Array) -> Array:
    """By what share the first is above the other; nothing where both are nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(here == there, 0.0 * here, (here - there) / there)


def groups_of(influence: Array) -> Array:
    """Means of contiguous groups of the blocks, (q,): none shorter than the blocks are correlated.

    Correlations of few blocks are hard to see: a group is about the cube root of their number long, and where
    neighbours look correlated at all there are as few groups as will do.

    >>> [len(groups_of(np.arange(blocks) % 2)) for blocks in (3, 14, 100)], len(groups_of(np.arange(40) // 5 % 2))
    ([3, 7, 8], 4)
    """
    blocks, correlated = len(influence), correlated_over(influence)
    wanted = FEWEST_GROUPS if correlated else max(blocks // int(round(blocks ** (1 / 3), 9)), FEWEST_GROUPS)
    many = max(min(wanted, MOST_GROUPS, blocks // (correlated + 1)), 1)
    return np.array([part.mean() for part in np.array_split(influence, many)])


def correlated_over(influence: Array) -> int:
    """The lag up to which neighbouring blocks are correlated, by more than half a standard error of none."""
    blocks, covariance = len(influence), _autocovariance(influence)
    large = 2 * sqrt(blocks) * covariance > covariance[0]
    return next((lag for lag in range(blocks - 1) if not large[lag + 1]), 0)


def block_length(influence: Array) -> float:
    """The expected length of the stationary bootstrap's blocks, from 1 on: Politis and White's, with a flat-top window.

    >>> block_length(np.ones(20))
    1.0
    """
    blocks, covariance = len(influence), _autocovariance(influence)
    if covariance[0] <= 0:
        return 1.0
    limit, following = 2 * sqrt(log10(blocks) / blocks), max(5, ceil(sqrt(log10(blocks))))
    large = np.abs(covariance / covariance[0]) >= limit
    last = next(lag for lag in range(blocks) if not large[lag + 1 : lag + 1 + following].any())
    lags = np.arange(1, min(2 * max(last, 1), blocks - 1) + 1)
    weighted = np.clip(2 * (1 - lags / len(lags)), 0, 1) * covariance[lags]
    spectrum, slope = covariance[0] + 2 * weighted.sum(), 2 * (lags * weighted).sum()
    if spectrum <= 0:
        return 1.0
    longest = ceil(min(3 * sqrt(blocks), blocks / 3))
    return float(np.clip((blocks * slope**2 / spectrum**2) ** (1 / 3), 1.0, longest))


def _autocovariance(series: Array) -> Array:
    """At every lag from 0, over all n."""
    centred = series - series.mean()
    many = len(series)
    return np.array([(centred[lag:] * centred[: many - lag]).sum() / many for lag in range(many)])


def _student_ends(share: float, groups: Sequence[float] | Array, confidence: float) -> tuple[float, float]:
    reach = student(1 - confidence, len(groups) - 1) * float(np.std(groups, ddof=1)) / sqrt(len(groups))
    return share - reach, share + reach


def _bootstrap_ends(influence: Array, settings: Settings) -> tuple[float, float]:
    """Percentiles of the means of series in which each block is followed by the next, or by any, as in a circle."""
    blocks, rng = len(influence), np.random.default_rng(settings.seed)
    shape = (settings.resamples, blocks)
    begins, anywhere = rng.random(shape) < 1 / block_length(influence), rng.integers(0, blocks, shape)
    drawn = anywhere.copy()
    for place in range(1, blocks):
        drawn[:, place] = np.where(begins[:, place], anywhere[:, place], (drawn[:, place - 1] + 1) % blocks)
    low, high = np.quantile(influence[drawn].mean(axis=1), [1 - settings.confidence, settings.confidence])
    return float(low), float(high)
