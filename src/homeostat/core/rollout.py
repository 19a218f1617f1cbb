"""A challenger beside the champion: who it answers, and after each step whether it goes on, waits or is taken back.

Errors, latency and the distribution of the scores are looked at from the first minute, so that what is broken is taken
back at once; losses only when the step has had its time, so that chance is not asked again and again.
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

from homeostat.core.drift import column_outcome
from homeostat.core.evaluation import Comparison
from homeostat.core.findings import Decision, Finding, Outcome
from homeostat.core.metrics import Array

ROLLOUT = "rollout"  # the kind of alert that a challenger taken back, or stuck, is
SLOW = 0.95  # the share of answers that have to come in time
TOO_FEW: Outcome = "too few to say"


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
    """What one version did in a step: the ``events`` that it scored, each once, and what the service asked of it.

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
class Seen:
    """What was measured in a step; ``share`` is None for a shadow.

    ``drift``: by objective the record of the challenger's scores against the champion's of the same time, where the two
    can be compared; ``quality``: by objective the challenger's loss against the champion's on matured events.
    ``unloaded``: why workers could not load the challenger.
    """

    champion: Arm
    challenger: Arm
    share: float | None
    elapsed: timedelta
    drift: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quality: Mapping[str, Comparison] = field(default_factory=dict)
    unloaded: tuple[str, ...] = ()


def in_canary(unit: Sequence[Any], salt: str, share: float) -> bool:
    """Whether the challenger answers for ``unit``: an event's key, or the keys of a list that is answered as one.

    It follows from the unit and the salt alone, so every worker says the same, and who is in at a share is in at every
    larger one. The salt is the challenger's own, so that it is not always the same keys that go first.

    >>> in_canary(["a", 1], "salt", 1.0), in_canary(["a", 1], "salt", 0.0)
    (True, False)
    """
    said = json.dumps([salt, *unit], default=str)
    place = int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")
    return place < share * 2.0**64


def next_share(steps: Sequence[float], share: float | None) -> float | None:
    """The share of the next step; None: everything. A shadow is followed by everything.

    >>> next_share([0.05, 0.25], 0.05), next_share([0.05, 0.25], 0.25), next_share([0.05], None)
    (0.25, None, None)
    """
    return None if share is None else next((step for step in steps if step > share), None)


def decide_step(seen: Seen, limits: RolloutLimits, not_worse: float, confidence: float, evidence: str) -> Decision:
    """Advance, hold or roll back; ``not_worse`` is the gate's own limit of the loss, ``evidence`` the record's path."""
    proofs = [enough_events(seen, limits.events)]
    proofs += [scores(seen, name, column, limits.score_drift) for name, column in seen.drift.items()]
    harms = [errors(seen, limits.errors, confidence), latency(seen, limits.latency, confidence)]
    harms += [loads(seen)] if seen.unloaded else []
    if seen.elapsed >= limits.hold:
        harms += [quality(seen, name, found, not_worse) for name, found in seen.quality.items()]
    findings = tuple(replace(f, evidence=evidence) for f in (*proofs, *harms))
    lacking = [f for f in proofs if f.outcome == TOO_FEW]
    if failed := [f for f in findings if f.failed]:
        return _decision("roll back", _taken_back(seen, failed), findings)
    if seen.elapsed < limits.hold or lacking:
        return _decision("hold", _held(seen, limits, lacking), findings)
    return _decision("advance", _advanced(seen, limits, findings), findings)


def stuck(decision: Decision, seen: Seen, limits: RolloutLimits) -> bool:
    """Whether a step has waited beyond patience for events that do not come."""
    return decision.action == "hold" and seen.elapsed >= limits.patience


def enough_events(seen: Seen, least: int) -> Finding:
    """As many events as the step needs were scored by the challenger."""
    found = seen.challenger.events
    said = f"{seen.challenger.version} scored {found:,} events, of {least:,} needed"
    return Finding(_rule(seen, "enough events"), "pass" if found >= least else TOO_FEW, found, least, said)


def loads(seen: Seen) -> Finding:
    """Whoever should answer by the challenger could load it."""
    said = f"{len(seen.unloaded)} times {seen.challenger.version} could not be loaded: {seen.unloaded[0]}"
    return Finding(_rule(seen, "loads"), "fail", float(len(seen.unloaded)), 0.0, said)


def errors(seen: Seen, limit: float, confidence: float) -> Finding:
    """The share of requests that the challenger fails lies at most ``limit`` above the champion's, beyond chance.

    Chance: the lower end of the score interval (Wilson, 1927, Journal of the American Statistical Association 22).
    """
    ours, theirs = seen.challenger, seen.champion
    rule = _rule(seen, "errors")
    if not ours.requests:
        return Finding(rule, TOO_FEW, None, limit, f"{ours.version} was asked by no request")
    share = ours.failures / ours.requests
    other = theirs.failures / theirs.requests if theirs.requests else 0.0
    said = f"{ours.version} failed {ours.failures:,} of {ours.requests:,} requests ({share:.1%})"
    said += f", {theirs.version} {theirs.failures:,} of {theirs.requests:,}" if theirs.requests else ""
    fails = _wilson_low(ours.failures, ours.requests, confidence) > other + limit
    said += f": over the limit of {limit:.1%} more" if fails else ""
    return Finding(rule, "fail" if fails else "pass", round(share - other, 6), limit, said)


def latency(seen: Seen, limit: float, confidence: float) -> Finding:
    """Nineteen of twenty answers come within ``limit`` seconds, or no later than the champion's; beyond chance.

    Chance: order statistics around the quantile, by the normal limit of the binomial (Conover, 1999, Practical
    Nonparametric Statistics, chapter 3).
    """
    rule = _rule(seen, "latency")
    ours, theirs = (_quantile(arm.seconds, confidence) for arm in (seen.challenger, seen.champion))
    if ours is None:
        return Finding(rule, TOO_FEW, None, limit, f"{seen.challenger.version} answered too few requests to time")
    value, low, _ = ours
    said = f"95% of {seen.challenger.version}'s answers come within {1000 * value:.3g} ms"
    said += f", of {seen.champion.version}'s within {1000 * theirs[0]:.3g} ms" if theirs else ""
    fails = low > limit and (theirs is None or low > theirs[2])
    said += f": over the limit of {1000 * limit:.3g} ms" if fails else ""
    return Finding(rule, "fail" if fails else "pass", value, limit, said)


def scores(seen: Seen, objective: str, column: Mapping[str, Any], limit: float) -> Finding:
    """The challenger's scores are distributed as the champion's of the same time, within the limit."""
    rule = _rule(seen, f"{objective} scores")
    ours, theirs = seen.challenger.version, seen.champion.version
    outcome, score = column_outcome(column, limit), column["score"]
    if score is None or outcome == TOO_FEW:
        if outcome == "fail":
            return Finding(rule, outcome, None, limit, f"{ours} gives no usable score of {objective}")
        return Finding(rule, TOO_FEW, score, limit, f"too few scores of {objective} to compare {ours} with {theirs}")
    said = f"the scores of {objective} by {ours} lie {score:.2f} from {theirs}'s of the same time ({column['method']})"
    said += f", over the limit of {limit:g}" if outcome == "fail" else f", within {limit:g}"
    return Finding(rule, outcome, score, limit, said)


def quality(seen: Seen, objective: str, found: Comparison, limit: float) -> Finding:
    """The challenger's loss lies at most ``limit`` above the champion's on matured events, but for chance."""
    rule, all_rows = _rule(seen, f"{objective} loss"), found.overall
    share = all_rows.share
    if share.value is None or share.low is None or all_rows.loss is None or all_rows.other_loss is None:
        said = f"{all_rows.rows:,} matured events of {objective} are too few to compare losses"
        return Finding(rule, TOO_FEW, share.value, limit, said)
    side = "above" if share.value > 0 else "below"
    said = f"{found.loss} of {objective} by {seen.challenger.version} is {all_rows.loss:.4g}, {abs(share.value):.1%} "
    said += f"{side} {seen.champion.version}'s {all_rows.other_loss:.4g} on {all_rows.rows:,} matured events"
    fails = share.value > limit and share.low > 0
    if fails:
        said += f": more than chance explains ({limit:.1%} above is allowed)"
    elif share.value > limit:
        said += ", which chance explains"
    return Finding(rule, "fail" if fails else "pass", share.value, limit, said)


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


def _taken_back(seen: Seen, failed: Sequence[Finding]) -> str:
    said = "; ".join(f.sentence for f in failed)
    return f"Take {seen.challenger.version} back ({_place(seen)}), {seen.champion.version} serves everything: {said}"


def _held(seen: Seen, limits: RolloutLimits, lacking: Sequence[Finding]) -> str:
    said = f"Hold {seen.challenger.version} ({_place(seen)}): "
    if seen.elapsed < limits.hold:
        return f"{said}its step has had {_span(seen.elapsed)} of {_span(limits.hold)}"
    said += f"not enough yet, {lacking[0].sentence}"
    if seen.elapsed < limits.patience:
        return said
    return f"{said}; it has been so for {_span(seen.elapsed)}: promote it, or roll back to end this"


def _advanced(seen: Seen, limits: RolloutLimits, findings: Sequence[Finding]) -> str:
    share, ours = next_share(limits.steps, seen.share), seen.challenger.version
    said = "; ".join(f.sentence for f in findings if f.outcome == "pass")
    if share is None:
        return f"{ours} serves everything in place of {seen.champion.version}: {said}"
    return f"Go on with {ours}, from {_place(seen)} to {100 * share:g}% of keys: {said}"


def _rule(seen: Seen, what: str) -> str:
    return f"{seen.challenger.version}: {what}"


def _place(seen: Seen) -> str:
    return "in shadow" if seen.share is None else f"{100 * seen.share:g}% of keys"


def _span(length: timedelta) -> str:
    """A length as a person says it.

    >>> _span(timedelta(hours=36)), _span(timedelta(minutes=5))
    ('36 h', '5 min')
    """
    hours = length.total_seconds() / 3600
    if hours >= 72:
        return f"{hours / 24:.3g} days"
    return f"{hours:.3g} h" if hours >= 1 else f"{60 * hours:.3g} min"


def _decision(action: Any, sentence: str, findings: tuple[Finding, ...]) -> Decision:
    paths = tuple(dict.fromkeys(f.evidence for f in findings if f.evidence))
    return Decision(action, f"{sentence}.", findings, paths)
