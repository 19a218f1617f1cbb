"""What a release can promise: figures of its windows held to the range of good windows, metric by metric.

A window is one round of decisions of mature events that one release served, or one such length of a past holdout. The
mean of a release's windows so far is held to the range of a single one: windows that follow each other are alike, so
their mean may lie as far off as any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, log, log1p
from statistics import NormalDist
from typing import Any

from homeostat.core.findings import TOO_FEW, Finding, Interval, Outcome
from homeostat.core.ranges import FEWEST_WINDOWS, LEAST, Range, badness, range_of, readable, scale_of
from homeostat.core.rules import Rule

CALIBRATION = "calibration"


@dataclass(frozen=True)
class WindowFigures:
    """One objective's figures on one window; ``release`` is empty for a past holdout.

    ``kind`` is that of the model, as windows of a baseline say nothing about those of a model that learned. ``figures``
    holds each metric with the baseline's on the same rows.
    """

    objective: str
    kind: str
    release: str
    since: datetime
    until: datetime
    rows: int
    figures: Mapping[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {**vars(self), **times, "figures": {m: list(pair) for m, pair in self.figures.items()}}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> WindowFigures:
        times = {name: datetime.fromisoformat(raw[name]) for name in ("since", "until")}
        return cls(**{**raw, **times, "figures": {m: (pair[0], pair[1]) for m, pair in raw["figures"].items()}})


@dataclass(frozen=True)
class Held:
    """The mean of one metric over ``windows`` windows of a release, on the scale of ``wide``, where higher is worse."""

    metric: str
    now: float
    windows: int
    wide: Range

    @property
    def worse(self) -> bool:
        return self.now > self.wide.high

    def excludes(self, ratio: float, interval: Interval) -> bool:
        """Whether a ratio that may be off both ways lies significantly outside what good windows showed.

        A one-sided test at the interval's confidence, normal on the log scale: it matters on which side it is.
        """
        now, low, high = (log(max(x, LEAST)) for x in (ratio, interval.low, interval.high))
        normal = NormalDist()
        part = normal.inv_cdf(interval.confidence) / normal.inv_cdf((1 + interval.confidence) / 2)
        return now - part * (now - low) > self.wide.high or now + part * (high - now) < self.wide.low

    @property
    def rise(self) -> float:
        """By what share it is worse than the mean of good windows."""
        return exp(self.now - self.wide.centre) - 1

    def to_dict(self) -> dict[str, Any]:
        """As a person reads it, from the best to the worst; ``scale`` says what of the metric it is."""
        write = exp if self.metric == CALIBRATION else lambda bad: readable(self.metric, bad)
        best, worst, now = (round(write(x), 6) for x in (self.wide.low, self.wide.high, self.now))
        return {
            "now": now,
            "best": best,
            "worst": worst,
            "windows": self.wide.windows,
            "of": self.windows,
            "scale": scale_of(self.metric),
        }


def hold(current: Sequence[WindowFigures], past: Sequence[WindowFigures], confidence: float) -> dict[str, Held]:
    """Each metric of a release's windows against those of ``past``; without those that have too few windows."""
    names = dict.fromkeys(metric for window in current for metric in window.figures)
    among = max(len([name for name in names if name != CALIBRATION]), 1)
    held = {}
    for name in names:
        ours, theirs = (_scaled(windows, name) for windows in (current, past))
        wide = range_of(theirs, confidence, among)
        if ours and wide is not None:
            held[name] = Held(name, sum(ours) / len(ours), len(ours), wide)
    return held


def _scaled(windows: Sequence[WindowFigures], metric: str) -> list[float]:
    values = [on_its_scale(window, metric) for window in windows]
    return [value for value in values if value is not None]


def on_its_scale(window: WindowFigures, metric: str) -> float | None:
    """A metric of a window on the scale on which windows compare; None where it has none."""
    if metric not in window.figures:
        return None
    value, baseline = window.figures[metric]
    if metric == CALIBRATION:
        return log(max(value, LEAST))
    return badness(metric, value, baseline)


def metrics_finding(objective: str, loss: str, held: Mapping[str, Held], drop: float) -> Finding:
    """Every metric but the loss, which ``core.health`` judges, and calibration: the worst of them decides.

    ``drop``: the share that it has to be worse than the mean of good windows as well.
    """
    judged = [h for name, h in held.items() if name not in (loss, CALIBRATION)]
    facts: dict[str, Any] = {"ranges": {h.metric: h.to_dict() for h in judged}}
    if not judged:
        return Finding(Rule.METRICS, objective, TOO_FEW, facts={"needed": FEWEST_WINDOWS})
    worst = max(judged, key=lambda h: (h.now - h.wide.centre) / max(h.wide.high - h.wide.centre, LEAST))
    outcome: Outcome = "fail" if worst.worse and worst.now - worst.wide.centre > log1p(drop) else "pass"
    figures = worst.to_dict()
    return Finding(
        Rule.METRICS, objective, outcome, figures["now"], figures["worst"], facts=facts | {"metric": worst.metric}
    )


def within_range(finding: Finding, held: Held | None, usual_if_unknown: bool) -> Finding:
    """A finding on one figure with its range; ``usual`` where good windows were as far off: then nobody is alerted."""
    if held is None:
        return replace(finding, usual=finding.failed and usual_if_unknown)
    facts = dict(finding.facts) | {"range": held.to_dict()}
    return replace(finding, facts=facts, usual=finding.failed and not _beyond(held, finding))


def _beyond(held: Held, finding: Finding) -> bool:
    """Worse than good windows; of a ratio that may be off both ways, significantly so."""
    if held.metric != CALIBRATION or finding.interval is None:
        return held.worse
    return held.excludes(finding.facts["ratio"], finding.interval)
