"""The referee between the actions: nothing, retrain, roll back or fall back to the baseline.

Findings are signs that something may be wrong and start a decision; the action follows from the evidence: the previous
version, a fresh candidate and the baseline, judged on the same mature events as the champion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import Action, Decision, Due, Finding, Interval, Option, Trigger, Versions, Versus
from homeostat.core.ledger import Ledger
from homeostat.core.options import option_of
from homeostat.core.rules import DRIFT, OUTCOMES, Reason, Rule

ByObjective = Mapping[str, Comparison]
ORDER = "auc"  # the metric that no change of level moves
OWN_FAULT = frozenset({Rule.QUALITY, Rule.AGAINST_BASELINE, Rule.SWITCH})  # signs that point at the champion itself


@dataclass(frozen=True)
class Bar:
    """Why a candidate may not be released by itself: ``version`` was made from the same, and taken out of service.

    ``until`` is None for one that was yanked, whose very bytes the candidate has: it is barred for good.
    """

    version: str
    at: datetime
    until: datetime | None = None
    who: str = ""
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        until = self.until.isoformat() if self.until else None
        return {"version": self.version, "at": self.at.isoformat(), "until": until, "who": self.who, "why": self.why}


@dataclass(frozen=True)
class Evidence:
    """What was measured for a decision; every comparison is over the same mature events, by objective.

    ``previous``: the previous healthy version against the champion; ``candidate_previous``: the candidate against the
    previous version. A share below zero: the first is better. ``gate`` has the fresh candidate against
    the champion, and names the version that the candidate was released as, if any. ``due``: why a candidate is due, if
    one is. ``barred``: why it may not be released by itself, if so. ``paths``: the records that the decision cites.
    ``tried``: the version that is being tried beside the champion, if one is. ``confidence`` is that of the intervals.
    ``recalibrated``: the gate of the champion's models with new calibrators, where only the level is off.
    ``options``: what each action is expected to cost; that of the baseline is there where a model is the champion.
    ``cooling``: a release was taken out of service less than a cool-down ago. ``spent``: how many candidates findings
    have asked for since the last change in service, where they may ask for no more; else 0. ``rests_until``: until
    when findings ask for none, since one has just been judged. ``waits``: an earlier decision waits for approval.
    """

    champion: str
    confidence: float
    paths: tuple[str, ...] = ()
    previous_version: str = ""
    previous: ByObjective = field(default_factory=dict)
    gate: Decision | None = None
    candidate_previous: ByObjective = field(default_factory=dict)
    due: Due | None = None
    barred: Bar | None = None
    tried: str = ""
    recalibrated: Decision | None = None
    options: tuple[Option, ...] = ()
    cooling: bool = False
    spent: int = 0
    rests_until: datetime | None = None
    waits: bool = False


@dataclass(frozen=True)
class Case:
    """All that a rule uses; ``roll_back`` is the share by which the previous version must be better."""

    findings: tuple[Finding, ...]
    evidence: Evidence
    roll_back: float

    @property
    def signs(self) -> tuple[Finding, ...]:
        """What failed and may start a decision."""
        return tuple(f for f in self.findings if alarming(f))

    @property
    def started(self) -> bool:
        """Whether there is anything to decide."""
        return bool(self.signs or self.evidence.due)

    @property
    def passed(self) -> bool:
        """The candidate passed its gate and nothing keeps it from being released."""
        return self.evidence.gate is not None and self.evidence.gate.action == "release" and not self.evidence.barred


def alarming(finding: Finding) -> bool:
    """Whether a finding is a sign of trouble; a single column's drift only explains one."""
    return finding.failed and finding.rule in DRIFT | OUTCOMES | {Rule.SWITCH}


def distrusts_labels(findings: Iterable[Finding]) -> bool:
    """Whether labels are in doubt: then nothing may learn from them, and no release is judged by them."""
    return any(f.failed and f.rule == Rule.LABELS for f in findings)


def loses_to_baseline(findings: Iterable[Finding]) -> bool:
    """Whether the champion is significantly worse than its own baseline, which may then serve in its place."""
    return any(f.failed and f.rule == Rule.AGAINST_BASELINE for f in findings)


def off_level(findings: Iterable[Finding]) -> list[str]:
    """The objectives whose calibration is off, and further than in good windows where there are enough to say."""
    off = [f for f in findings if f.failed and f.rule == Rule.CALIBRATION]
    return [f.subject for f in off if not (f.usual and "range" in f.facts)]


def only_level(findings: Sequence[Finding]) -> bool:
    """Whether calibration is further off than in good windows, while the scores order events as well as in those."""
    other = any((f.failed and f.rule == Rule.SWITCH) or _out_of_order(f) for f in findings)
    return bool(off_level(findings)) and not other


def _out_of_order(finding: Finding) -> bool:
    ranges = finding.facts.get("ranges", {}) if finding.rule == Rule.METRICS else {}
    return ORDER in ranges and ranges[ORDER]["now"] < ranges[ORDER]["worst"]


def only_drift(findings: Iterable[Finding]) -> bool:
    """Whether nothing but drift is in question."""
    return all(f.rule in DRIFT for f in findings)


def starts_decision(
    findings: Iterable[Finding], now: datetime, last: datetime | None, cool_down: timedelta
) -> tuple[Finding, ...]:
    """The findings for which evidence is gathered; none: there is nothing to decide.

    ``last`` is when drift alone last started a decision, or a rollback was done, if ever. Until the cool-down is over
    drift alone starts none: what it could show has just been examined.
    """
    failed = tuple(f for f in findings if alarming(f))
    cooling = last is not None and now < last + cool_down
    return () if cooling and only_drift(failed) else failed


def wants_candidate(
    signs: Iterable[Finding], due: Due | None, last: datetime | None, now: datetime, cool_down: timedelta, spent: bool
) -> bool:
    """Whether a fresh candidate is fitted: where one is due, or a finding on quality is open.

    ``last`` is when the last candidate was judged: the next within a cool-down would be made of nearly the same data.
    Drift alone asks for none, since it shows nothing that a newer model is needed for. ``spent``: findings have asked
    for as many as they may since the last change in service.
    """
    if due is not None:
        return True
    rested = last is None or last <= now - cool_down
    return rested and not spent and any(f.rule not in DRIFT for f in signs)


def is_cooling(ledger: Ledger, now: datetime, cool_down: timedelta) -> bool:
    """Whether a release was taken out of service less than a cool-down ago."""
    away = [event.at for event in ledger.events if event.action == "rollback"]
    return bool(away) and now < away[-1] + cool_down


def noted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, of which drift that has not hurt alerts nobody: where labels are in, quality is as promised.

    Missing values are a feed that broke, and alert in any case.
    """
    findings = tuple(findings)
    quality = [f.outcome for f in findings if f.rule in (Rule.QUALITY, Rule.AGAINST_BASELINE)]
    if "pass" not in quality or "fail" in quality:
        return findings
    quiet = (Rule.DRIFT_SHARE, Rule.SCORE_DRIFT)
    return tuple(replace(f, usual=True) if f.failed and f.rule in quiet else f for f in findings)


def barred_by(
    candidate: tuple[str, str], rolled_back: tuple[str, str], version: str, at: datetime, now: datetime, over: timedelta
) -> Bar | None:
    """Why a candidate may not be released by itself, if so.

    ``candidate`` and ``rolled_back`` are the hashes of code and of scope that each was made from; ``version`` was
    rolled back from ``at``.

    >>> day = timedelta(days=1)
    >>> bar = barred_by(("c", "s"), ("c", "s"), "v0.2.0", datetime(2024, 1, 1), datetime(2024, 1, 8), 14 * day)
    >>> bar.version, bar.until
    ('v0.2.0', datetime.datetime(2024, 1, 15, 0, 0))
    >>> barred_by(("new", "s"), ("c", "s"), "v0.2.0", datetime(2024, 1, 1), datetime(2024, 1, 8), 14 * day)
    """
    if candidate != rolled_back or now >= at + over:
        return None
    return Bar(version, at, at + over)


def decide_action(findings: Sequence[Finding], evidence: Evidence, roll_back: float) -> Decision:
    """The first rule that has an answer decides; the findings are kept either way."""
    case = Case(tuple(findings), evidence, roll_back)
    return next(decision for rule in RULES if (decision := rule(case)) is not None)


def a_rollout_decides_first(case: Case) -> Decision | None:
    """While a release is tried beside the champion no other is made, and none comes back: its steps decide."""
    return _decision(case, "nothing", Reason.ROLLOUT_FIRST) if case.evidence.tried else None


def a_decision_waits_for_approval(case: Case) -> Decision | None:
    """One change at a time: while a person is asked about one, no other is made; the answer or the deadline decides."""
    return _decision(case, "nothing", Reason.APPROVAL_FIRST) if case.evidence.waits else None


def champion_is_not_as_judged(case: Case) -> Decision | None:
    """Its scores on the same events as the release before are not those of its holdout: known good first.

    Labels that tell it apart come later, and a release that is not the one that was judged has no claim to wait.
    """
    if not any(f.rule == Rule.SWITCH for f in case.signs) or not case.evidence.previous_version:
        return None
    better = [c for c in _overall(case.evidence.previous) if _worse(c, case.roll_back)]
    return None if better else _decision(case, "roll back", Reason.NOT_AS_JUDGED)


def labels_are_in_doubt(case: Case) -> Decision | None:
    """What the labels say counts for nothing until a person has looked; the candidate of a request is judged."""
    requested = case.evidence.due is not None and case.evidence.due.kind == "request"
    if requested or not distrusts_labels(case.findings):
        return None
    return _decision(case, "nothing", Reason.LABELS)


def level_has_moved(case: Case) -> Decision | None:
    """Things happen more or less often than scores say, in the same order: new calibrators on the same models do."""
    gate = case.evidence.recalibrated
    if gate is None or gate.action != "release":
        return None
    decision = _decision(case, "recalibrate", Reason.LEVEL)
    return replace(decision, gate=gate.findings, facts={**decision.facts, **gate.facts})


def champion_has_gone_bad(case: Case) -> Decision | None:
    """The previous version is materially better on the same rows: known good first, unless the candidate beats it.

    Calibration alone is no sign that a release has gone bad: it is the level of the world that has moved, and for
    some days an older model may happen to fit it; a newer one is what learns it. During a cool-down the loop goes
    further back only where the champion itself fails: what was examined then needs no second look.
    """
    evidence = case.evidence
    if case.signs and all(f.rule == Rule.CALIBRATION for f in case.signs):
        return None
    if evidence.cooling and not any(f.rule in OWN_FAULT for f in case.signs):
        return None
    previous = _overall(evidence.previous)
    better, worse = (any(side(c, case.roll_back) for c in previous) for side in (_better, _worse))
    if not better or worse:
        return None
    rivals = _overall(evidence.candidate_previous)
    if case.passed and any(map(_better, rivals)) and not any(map(_worse, rivals)):
        return _decision(case, "retrain", Reason.PREVIOUS_BETTER)
    return _decision(case, "roll back", Reason.PREVIOUS_BETTER)


def candidate_has_earned_it(case: Case) -> Decision | None:
    """A retrain was due or something failed, and the candidate passed its gate."""
    return _decision(case, "retrain", Reason.PASSED) if case.passed and case.started else None


def baseline_is_better(case: Case) -> Decision | None:
    """The champion loses to its own baseline, nothing else helps, and the baseline's alerts cost no more.

    Where an objective is significantly better than its baseline, which would be given up, they have to cost less,
    significantly.
    """
    option = option_of(case.evidence.options, "fall back")
    if option is None or not loses_to_baseline(case.signs):
        return None
    against = [f for f in case.findings if f.rule == Rule.AGAINST_BASELINE]
    gives_up = any(f.interval is not None and f.interval.high < 0 for f in against)
    surely = option.share_interval is not None and option.share_interval.high < 0
    costs_more = option.share is not None and option.share > 0
    if costs_more or (gives_up and not surely):
        return None
    return _decision(case, "fall back", Reason.WORSE_THAN_BASELINE)


def candidate_is_barred(case: Case) -> Decision | None:
    """It passed, but is made as one that was rolled back, which a person may release, or is one that was yanked."""
    gate = case.evidence.gate
    if not case.evidence.barred or gate is None or gate.action != "release":
        return None
    return _decision(case, "nothing", Reason.BARRED)


def candidate_has_lost(case: Case) -> Decision | None:
    """Something failed or was due, and what was trained on the newest data is no better, or cannot be judged."""
    gate = case.evidence.gate
    return _decision(case, "nothing", gate.reason) if gate is not None and case.started else None


def drift_is_noted(case: Case) -> Decision | None:
    """Nothing but drift, and quality is as promised: seasons do this, and the record is cited."""
    quiet = bool(case.signs) and all(f.rule in DRIFT and f.usual for f in case.signs)
    return _decision(case, "nothing", Reason.NOTED) if quiet and not case.evidence.due else None


def no_candidate_was_judged(case: Case) -> Decision | None:
    """Signs, but nothing to compare the champion with: no candidate could be judged, or the cool-down is on."""
    return _decision(case, "nothing", Reason.NO_CANDIDATE) if case.started else None


def all_is_well(case: Case) -> Decision:
    """Nothing failed and nothing is due."""
    return _decision(case, "nothing", Reason.NOTHING_DUE)


RULES: tuple[Callable[[Case], Decision | None], ...] = (
    a_rollout_decides_first,
    a_decision_waits_for_approval,
    champion_is_not_as_judged,
    labels_are_in_doubt,
    level_has_moved,
    champion_has_gone_bad,
    candidate_has_earned_it,
    baseline_is_better,
    candidate_is_barred,
    candidate_has_lost,
    drift_is_noted,
    no_candidate_was_judged,
    all_is_well,
)


def _overall(comparisons: ByObjective) -> list[Compared]:
    return [c.overall for c in comparisons.values() if c.overall.share.value is not None]


def _better(compared: Compared, by: float = 0.0) -> bool:
    """Its loss is at least ``by`` below the other's, and the interval excludes none at all."""
    share = compared.share
    return share.value is not None and share.value <= -by and share.high is not None and share.high < 0


def _worse(compared: Compared, by: float = 0.0) -> bool:
    share = compared.share
    return share.value is not None and share.value >= by and share.low is not None and share.low > 0


def _decision(case: Case, action: Action, reason: Reason) -> Decision:
    """With everything that it rests on: findings, comparisons and the paths of records."""
    evidence, signs = case.evidence, case.signs
    candidate = evidence.tried or (evidence.gate.versions.candidate if evidence.gate else "")
    paths = dict.fromkeys([*evidence.paths, *(path for f in signs for path in f.evidence)])
    return Decision(
        action, reason, Versions(evidence.champion, evidence.previous_version, candidate), case.findings,
        gate=evidence.gate.findings if evidence.gate else (),
        comparisons=tuple(_comparisons(evidence, candidate)),
        options=evidence.options,
        trigger=Trigger(tuple(f.name for f in signs), evidence.due),
        evidence=tuple(paths),
        facts={
            **({"barred": evidence.barred.to_dict()} if evidence.barred else {}),
            **({"spent": evidence.spent} if evidence.spent else {}),
            **({"rests_until": evidence.rests_until.isoformat()} if evidence.rests_until else {}),
        },
    )  # fmt: skip


def _comparisons(evidence: Evidence, candidate: str) -> list[Versus]:
    """What was compared, where there was enough to compare."""
    pairs = (
        (evidence.previous_version, evidence.champion, evidence.previous),
        (candidate, evidence.previous_version, evidence.candidate_previous),
    )
    return [
        Versus(
            objective, version, other, c.loss, c.other_loss, c.share.value, c.rows,
            Interval.of(c.share, evidence.confidence),
        )
        for version, other, comparisons in pairs
        for objective, c in ((name, comparison.overall) for name, comparison in comparisons.items())
        if c.share.value is not None and c.loss is not None and c.other_loss is not None
    ]  # fmt: skip
