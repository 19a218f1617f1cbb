"""The release gate: what a candidate must pass to be released. It answers with findings, not with a boolean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from homeostat.core.findings import TOO_FEW, Decision, Finding, Interval, Outcome
from homeostat.core.rules import Reason, Rule

if TYPE_CHECKING:
    from homeostat.core.evaluation import Compared, Comparison, Evaluation

GOOD_AUC = 0.98  # from which a model of people's tables has a leak more often than not
GOOD_SHARE = 0.9  # of the baseline's loss, likewise
PROOFS = frozenset({Rule.ENOUGH_ROWS, Rule.BEATS_BASELINE, Rule.NOT_WORSE})  # too few rows to say fails these


class ReleaseLimits(Protocol):
    """Shares; see ``release`` in the scope."""

    @property
    def beats_baseline(self) -> float: ...

    @property
    def not_worse(self) -> float: ...

    @property
    def slice_not_worse(self) -> float: ...

    @property
    def calibration(self) -> float: ...


def decide_release(
    candidate: Mapping[str, Evaluation],
    baseline: Mapping[str, Comparison],
    champion: Mapping[str, Comparison] | None,
    limits: ReleaseLimits,
    is_baseline: bool,
    confidence: float,
) -> Decision:
    """Release only if every rule passes; the findings are kept either way.

    All mappings are by objective; the comparisons are of the candidate against the baseline and against the champion
    on the same rows; an objective that the champion does not have is compared with the baseline alone. The champion
    is None where nothing is in service. ``is_baseline``: the candidate is the baseline, which need not beat itself.
    ``confidence`` is that of every interval. Too few rows to say stops a candidate where it must prove itself, not
    where it must do no harm.
    """
    proofs: list[Finding] = []
    harms: list[Finding] = []
    for name, evaluation in candidate.items():
        against = champion.get(name) if champion is not None else None
        proofs.append(enough_rows(evaluation))
        if not is_baseline:
            proofs.append(beats_baseline(name, baseline[name], limits, confidence))
        if against is not None:
            proofs.append(not_worse_than_champion(name, against, limits, confidence))
            harms.append(no_slice_gets_worse(name, against, limits, confidence))
        if evaluation.task != "ranking":  # its scores order and measure nothing
            harms.append(calibrated(evaluation, against, limits, confidence))
    findings = (*proofs, *harms)
    if is_baseline and champion is None:
        return Decision("release", Reason.FIRST, findings=findings)
    if objections(findings):
        return Decision("keep", Reason.FAILED, findings=findings)
    return Decision("release", Reason.PASSED, findings=findings)


def objections(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings for which a candidate is not released.

    >>> unsure = [Finding(rule, "demand", "too few to say") for rule in (Rule.BEATS_BASELINE, Rule.SLICES)]
    >>> [f.name for f in objections(unsure)]
    ['demand: beats baseline']
    """
    return tuple(f for f in findings if f.failed or (f.rule in PROOFS and f.outcome == TOO_FEW))


def enough_rows(evaluation: Evaluation) -> Finding:
    """As many held-out events as a slice needs to be judged."""
    rows, least = evaluation.overall.rows, evaluation.min_rows
    outcome: Outcome = "pass" if rows >= least else TOO_FEW
    return Finding(Rule.ENOUGH_ROWS, evaluation.objective, outcome, float(rows), float(least), rows=rows)


def beats_baseline(objective: str, against: Comparison, limits: ReleaseLimits, confidence: float) -> Finding:
    """The loss lies the limit's share below the baseline's; ``value`` is the share that it lies below."""
    share, limit = against.overall.share.value, limits.beats_baseline
    if share is None:
        return _compared(Rule.BEATS_BASELINE, objective, TOO_FEW, None, limit, against, confidence)
    outcome: Outcome = "pass" if -share >= limit else "fail"
    return _compared(Rule.BEATS_BASELINE, objective, outcome, 0.0 - share, limit, against, confidence)


def not_worse_than_champion(objective: str, against: Comparison, limits: ReleaseLimits, confidence: float) -> Finding:
    """The loss lies at most the limit's share above the champion's on the same rows, or not significantly above it."""
    part = against.overall
    share, limit = part.share.value, limits.not_worse
    outcome: Outcome = "pass"
    if share is None:
        outcome = TOO_FEW
    elif share > limit and (_significant(part) or part.share.low is None):
        outcome = "fail"
    return _compared(Rule.NOT_WORSE, objective, outcome, share, limit, against, confidence)


def no_slice_gets_worse(objective: str, against: Comparison, limits: ReleaseLimits, confidence: float) -> Finding:
    """In no slice does the loss rise significantly by more than the limit's share.

    Not significant: the interval of the share reaches down to no change at all.
    """
    limit = limits.slice_not_worse
    parts = [(c, v, part) for c, values in against.slices.items() for v, part in values.items()]
    judged = [(c, v, part, part.share.value) for c, v, part in parts if part.share.value is not None]
    if not judged:
        few = {"slices": len(parts), "least": against.min_rows}
        return Finding(Rule.SLICES, objective, TOO_FEW, None, limit, facts=few)
    worse = [one for one in judged if one[3] > limit and _significant(one[2])]
    column, value, part, share = max(worse or judged, key=lambda one: one[3])
    facts = {"loss": against.loss, "column": column, "slice": value, "judged": len(judged), "worse": len(worse)}
    return Finding(
        Rule.SLICES, objective, "fail" if worse else "pass", share, limit, Interval.of(part.share, confidence),
        rows=part.rows, facts=facts,
    )  # fmt: skip


def calibrated(
    evaluation: Evaluation, champion: Comparison | None, limits: ReleaseLimits, confidence: float
) -> Finding:
    """The mean score is within the limit's share of the label rate, or not significantly off, or it only improves.

    A candidate no further off than the champion on the same rows passes.
    """
    limit, ratio = limits.calibration, evaluation.metric("calibration")
    facts: dict[str, object] = {"ratio": ratio.value}
    off = None if ratio.value is None else abs(ratio.value - 1)
    outcome: Outcome = "pass"
    if off is None:
        outcome = TOO_FEW
    elif off > limit:
        theirs = champion.overall.other_calibration if champion is not None else None
        if ratio.low is None or ratio.high is None:
            outcome = TOO_FEW
        elif ratio.low > 1 + limit or ratio.high < 1 - limit:
            outcome = "fail"
            if theirs is not None and off <= abs(theirs - 1):
                outcome, facts["champion"] = "pass", theirs
    return Finding(
        Rule.HELD_OUT_CALIBRATION, evaluation.objective, outcome, None if outcome == TOO_FEW else off, limit,
        Interval.of(ratio, confidence), rows=evaluation.overall.rows, facts=facts,
    )  # fmt: skip


def too_good(evaluation: Evaluation, against: Comparison) -> Finding | None:
    """A candidate that is better than honest models are: what it rests on may be known only afterwards.

    It stops nothing by itself.
    """
    part, facts = against.overall, {"loss": against.loss}
    auc = evaluation.metric("auc").value if evaluation.task == "binary" else None
    if auc is not None and auc > GOOD_AUC:
        return Finding(Rule.TOO_GOOD, evaluation.objective, "explains", auc, GOOD_AUC, rows=part.rows,
                       facts=facts | {"metric": "auc"})  # fmt: skip
    if part.share.value is not None and part.share.value < -GOOD_SHARE:
        facts |= {"metric": against.loss}
        value = -part.share.value
        return Finding(Rule.TOO_GOOD, evaluation.objective, "explains", value, GOOD_SHARE, rows=part.rows, facts=facts)
    return None


def _compared(
    rule: Rule, objective: str, outcome: Outcome, value: float | None, limit: float, against: Comparison,
    confidence: float,
) -> Finding:  # fmt: skip
    part = against.overall
    facts = {"loss": against.loss, "value": part.loss, "other": part.other_loss, "share": part.share.value}
    interval = Interval.of(part.share, confidence)
    return Finding(rule, objective, outcome, value, limit, interval, rows=part.rows, facts=facts)


def _significant(part: Compared) -> bool:
    return part.share.low is not None and part.share.low > 0
