"""A release just put in service: do its scores differ from those of the one before it as they did when it was judged?

On the same events the differences of two releases are much alike from day to day, whatever the events; labels are not
needed. So the last block of events since the switch is held to the blocks of the holdout, by two figures: how far the
scores lie from the other's on average, and how far the two order events alike. A release was fitted once more after its
holdout judged it, so some way off is no fault: only what no refit explains is. A holdout of few blocks has no range of
its own; held to it a release is at fault where it is twice as far off as any refit would be, else it is too few to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core.findings import TOO_FEW, Finding, Outcome
from homeostat.core.metrics import Array
from homeostat.core.ranges import FEWEST_WINDOWS, range_of
from homeostat.core.rules import Rule

SURE = 0.999  # confidence of the ranges: a release is rolled back on them alone
LEAST = 1e-6  # scores and correlations are kept so far off the ends of their scales
FIGURES = ("level", "order")
FEWEST_EVENTS = 30  # of a block: fewer are not compared
LEVEL = 1.5  # log odds, or standard deviations of scores: so far apart a refit brings no two releases
KEPT = 1 / 3  # of the agreement on the holdout: a release that keeps so much of it orders events for some reason
WITHOUT_RANGE = 2.0  # times what no refit explains, where the blocks are too few for a range


@dataclass(frozen=True)
class Pair:
    """Scores (n,) of the new release and of the one before it on the same events, and the block of each event."""

    new: Array
    old: Array
    block: NDArray[Any]


def switch_finding(objective: str, task: str, holdout: Pair, since: Pair) -> Finding:
    """The last block of events since the switch against the blocks of the holdout."""
    scale = 1.0 if task == "binary" else max(float(np.std(holdout.old)) if len(holdout.old) else 0.0, LEAST)
    past, now = (_by_block(task, pair, scale) for pair in (holdout, since))
    facts: dict[str, Any] = {"blocks": len(past), "needed": FEWEST_WINDOWS}
    few = Finding(Rule.SWITCH, objective, TOO_FEW, rows=len(since.new), facts=facts)
    if not past or not now:
        return few
    off = {name: _off(name, [b[name] for b in past], now[-1][name]) for name in FIGURES}
    worst = max(off, key=lambda name: off[name])
    if len(past) < FEWEST_WINDOWS and off[worst] <= 1:
        return few
    facts = {"figure": worst, "now": now[-1], "holdout": _means(past), "blocks": len(past)}
    outcome: Outcome = "fail" if off[worst] > 1 else "pass"
    rows = int(np.count_nonzero(since.block == since.block[-1]))
    return Finding(Rule.SWITCH, objective, outcome, round(off[worst], 6), 1.0, rows=rows, facts=facts)


def _by_block(task: str, pair: Pair, scale: float) -> list[dict[str, float]]:
    """Both figures of each block with events enough, in order."""
    new, old = (_log_odds(score) if task == "binary" else score / scale for score in (pair.new, pair.old))
    figures = []
    for block in np.unique(pair.block):
        inside = pair.block == block
        if np.count_nonzero(inside) >= FEWEST_EVENTS:
            apart = new[inside] - old[inside]
            figures.append({
                "level": float(apart.mean()),
                "order": atanh(np.clip(_rank_correlation(new[inside], old[inside]), LEAST - 1, 1 - LEAST)),
            })  # fmt: skip
    return figures


def _off(name: str, past: Sequence[float], now: float) -> float:
    """How far a figure lies from the middle of its range, where what is allowed is 1."""
    wide = range_of(past, SURE)
    centre = sum(past) / len(past)
    low, high, allowed = (wide.low, wide.high, 1.0) if wide else (centre, centre, WITHOUT_RANGE)
    if name == "order":  # to order events more alike than on the holdout is no fault
        return max(centre - now, 0.0) / allowed / max(centre - low, (1 - KEPT) * abs(centre), LEAST)
    return abs(now - centre) / allowed / max(high - centre if now > centre else centre - low, LEVEL)


def _means(blocks: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(b[name] for b in blocks) / len(blocks) for name in FIGURES}


def _log_odds(score: Array) -> Array:
    inside = np.clip(score, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _rank_correlation(one: Array, other: Array) -> float:
    """Spearman's (1904), ties at their mean rank; 0 where one side is constant."""
    ranks = [_ranks(values) for values in (one, other)]
    if min(r.std() for r in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Array) -> Array:
    _, place, many = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(many) - (many - 1) / 2)[place])
