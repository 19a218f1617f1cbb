"""Whether the business's own figure moves with a model's: block by block, and release by release.

Bernardi, Mavridis and Estevez, 2019, "150 successful machine learning models: 6 lessons learned at Booking.com", KDD: a
better model is no better business by itself. An alarm where a release improved the one while the other fell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist, fmean, variance
from typing import NamedTuple

from homeostat.core.findings import TOO_FEW, Finding, Interval
from homeostat.core.intervals import Measure, tidy
from homeostat.core.rank_correlation import rank_correlation
from homeostat.core.rules import Rule

HIGHER = frozenset({"auc", "average_precision", "r2", "ndcg"})  # metrics that are better so; others lower
FEWEST = 4  # blocks of a release, below which it is not compared
Metric = tuple[str, str]  # objective, and name


@dataclass(frozen=True)
class Block:
    """One stretch of time under one release: the business's figure, and the metrics of what it predicted there."""

    start: datetime
    release: str
    business: float
    metrics: Mapping[Metric, float]


class Moves(NamedTuple):
    """How far a metric moves with the business: 1, they order alike; -1, the better the one the worse the other."""

    metric: Metric
    blocks: Measure
    releases: Measure


def goodness(metric: str, value: float) -> float:
    """A metric's value, so that more is better.

    >>> goodness("auc", 0.7), goodness("log_loss", 0.5), goodness("calibration", 1.25)
    (0.7, -0.5, -0.25)
    """
    if metric == "calibration":
        return -abs(value - 1)
    return value if metric in HIGHER else -value


def means(blocks: Sequence[Block], metric: Metric) -> dict[str, tuple[float, float]]:
    """By release, in order of time, the mean of a metric and that of the business over its blocks that have both."""
    by_release: dict[str, list[Block]] = {}
    for block in blocks:
        if metric in block.metrics:
            by_release.setdefault(block.release, []).append(block)
    return {r: (fmean(b.metrics[metric] for b in own), fmean(b.business for b in own)) for r, own in by_release.items()}


def correlations(blocks: Sequence[Block], higher_is_better: bool, confidence: float) -> list[Moves]:
    """Of each metric, that which moves with the business most first."""
    sign = 1 if higher_is_better else -1
    moves = []
    for metric in dict.fromkeys(name for block in blocks for name in block.metrics):
        own = [block for block in blocks if metric in block.metrics]
        each = [goodness(metric[1], b.metrics[metric]) for b in own], [sign * b.business for b in own]
        pairs = means(blocks, metric).values()
        of_releases = [goodness(metric[1], model) for model, _ in pairs], [sign * business for _, business in pairs]
        moves.append(Moves(metric, *(rank_correlation(x, y, confidence) for x, y in (each, of_releases))))
    return sorted(moves, key=lambda one: -math.inf if one.blocks.value is None else one.blocks.value, reverse=True)


def business_finding(blocks: Sequence[Block], loss: Metric, higher_is_better: bool, confidence: float) -> Finding:
    """The release in service against the one before it: its loss fell, by chance hardly, and the business too."""
    releases = list(dict.fromkeys(block.release for block in blocks))
    facts: dict[str, object] = {"loss": loss[1]}
    if len(releases) < 2:
        return Finding(Rule.BUSINESS, loss[0], TOO_FEW, facts=facts)
    now, before = ([b for b in blocks if b.release == name and loss in b.metrics] for name in reversed(releases[-2:]))
    if min(len(now), len(before)) < FEWEST:
        return Finding(Rule.BUSINESS, loss[0], TOO_FEW, rows=len(now), facts=facts)
    model = _difference([b.metrics[loss] for b in now], [b.metrics[loss] for b in before], confidence)
    business = _difference([b.business for b in now], [b.business for b in before], confidence)
    worse = business.high < 0 if higher_is_better else business.low > 0
    facts |= {"release": releases[-1], "before": releases[-2], "loss_change": model.low + (model.high - model.low) / 2}
    value = tidy(fmean(b.business for b in now) - fmean(b.business for b in before))
    outcome = "fail" if worse and model.high < 0 else "pass"
    return Finding(Rule.BUSINESS, loss[0], outcome, value, 0.0, business, rows=len(now), facts=facts)


def _difference(one: Sequence[float], other: Sequence[float], confidence: float) -> Interval:
    """Of two means, by the variances of both."""
    half = math.sqrt(variance(one) / len(one) + variance(other) / len(other))
    half *= NormalDist().inv_cdf((1 + confidence) / 2)
    middle = fmean(one) - fmean(other)
    return Interval(tidy(middle - half), tidy(middle + half), confidence)
