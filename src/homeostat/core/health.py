"""Rules over observed quality: what a release does on events whose labels have come, against what it promised.

Log loss moves with the label's rate alone: over a year's seasons a model that is well may be a third above or below
its promise. So it is not the loss that is compared with the promise but its ratio to the baseline's on the same rows,
both sealed in the same release and moved alike by a season; what moves both, the level, shows in calibration. Each
rule fails only where the difference is significant by a block bootstrap as well, or lies outside what good windows
showed; one that fails inside of that range starts a decision and alerts nobody (``core.promises``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import hypot
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homeostat.core.evaluation import Compared, Comparison, Slices, compare
from homeostat.core.findings import TOO_FEW, Finding, Interval, Outcome
from homeostat.core.intervals import FEWEST, Measure, Resamples, Settings, measure
from homeostat.core.metrics import METRICS, Array
from homeostat.core.promises import CALIBRATION, Held, within_range
from homeostat.core.rules import Rule

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
    slices: Slices = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        return len(np.unique(self.block))


def health_findings(
    window: Window, promised: Measure, limits: HealthLimits, settings: Settings, evidence: str,
    held: Mapping[str, Held] | None = None,
) -> list[Finding]:  # fmt: skip
    """Quality against the promise and the baseline, and calibration; ``evidence`` is the path of the figures.

    ``promised`` is the share that the release's loss was above its baseline's (below: < 0) when it was judged; ``held``
    the figures of the release's windows against the range of good ones, by metric.
    """
    w, held = window, held or {}
    both = compare(w.task, w.loss, w.y, w.score, w.baseline, w.block, w.slices, settings, w.group)
    now = both.overall
    promise = quality(w, now, promised, limits.quality_drop, held.get(w.loss))
    overall = against_baseline(w, now, settings.confidence)
    findings = [within_range(promise, held.get(w.loss), usual_if_unknown=False), overall]
    if w.slices and not overall.failed:  # then slices are worse for that: one problem, one alert
        findings.append(slices_against_baseline(w, both, settings.confidence))
    if CALIBRATION in METRICS[w.task]:
        level = calibration(w, _calibration(w, settings), limits, settings.confidence, held.get(CALIBRATION))
        findings.append(within_range(level, held.get(CALIBRATION), usual_if_unknown=True))
    return [replace(f, evidence=(evidence,)) for f in findings]


def in_doubt(findings: Iterable[Finding], since: str) -> list[Finding]:
    """Findings that rest on labels which cannot be trusted since that batch: they say nothing."""
    facts = {"doubted": since}
    return [replace(f, outcome=TOO_FEW, value=None, interval=None, facts=facts, usual=False) for f in findings]


def quality(window: Window, now: Compared, promised: Measure, limit: float, held: Held | None = None) -> Finding:
    """The ratio of the loss to the baseline's on the same rows, against the same ratio when the release was judged.

    Significant: the interval of the difference of the two ratios, from the intervals of each (Zou and Donner, 2008,
    Statistics in Medicine 27, "square and add"), lies above zero. Above all that good windows promise it fails too.
    """
    out = held is not None and held.worse and held.rise > limit
    if now.share.value is None or promised.value is None:
        if not out or held is None or now.share.value is None:
            return _too_few(Rule.QUALITY, window, limit, None if promised.value is None else now.rows)
        rise, least = held.rise, None
    else:
        rise = (1 + now.share.value) / max(1 + promised.value, LEAST) - 1
        least = _least_rise(now.share, promised)
    outcome: Outcome = "fail" if out or (rise > limit and least is not None and least > 0) else "pass"
    if outcome == "pass" and rise > limit and least is None:
        outcome = TOO_FEW
    facts = {"loss": window.loss, "share": now.share.value, "promised": promised.value, "blocks": window.blocks}
    return Finding(Rule.QUALITY, window.objective, outcome, round(rise, 6), limit, rows=now.rows, facts=facts)


def against_baseline(window: Window, now: Compared, confidence: float) -> Finding:
    """A model that is significantly worse than its own baseline is not worth running."""
    share = now.share
    if share.value is None or share.low is None:
        return replace(_too_few(Rule.AGAINST_BASELINE, window, 0.0, now.rows), value=share.value)
    outcome: Outcome = "fail" if share.low > 0 else "pass"
    facts = {"loss": window.loss, "value": now.loss, "other": now.other_loss}
    return Finding(
        Rule.AGAINST_BASELINE, window.objective, outcome, share.value, 0.0, Interval.of(share, confidence),
        rows=now.rows, facts=facts,
    )  # fmt: skip


def slices_against_baseline(window: Window, both: Comparison, confidence: float) -> Finding:
    """Nobody is served worse than the baseline would: the worst slice, its interval widened for how many there are."""
    judged = [
        (column, name, compared)
        for column, parts in both.slices.items()
        for name, compared in parts.items()
        if compared.share.value is not None and compared.share.low is not None
    ]
    if not judged:
        return _too_few(Rule.SERVED_SLICES, window, 0.0, len(window.y))
    worse = [one for one in judged if (one[2].share.low or 0.0) > 0]
    column, name, worst = max(worse or judged, key=lambda one: one[2].share.value or 0.0)
    facts = {
        "loss": window.loss, "value": worst.loss, "other": worst.other_loss, "column": column, "slice": name,
        "judged": len(judged), "worse": len(worse),
    }  # fmt: skip
    return Finding(
        Rule.SERVED_SLICES, window.objective, "fail" if worse else "pass", worst.share.value, 0.0,
        Interval.of(worst.share, confidence), rows=worst.rows, facts=facts,
    )  # fmt: skip


def calibration(
    window: Window, ratio: Measure, limits: HealthLimits, confidence: float, held: Held | None = None
) -> Finding:
    """Mean score over label rate; significant: its interval leaves 1 out.

    Where it lies significantly outside all that good windows promise it fails at ``quality_drop`` already: of a level
    that hardly ever moved, half of it is a long way.
    """
    limit = limits.calibration
    if ratio.value is None or ratio.low is None or ratio.high is None:
        few = _too_few(Rule.CALIBRATION, window, limit, len(window.y))
        return replace(few, facts={**few.facts, **({"ratio": ratio.value} if ratio.value is not None else {})})
    off = abs(ratio.value - 1)
    if held is not None and held.excludes(ratio.value, Interval(ratio.low, ratio.high, confidence)):
        limit = min(limit, limits.quality_drop)
    outcome: Outcome = "fail" if off > limit and not ratio.low <= 1 <= ratio.high else "pass"
    return Finding(
        Rule.CALIBRATION, window.objective, outcome, round(off, 6), limit, Interval.of(ratio, confidence),
        rows=len(window.y), facts={"ratio": ratio.value},
    )  # fmt: skip


def _too_few(rule: Rule, window: Window, limit: float, rows: int | None) -> Finding:
    """Too few events, or events in too few blocks of time; without ``rows`` it is the promise that is missing."""
    facts = {"blocks": window.blocks, "needed": FEWEST} if rows is not None else {"no promise": True}
    return Finding(rule, window.objective, TOO_FEW, None, limit, rows=len(window.y), facts=facts)


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
