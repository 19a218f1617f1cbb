"""Rules over observed quality: what a release does on events whose labels have come, against what it promised.

Log loss moves with the label's rate alone: over a year's seasons a model that is well may be a third above or below
its promise. So it is not the loss that is compared with the promise but its ratio to the baseline's on the same rows,
both sealed in the same release and moved alike by a season; what moves both, the level, shows in calibration. Each
rule fails only where the difference is significant by a block bootstrap as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import Any, Protocol

from numpy.typing import NDArray

from homeostat.core.evaluation import Compared, compare
from homeostat.core.findings import TOO_FEW, Finding, Interval, Outcome
from homeostat.core.intervals import Measure, Resamples, Settings, measure
from homeostat.core.metrics import METRICS, Array
from homeostat.core.rules import Rule

CALIBRATION = "calibration"  # the metric of that name
LEAST = 1e-6  # of a promised ratio: a promise of no loss at all is still one that can be kept


class HealthLimits(Protocol):
    """``quality_drop``: share of the ratio of losses; ``calibration``: share that mean score over label rate is off."""

    @property
    def quality_drop(self) -> float: ...
    @property
    def calibration(self) -> float: ...


@dataclass(frozen=True)
class Window:
    """Mature events of one objective, in order of time: arrays of n; ``block``: ids of what is resampled together."""

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
    findings = [
        quality(w, now, promised, limits.quality_drop),
        against_baseline(w, now, settings.confidence),
    ]
    if CALIBRATION in METRICS[w.task]:
        findings.append(calibration(w, _calibration(w, settings), limits.calibration, settings.confidence))
    return [replace(f, evidence=(evidence,)) for f in findings]


def quality(window: Window, now: Compared, promised: Measure, limit: float) -> Finding:
    """The ratio of the loss to the baseline's on the same rows, against the same ratio when the release was judged.

    Significant: the interval of the difference of the two ratios, from the intervals of each (Zou and Donner, 2008,
    Statistics in Medicine 27, "square and add"), lies above zero.
    """
    if now.share.value is None or promised.value is None:
        return Finding(Rule.QUALITY, window.objective, TOO_FEW, None, limit, rows=now.rows)
    rise = (1 + now.share.value) / max(1 + promised.value, LEAST) - 1
    least = _least_rise(now.share, promised)
    outcome: Outcome = "fail" if rise > limit and least is not None and least > 0 else "pass"
    facts = {"loss": window.loss, "share": now.share.value, "promised": promised.value}
    return Finding(Rule.QUALITY, window.objective, outcome, round(rise, 6), limit, rows=now.rows, facts=facts)


def against_baseline(window: Window, now: Compared, confidence: float) -> Finding:
    """A model that is significantly worse than its own baseline is not worth running."""
    share = now.share
    if share.value is None or share.low is None:
        return Finding(Rule.AGAINST_BASELINE, window.objective, TOO_FEW, share.value, 0.0, rows=now.rows)
    outcome: Outcome = "fail" if share.low > 0 else "pass"
    facts = {"loss": window.loss, "value": now.loss, "other": now.other_loss}
    return Finding(
        Rule.AGAINST_BASELINE, window.objective, outcome, share.value, 0.0, Interval.of(share, confidence),
        rows=now.rows, facts=facts,
    )  # fmt: skip


def calibration(window: Window, ratio: Measure, limit: float, confidence: float) -> Finding:
    """Mean score over label rate; significant: its interval leaves 1 out."""
    rows = len(window.y)
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return Finding(Rule.CALIBRATION, window.objective, TOO_FEW, None, limit, rows=rows)
    off = abs(ratio.value - 1)
    outcome: Outcome = "fail" if off > limit and not ratio.low <= 1 <= ratio.high else "pass"
    return Finding(
        Rule.CALIBRATION, window.objective, outcome, round(off, 6), limit, Interval.of(ratio, confidence), rows=rows,
        facts={"ratio": ratio.value},
    )  # fmt: skip


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
