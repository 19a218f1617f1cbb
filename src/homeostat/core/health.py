"""Rules over realised quality: what a release does on events whose labels have come, against what it promised.

Log loss moves with the label's rate alone: over a year's seasons a model that is well may be a third above or below
its promise. So it is not the loss that is held against the promise but its ratio to the baseline's on the same rows,
both sealed in the same release and moved alike by a season; what moves both, the level, shows in calibration. Each
rule fails only where the interval of a block bootstrap excludes chance as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Any, Protocol

from numpy.typing import NDArray

from homeostat.core.evaluation import Compared, compare
from homeostat.core.findings import Finding, Outcome
from homeostat.core.intervals import Measure, Resamples, Settings, measure
from homeostat.core.metrics import METRICS, Array

QUALITY, AGAINST_BASELINE, CALIBRATION = "quality", "against the baseline", "calibration"
LEAST = 1e-6  # of a promised ratio: a promise of no loss at all is still one that can be held


class HealthLimits(Protocol):
    """``quality_drop``: share of the ratio of losses; ``calibration``: share that mean score over label rate is off."""

    @property
    def quality_drop(self) -> float: ...
    @property
    def calibration(self) -> float: ...


@dataclass(frozen=True)
class Window:
    """Matured events of one objective, in order of time: arrays of n; ``block`` holds ids resampled together."""

    objective: str
    task: str
    loss: str
    y: Array
    score: Array
    baseline: Array
    block: NDArray[Any]
    group: NDArray[Any] | None = None


def health_findings(
    window: Window, promised: Measure, limits: HealthLimits, settings: Settings, evidence: str
) -> list[Finding]:
    """Quality against the promise and the baseline, and calibration; ``evidence`` is the path of the figures.

    ``promised`` is the share that the release's loss was above its baseline's (below: < 0) when it was judged.
    """
    w = window
    now = compare(w.task, w.loss, w.y, w.score, w.baseline, w.block, {}, settings, w.group).overall
    found = [
        quality(w.objective, w.loss, now, promised, limits.quality_drop, evidence),
        against_baseline(w.objective, w.loss, now, evidence),
    ]
    if CALIBRATION in METRICS[w.task]:
        found.append(calibration(w.objective, _calibration(w, settings), len(w.y), limits.calibration, evidence))
    return found


def quality(objective: str, loss: str, now: Compared, promised: Measure, limit: float, evidence: str) -> Finding:
    """The ratio of the loss to the baseline's on the same rows, against the same ratio when the release was judged.

    Chance: the interval of the difference of the two ratios, from the intervals of each (Zou and Donner, 2008,
    Statistics in Medicine 27, "square and add"), lies above zero.
    """
    rule = f"{objective}: {QUALITY}"
    if now.share.value is None or promised.value is None:
        said = f"{now.rows} matured events of {objective}, or of those the release was judged on, are too few to say"
        return Finding(rule, "too few to say", None, limit, said, evidence)
    rise = (1 + now.share.value) / max(1 + promised.value, LEAST) - 1
    beyond = _least_rise(now.share, promised)
    said = f"{loss} of {objective} is {_above(now.share.value)} the baseline's on {now.rows} matured events"
    said += f", {_above(promised.value)} when it was judged"
    outcome: Outcome = "fail" if rise > limit and beyond is not None and beyond > 0 else "pass"
    if outcome == "fail":
        said += f": {rise:.1%} worse than promised, limit {limit:.0%}, more than chance explains"
    elif rise > limit:
        said += f": {rise:.1%} worse than promised, which chance explains"
    return Finding(rule, outcome, round(rise, 6), limit, said, evidence)


def against_baseline(objective: str, loss: str, now: Compared, evidence: str) -> Finding:
    """A model that loses to its own baseline beyond chance is not worth running."""
    rule = f"{objective}: {AGAINST_BASELINE}"
    share = now.share
    if share.value is None or share.low is None:
        said = f"{now.rows} matured events of {objective} are too few to say"
        return Finding(rule, "too few to say", share.value, 0.0, said, evidence)
    said = f"{loss} of {objective} is {now.loss:.4f}, the baseline's {now.other_loss:.4f}, on {now.rows} matured events"
    worse = share.low > 0
    said += ": worse than the baseline, beyond chance" if worse else ""
    return Finding(rule, "fail" if worse else "pass", share.value, 0.0, said, evidence)


def calibration(objective: str, ratio: Measure, rows: int, limit: float, evidence: str) -> Finding:
    """Mean score over label rate; chance: its interval holds 1."""
    rule = f"{objective}: {CALIBRATION}"
    if ratio.value is None or ratio.low is None or ratio.high is None:
        said = f"{rows} matured events of {objective}, with the labels they have, are too few to say"
        return Finding(rule, "too few to say", None, limit, said, evidence)
    off = abs(ratio.value - 1)
    fails = off > limit and not ratio.low <= 1 <= ratio.high
    said = f"mean score of {objective} over what came true is {ratio.value:.2f} on {rows} matured events"
    said += f" ({ratio.low:.2f} to {ratio.high:.2f})"
    said += f": off by {off:.0%}, limit {limit:.0%}" if fails else ""
    return Finding(rule, "fail" if fails else "pass", round(off, 6), limit, said, evidence)


def _calibration(window: Window, settings: Settings) -> Measure:
    if len(window.y) < settings.min_slice:
        return Measure(None)
    drawn = Resamples.draw(window.block, settings)
    metric = METRICS[window.task][CALIBRATION]
    return measure(metric, window.y, window.score, window.group, drawn, settings)


def _least_rise(now: Measure, promised: Measure) -> float | None:
    """The lower end of the interval of the difference; None where either has no interval."""
    if now.value is None or now.low is None or promised.value is None or promised.high is None:
        return None
    return now.value - promised.value - hypot(now.value - now.low, promised.high - promised.value)


def _above(share: float) -> str:
    """As a person says it.

    >>> _above(-0.1), _above(0.02)
    ('10.0% below', '2.0% above')
    """
    return f"{abs(share):.1%} {'above' if share > 0 else 'below'}"
