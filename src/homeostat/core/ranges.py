"""How far good windows differ from one another: the range that a release can honestly promise.

One holdout is one window, and windows of one model differ by season and luck far more than the interval of
any one of them says. So a figure is held to what several good windows showed: the prediction interval of one further
window (Hahn and Meeker, 1991, Statistical Intervals, section 4.7, normal), and never less than the windows themselves
span. Windows are compared on a scale that a season's level leaves alone, see ``badness``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

from homeostat.core.intervals import student

FEWEST_WINDOWS = 4  # fewer say nothing about how windows differ
LEAST = 1e-6  # of what a logarithm is taken of: a perfect score has one too
TO_BASELINE = frozenset({"log_loss", "brier", "rmse", "mae", "ndcg_loss", "cost"})  # the level moves both alike
ODDS_TO_BASELINE = frozenset({"average_precision"})  # moved by the level between the rate and 1
SHORTFALL = frozenset({"auc", "r2", "ndcg"})  # what is short of 1, whatever the level


@dataclass(frozen=True)
class Range:
    """What ``windows`` values say of one more: it lies in [low, high]; ``centre`` is their mean."""

    low: float
    high: float
    centre: float
    windows: int


def range_of(values: Sequence[float], confidence: float, among: int = 1) -> Range | None:
    """The range of one more value; None for fewer than ``FEWEST_WINDOWS``.

    ``among``: how many ranges are searched for the worst value; each is wider (Bonferroni).

    >>> found = range_of([1.0, 1.1, 0.9, 1.0, 1.05], 0.95)
    >>> round(found.low, 2), round(found.high, 2), found.windows
    (0.78, 1.24, 5)
    >>> range_of([1.0, 1.1, 0.9], 0.95)
    """
    many = len(values)
    if many < FEWEST_WINDOWS:
        return None
    centre = sum(values) / many
    spread = sqrt(sum((value - centre) ** 2 for value in values) / (many - 1))
    reach = student((1 - confidence) / 2 / among, many - 1) * spread * sqrt(1 + 1 / many)
    return Range(min(centre - reach, *values), max(centre + reach, *values), centre, many)


def badness(metric: str, value: float, baseline: float) -> float | None:
    """A metric on a scale on which higher is worse and on which windows of another level compare; None: on none.

    A loss is its log ratio to the baseline's on the same rows, average precision the log ratio of the baseline's odds
    to its own; of AUC, R2 and NDCG it is the log of what is short of 1.

    >>> badness("log_loss", 0.3, 0.3), round(badness("auc", 0.857, 0.7), 2), badness("calibration", 1.1, 1.0)
    (0.0, -1.94, None)
    """
    if metric in SHORTFALL:
        return log(max(1 - value, LEAST)) if isfinite(value) else None
    if not (isfinite(value) and isfinite(baseline)):
        return None
    if metric in ODDS_TO_BASELINE:
        return _log_odds(baseline) - _log_odds(value)
    return log(max(value, LEAST)) - log(max(baseline, LEAST)) if metric in TO_BASELINE else None


def readable(metric: str, bad: float) -> float:
    """``badness`` as a person reads it: the ratio to the baseline's, that of the odds, or the metric itself.

    >>> round(readable("auc", badness("auc", 0.857, 0.7)), 3)
    0.857
    """
    if metric in SHORTFALL:
        return 1 - exp(bad)
    return exp(bad if metric in TO_BASELINE else -bad)


def scale_of(metric: str) -> str:
    """What ``readable`` gives: the metric itself, or the ratio of it, or of its odds, to the baseline's.

    >>> scale_of("auc"), scale_of("log_loss")
    ('', "of the baseline's")
    """
    if metric in TO_BASELINE:
        return "of the baseline's"
    return "of the baseline's odds" if metric in ODDS_TO_BASELINE else ""


def _log_odds(share: float) -> float:
    return log(max(share, LEAST)) - log(max(1 - share, LEAST))
