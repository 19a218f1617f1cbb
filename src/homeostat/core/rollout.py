"""A challenger beside the champion: who it answers, and after each step whether it goes on, waits or is taken back.

Errors, latency and the distribution of the scores are evaluated from the first minute, so that a broken challenger is
taken back at once; losses only when the step has had its time, so that one test does not become many. Before that a
confidence sequence, which may be looked at as often as one likes, takes back what is surely worse.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np

from homeostat.core.confidence_sequence import Bounds
from homeostat.core.drift import column_outcome
from homeostat.core.evaluation import Comparison
from homeostat.core.findings import TOO_FEW, Action, Decision, Finding, Interval, Outcome, Versions
from homeostat.core.metrics import Array
from homeostat.core.rules import Reason, Rule

SLOW = 0.95  # the share of answers that have to come in time


class RolloutLimits(Protocol):
    """See ``rollout`` in the scope; ``hold`` and ``patience`` are of one step."""

    @property
    def steps(self) -> Sequence[float]: ...
    @property
    def hold(self) -> timedelta: ...
    @property
    def patience(self) -> timedelta: ...
    @property
    def events(self) -> int: ...
    @property
    def errors(self) -> float: ...
    @property
    def latency(self) -> float: ...
    @property
    def score_drift(self) -> float: ...


@dataclass(frozen=True)
class Arm:
    """What one version did in a step: the ``events`` that it scored, each once, and the requests to it.

    ``failures`` are requests that it could not answer, ``seconds`` (n,) the times of those that it could.
    """

    version: str
    events: int = 0
    failures: int = 0
    seconds: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def requests(self) -> int:
        return self.failures + len(self.seconds)


@dataclass(frozen=True)
class Measured:
    """What was measured in a step; ``share`` is None for a shadow.

    ``drift``: by objective the record of the challenger's scores against the champion's of the same time, where the two
    can be compared; ``quality``: by objective the challenger's loss against the champion's on mature events.
    ``harm``: by objective how far its squared error lies above the champion's in this step, where enough has matured.
    ``unloaded``: why workers could not load the challenger.
    """

    champion: Arm
    challenger: Arm
    share: float | None
    elapsed: timedelta
    drift: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quality: Mapping[str, Comparison] = field(default_factory=dict)
    unloaded: tuple[str, ...] = ()
    harm: Mapping[str, Bounds] = field(default_factory=dict)


def in_canary(unit: Sequence[Any], salt: str, share: float) -> bool:
    """Whether the challenger answers for ``unit``: an event's key, or the keys of a list that is answered as one.

    It follows from the unit and the salt alone, so every worker decides the same, and a unit that is in at a share is
    in at every larger one. The salt is the challenger's own, so that it is not always the same keys that go first.

    >>> in_canary(["a", 1], "salt", 1.0), in_canary(["a", 1], "salt", 0.0)
    (True, False)
    """
    text = json.dumps([salt, *unit], default=str)
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return place < share * 2.0**64


def next_share(steps: Sequence[float], share: float | None) -> float | None:
    """The share of the next step; None: everything. A shadow is followed by everything.

    >>> next_share([0.05, 0.25], 0.05), next_share([0.05, 0.25], 0.25), next_share([0.05], None)
    (0.25, None, None)
    """
    return None if share is None else next((step for step in steps if step > share), None)


def decide_step(
    measured: Measured, limits: RolloutLimits, not_worse: float, confidence: float, evidence: str
) -> Decision:
    """Advance, hold or roll back; ``not_worse`` is the gate's own limit of the loss, ``evidence`` the record's path."""
    proofs = [enough_events(measured, limits.events)]
    proofs += [scores(name, column, limits.score_drift) for name, column in measured.drift.items()]
    harms = [errors(measured, limits.errors, confidence), latency(measured, limits.latency, confidence)]
    harms += [loads(measured)] if measured.unloaded else []
    harms += [surely_worse(name, bounds, confidence) for name, bounds in measured.harm.items()]
    if measured.elapsed >= limits.hold:
        harms += [loss(name, compared, not_worse, confidence) for name, compared in measured.quality.items()]
    findings = tuple(replace(f, evidence=(evidence,)) for f in (*proofs, *harms))
    action: Action = "advance"
    if any(f.failed for f in findings):
        action = "roll back"
    elif measured.elapsed < limits.hold or any(f.outcome == TOO_FEW for f in proofs):
        action = "hold"
    return Decision(
        action, REASONS[action], Versions(measured.champion.version, candidate=measured.challenger.version), findings,
        evidence=(evidence,), facts=_step(measured, limits, action),
    )  # fmt: skip


REASONS = {"advance": Reason.STEP_PASSED, "hold": Reason.STEP_WAITS, "roll back": Reason.STEP_FAILED}


def _step(measured: Measured, limits: RolloutLimits, action: Action) -> dict[str, Any]:
    """The facts of a step; lengths in seconds. ``stuck``: it has waited beyond patience for events that do not come."""
    return {
        "share": measured.share,
        "next": next_share(limits.steps, measured.share) if action == "advance" else None,
        "elapsed": measured.elapsed.total_seconds(),
        "hold": limits.hold.total_seconds(),
        "stuck": action == "hold" and measured.elapsed >= limits.patience,
    }


def rollout_alarm(decision: Decision | None) -> Finding:
    """What alerts: a challenger that was taken back, or that waits for events beyond patience."""
    failed = [f.name for f in decision.findings if f.failed] if decision else []
    if decision is None or not (failed or decision.facts.get("stuck")):
        return Finding(Rule.ROLLOUT, "", "pass")
    facts = {"action": decision.action, "champion": decision.versions.champion, "failed": failed}
    return Finding(
        Rule.ROLLOUT, decision.versions.candidate, "fail", facts=facts | {"elapsed": decision.facts.get("elapsed")},
        evidence=decision.evidence,
    )  # fmt: skip


def enough_events(measured: Measured, least: int) -> Finding:
    """As many events as the step needs were scored by the challenger."""
    events = measured.challenger.events
    return Finding(Rule.ENOUGH_EVENTS, "", "pass" if events >= least else TOO_FEW, events, least)


def loads(measured: Measured) -> Finding:
    """Every worker that should answer by the challenger could load it."""
    facts = {"first": measured.unloaded[0]}
    return Finding(Rule.LOADS, "", "fail", float(len(measured.unloaded)), 0.0, facts=facts)


def errors(measured: Measured, limit: float, confidence: float) -> Finding:
    """The share of requests that the challenger fails is not significantly more than ``limit`` above the champion's.

    Significant: by the lower end of the score interval (Wilson, 1927, Journal of the American Statistical Association
    22).
    """
    ours, theirs = measured.challenger, measured.champion
    if not ours.requests:
        return Finding(Rule.ERRORS, "", TOO_FEW, None, limit)
    share = ours.failures / ours.requests
    other = theirs.failures / theirs.requests if theirs.requests else 0.0
    fails = _wilson_low(ours.failures, ours.requests, confidence) > other + limit
    facts = {"failures": ours.failures, "champion": [theirs.failures, theirs.requests]}
    outcome: Outcome = "fail" if fails else "pass"
    return Finding(Rule.ERRORS, "", outcome, round(share - other, 6), limit, rows=ours.requests, facts=facts)


def latency(measured: Measured, limit: float, confidence: float) -> Finding:
    """Nineteen of twenty answers come within ``limit`` seconds, or not significantly later than the champion's.

    Significant: by order statistics around the quantile, by the normal limit of the binomial (Conover, 1999, Practical
    Nonparametric Statistics, chapter 3).
    """
    ours, theirs = (_quantile(arm.seconds, confidence) for arm in (measured.challenger, measured.champion))
    answers = len(measured.challenger.seconds)
    if ours is None:
        return Finding(Rule.LATENCY, "", TOO_FEW, None, limit, rows=answers)
    value, low, high = ours
    outcome: Outcome = "fail" if low > limit and (theirs is None or low > theirs[2]) else "pass"
    facts = {"share": SLOW, "champion": theirs[0] if theirs else None}
    interval = Interval(low, high, confidence)
    return Finding(Rule.LATENCY, "", outcome, value, limit, interval, rows=answers, facts=facts)


def scores(objective: str, column: Mapping[str, Any], limit: float) -> Finding:
    """The challenger's scores are distributed as the champion's of the same time, within the limit."""
    outcome, score = column_outcome(column, limit), column["score"]
    return Finding(Rule.SCORES, objective, outcome, score, limit, facts={"method": column["method"]})


def loss(objective: str, comparison: Comparison, limit: float, confidence: float) -> Finding:
    """The challenger's loss lies at most ``limit`` above the champion's on mature events, or not significantly."""
    part = comparison.overall
    share = part.share
    outcome: Outcome = "pass"
    if share.value is None or share.low is None or part.loss is None or part.other_loss is None:
        outcome = TOO_FEW
    elif share.value > limit and share.low > 0:
        outcome = "fail"
    facts = {"loss": comparison.loss, "value": part.loss, "other": part.other_loss}
    interval = Interval.of(share, confidence)
    return Finding(Rule.LOSS, objective, outcome, share.value, limit, interval, rows=part.rows, facts=facts)


def surely_worse(objective: str, bounds: Bounds, confidence: float) -> Finding:
    """The challenger's squared error is not above the champion's, by an interval that holds at every look at once.

    ``confidence`` is that of all intervals of a rollout together, of which ``bounds`` is one.
    """
    interval = Interval(bounds.low, bounds.high, confidence)
    outcome: Outcome = "fail" if bounds.low > 0 else "pass"
    return Finding(Rule.SURELY_WORSE, objective, outcome, bounds.value, 0.0, interval, rows=bounds.rows)


def _quantile(seconds: Array, confidence: float) -> tuple[float, float, float] | None:
    """The time within which ``SLOW`` of the answers came, and its interval; None where they are too few for one."""
    n = len(seconds)
    middle, reach = n * SLOW, _z(confidence) * sqrt(n * SLOW * (1 - SLOW))
    first, last = int(middle - reach), ceil(middle + reach)
    if first < 1 or last > n:
        return None
    ordered = np.sort(seconds)
    return float(ordered[ceil(middle) - 1]), float(ordered[first - 1]), float(ordered[last - 1])


def _wilson_low(failures: int, n: int, confidence: float) -> float:
    z, share = _z(confidence), failures / n
    return (share + z * z / (2 * n) - z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)) / (1 + z * z / n)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
