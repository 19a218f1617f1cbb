"""The release gate: what a candidate must pass to be released. It answers with findings, not with a boolean.

There are two kinds of release. One by the champion's own recipe, on newer data, must not be worse: the upper end of its
loss difference lies below a margin. One by another recipe must be better as well, on one endpoint. Each objective and
each slice is a guard rail that has to hold by itself, so none is corrected for the others (intersection-union test:
Berger, 1982, Technometrics 24). What cannot be judged is no proof: the champion stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from homeostat.core.behaviour import EXPECTED
from homeostat.core.findings import CANNOT_JUDGE, EXPLAINS, TOO_FEW, Decision, Finding, Interval, Outcome, objections
from homeostat.core.margins import Margin
from homeostat.core.paired_losses import FEWEST_GROUPS, Paired, pool, shrunk, surely_above
from homeostat.core.rules import Reason, Rule

if TYPE_CHECKING:
    from homeostat.core.behaviour import Behaviour
    from homeostat.core.costs import Money
    from homeostat.core.evaluation import Comparison, Evaluation

SHARP = 3.0  # times that the half width of a slice's CI has room in its limit
MONEY, WEIGHTED_LOSS = "cost of 1,000 events", "weighted loss"  # endpoints
GOOD_AUC = 0.98  # from which a model of people's tables has a leak more often than not
GOOD_SHARE = 0.9  # of the baseline's loss, likewise


class ReleaseLimits(Protocol):
    """Shares; see ``release`` in the scope."""

    @property
    def beats_baseline(self) -> float: ...

    @property
    def slice_not_worse(self) -> float: ...

    @property
    def calibration(self) -> float: ...


@dataclass(frozen=True)
class PairedObjective:
    """One objective of the candidate against the champion's: overall, and by column and value of each slice.

    ``calibration`` is the champion's predicted/observed ratio on the same rows.
    """

    loss: str
    overall: Paired
    slices: Mapping[str, Mapping[str, Paired]] = field(default_factory=dict)
    calibration: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """What a candidate of another recipe must be better on: ``MONEY``, or the ``WEIGHTED_LOSS`` against a baseline.

    ``refit`` is by what share the champion's models in service lie above its judged ones, and ``share`` by what share
    the candidate does, on rows that trained none of them; None where there are too few.
    """

    name: str
    paired: Paired
    refit: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class BesideChampion:
    """The judged models of candidate and champion on held-out rows in (since, until) that trained neither.

    ``endpoint`` is None for a candidate of the champion's recipe. ``recipes`` names the two recipes: comparisons of the
    same two are pooled where one says too little. ``same_models``: they are the same, byte for byte, so that there is
    nothing to compare.
    """

    champion: str
    since: datetime
    until: datetime
    objectives: Mapping[str, PairedObjective] = field(default_factory=dict)
    margins: Mapping[str, Margin] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    recipes: str = ""
    same_models: bool = False


def decide_release(
    candidate: Mapping[str, Evaluation],
    baseline: Mapping[str, Comparison],
    beside: BesideChampion | None,
    limits: ReleaseLimits,
    is_baseline: bool,
    confidence: float,
    earlier: Iterable[Finding] = (),
    more: Iterable[Finding] = (),
) -> Decision:
    """Release only if every rule passes; the findings are kept either way.

    The mappings are by objective; ``baseline`` compares the candidate with its own baseline on the holdout. ``beside``
    is None where nothing is in service, or nothing that predicts the same objectives. ``is_baseline``: the candidate is
    the baseline, which need not beat itself. ``confidence`` is that of every interval; ``earlier`` are the findings of
    earlier gates, the newest last; ``more`` those of rules that the scope or behavioural tests add.
    """
    findings: list[Finding] = []
    for name, evaluation in candidate.items():
        findings.append(enough_rows(evaluation))
        if not is_baseline:
            findings.append(beats_baseline(name, baseline[name], limits, confidence))
    if beside is not None:
        findings += against_champion(beside, limits, confidence, tuple(earlier))
    for name, evaluation in candidate.items():
        if evaluation.task != "ranking":  # its scores order and measure nothing
            theirs = beside.objectives.get(name) if beside is not None else None
            findings.append(calibrated(evaluation, theirs.calibration if theirs else None, limits, confidence))
    findings += more
    if is_baseline and beside is None:
        return Decision("release", Reason.FIRST, findings=tuple(findings))
    if not objections(findings):
        return Decision("release", Reason.PASSED, findings=tuple(findings))
    failed = any(f.failed for f in findings)
    return Decision("keep", Reason.FAILED if failed else Reason.CANNOT_JUDGE, findings=tuple(findings))


def against_champion(
    beside: BesideChampion, limits: ReleaseLimits, confidence: float, earlier: tuple[Finding, ...]
) -> list[Finding]:
    """Whether it is better where it has to be, and worse nowhere."""
    if beside.same_models:
        return [Finding(Rule.SAME_MODEL, "", CANNOT_JUDGE, facts={"champion": beside.champion})]
    findings = [] if beside.endpoint is None else [better(beside, beside.endpoint, confidence, earlier)]
    for name, objective in beside.objectives.items():
        findings += [
            not_worse_than_champion(name, objective, beside, confidence, earlier),
            no_slice_gets_worse(name, objective, limits, confidence),
        ]
    return findings


def unjudged(decisions: Sequence[Decision], limit: int) -> Finding:
    """How many candidates in a row could not be judged; after ``limit`` a person is asked. ``decisions``: in order."""
    row = list(takewhile(lambda decision: decision.reason == Reason.CANNOT_JUDGE, reversed(decisions)))
    facts = {"lacking": [f.name for f in objections(row[0].gate)]} if row else {}
    return Finding(
        Rule.UNJUDGED, "", "fail" if len(row) >= limit else "pass", float(len(row)), float(limit), facts=facts
    )


def enough_rows(evaluation: Evaluation) -> Finding:
    """As many held-out events as a slice needs to be judged."""
    rows, least = evaluation.overall.rows, evaluation.min_rows
    outcome: Outcome = "pass" if rows >= least else CANNOT_JUDGE
    return Finding(Rule.ENOUGH_ROWS, evaluation.objective, outcome, float(rows), float(least), rows=rows)


def beats_baseline(objective: str, against: Comparison, limits: ReleaseLimits, confidence: float) -> Finding:
    """The loss lies the limit's share below the baseline's; ``value`` is the share that it lies below."""
    part, limit = against.overall, limits.beats_baseline
    share, outcome = part.share.value, CANNOT_JUDGE
    if share is not None:
        outcome = "pass" if -share >= limit else "fail"
    return Finding(
        Rule.BEATS_BASELINE, objective, outcome, None if share is None else 0.0 - share, limit,
        Interval.of(part.share, confidence), rows=part.rows,
        facts={"loss": against.loss, "value": part.loss, "other": part.other_loss, "share": share},
    )  # fmt: skip


def better(beside: BesideChampion, endpoint: Endpoint, confidence: float, earlier: tuple[Finding, ...]) -> Finding:
    """The endpoint lies significantly below the champion's, and further than the champion's own two models differ."""
    finding = _paired(Rule.BETTER, "", endpoint.name, endpoint.paired, Margin(0.0), beside, confidence, earlier)
    refit, share = endpoint.refit, endpoint.share
    if refit is None or share is None:
        return finding
    no_gain = finding.outcome == "pass" and -share <= abs(refit)
    facts = {**finding.facts, "refit": refit, "beside_refit": share, "no_gain": no_gain}
    return replace(finding, outcome="fail" if no_gain else finding.outcome, facts=facts)


def not_worse_than_champion(
    objective: str, paired: PairedObjective, beside: BesideChampion, confidence: float, earlier: tuple[Finding, ...]
) -> Finding:
    """The upper end of the loss, as a share above the champion's on the same rows, lies below the margin."""
    margin = beside.margins[objective]
    return _paired(Rule.NOT_WORSE, objective, paired.loss, paired.overall, margin, beside, confidence, earlier)


def _paired(
    rule: Rule, subject: str, loss: str, paired: Paired, margin: Margin, beside: BesideChampion, confidence: float,
    earlier: tuple[Finding, ...],
) -> Finding:  # fmt: skip
    """Significantly below the margin, significantly above no difference, or neither: then it cannot be judged."""
    alike = _alike(rule, subject, beside, earlier)
    before = [group for f in alike for group in f.facts["groups"]] if len(paired.groups) < FEWEST_GROUPS else []
    paired = pool(paired, before, confidence)
    outcome, refits = _outcome(paired, margin), 0
    if rule == Rule.NOT_WORSE and outcome == CANNOT_JUDGE:
        shares = [f.value for f in alike if f.value is not None]
        drawn = shrunk(paired, shares, confidence)
        if _outcome(drawn, margin) == "pass":
            paired, outcome, refits = drawn, "pass", len(shares)
    facts = {
        "loss": loss, "value": paired.loss, "other": paired.other_loss, "share": paired.share,
        "windows": margin.windows, "groups": list(paired.groups), "needed": FEWEST_GROUPS, "pooled": len(before),
        "refits": refits, "recipes": beside.recipes,
        "since": beside.since.isoformat(), "until": beside.until.isoformat(),
    }  # fmt: skip
    return Finding(
        rule, subject, outcome, paired.share, margin.share, Interval.one_sided(paired, confidence),
        rows=paired.rows, facts=facts,
    )  # fmt: skip


def _outcome(paired: Paired, margin: Margin) -> Outcome:
    if paired.low is None or paired.high is None:
        return CANNOT_JUDGE
    if paired.high < margin.share and (paired.share or 0.0) <= margin.share:
        return "pass"
    return "fail" if paired.low > 0 else CANNOT_JUDGE


def _alike(rule: Rule, subject: str, beside: BesideChampion, earlier: tuple[Finding, ...]) -> list[Finding]:
    """Earlier comparisons of the same two recipes, on rows before these; of those that overlap, the newest."""
    alike: list[Finding] = []
    begin = beside.since
    for finding in reversed(earlier):
        facts = finding.facts
        same = (finding.rule, finding.subject, facts.get("recipes")) == (rule, subject, beside.recipes)
        if same and datetime.fromisoformat(facts["until"]) <= begin:
            alike = [finding, *alike]
            begin = datetime.fromisoformat(facts["since"])
    return alike


def no_slice_gets_worse(
    objective: str, paired: PairedObjective, limits: ReleaseLimits, confidence: float
) -> Finding:
    """No slice is worse by the limit's share.

    A slice is judged where its CI above the value is narrower than a third of the limit: there the upper end has to lie
    below it, and one that is no worse fails by chance once in hundreds. Any other slice is an objection only if it is
    worse by more than the limit, significantly after correction for the number of slices.
    """
    limit = limits.slice_not_worse
    slices = [(column, value, one) for column, values in paired.slices.items() for value, one in values.items()]
    measured = [(*one, one[2].share) for one in slices if one[2].high is not None and one[2].share is not None]
    judged = [one for one in measured if _sharp(one[2], limit)]
    worse = [one for one in measured if _gets_worse(one[2], limit, confidence, len(measured))]
    if not judged and not worse:
        return Finding(Rule.SLICES, objective, TOO_FEW, None, limit, facts={"slices": len(slices)})
    column, value, part, share = max(worse or judged, key=lambda one: one[3])
    facts = {"loss": paired.loss, "column": column, "slice": value, "judged": len(judged), "worse": len(worse)}
    return Finding(
        Rule.SLICES, objective, "fail" if worse else "pass", share, limit, Interval.one_sided(part, confidence),
        rows=part.rows, facts=facts,
    )  # fmt: skip


def _sharp(paired: Paired, limit: float) -> bool:
    """Whether the CI above the value is narrower than a third of the limit."""
    assert paired.share is not None and paired.high is not None
    return SHARP * (paired.high - paired.share) < limit


def _gets_worse(paired: Paired, limit: float, confidence: float, among: int) -> bool:
    assert paired.share is not None and paired.high is not None
    if _sharp(paired, limit):
        return paired.high >= limit
    return paired.share > limit and surely_above(paired, confidence, among)


def calibrated(
    evaluation: Evaluation, theirs: float | None, limits: ReleaseLimits, confidence: float
) -> Finding:
    """The mean score is within the limit's share of the label rate, or not significantly off, or it only improves.

    A candidate no further off than the champion, whose ratio on the same rows is ``theirs``, passes.
    """
    limit, ratio = limits.calibration, evaluation.metric("calibration")
    facts: dict[str, object] = {"ratio": ratio.value}
    off = None if ratio.value is None else abs(ratio.value - 1)
    outcome: Outcome = "pass"
    if off is None:
        outcome = TOO_FEW
    elif off > limit:
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


def pays(candidate: Money, baseline: Money, confidence: float) -> Finding:
    """What the alerts of held-out events cost, against the baseline's: they fail where the intervals lie apart."""
    cost, other = candidate.cost, baseline.cost
    if cost.value is None or other.value is None:
        return Finding(Rule.PAYS, "", CANNOT_JUDGE, rows=candidate.rows)
    worse = cost.low is not None and other.high is not None and cost.low > other.high
    share = (cost.value - other.value) / other.value if other.value else float(cost.value > 0)
    facts = {"cost": cost.value, "other": other.value, "confidence": confidence}
    return Finding(Rule.PAYS, "", "fail" if worse else "pass", share, 0.0, rows=candidate.rows, facts=facts)


def behaviour_finding(result: Behaviour) -> Finding:
    """A test as a finding: a critical one that does not hold stops the release, a warning explains."""
    outcome: Outcome = TOO_FEW if not result.rows else "pass" if result.holds else "fail"
    if outcome == "fail" and result.severity == "warning":
        outcome = EXPLAINS
    value = result.broken / result.rows if result.rows else None
    facts = {"test": result.test, "reason": result.reason, "broken": result.broken, "worst": result.worst,
             "expected": EXPECTED[result.expected].format(result.bound)}  # fmt: skip
    return Finding(Rule.BEHAVIOUR, result.objective, outcome, value, result.share, rows=result.rows, facts=facts)
