"""Deciding: check the champion, gather the evidence that its findings call for, and choose the action."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from homeostat.core.approval import put_off
from homeostat.core.findings import Decision, Due, Finding
from homeostat.core.policy import (
    Evidence,
    decide_action,
    distrusts_labels,
    is_cooling,
    noted,
    only_drift,
    only_level,
    starts_decision,
    wants_candidate,
)
from homeostat.core.release_gate import unjudged
from homeostat.core.rules import Rule
from homeostat.decisions import act, evidence
from homeostat.decisions.carried import not_due
from homeostat.decisions.due import last_candidate, last_change, last_drift_start, learns, retrain_is_due, spent_budget
from homeostat.decisions.evidence import Candidate, Judge
from homeostat.decisions.fallback import fallback_findings
from homeostat.decisions.first_release import first_release
from homeostat.decisions.ladder import next_candidate
from homeostat.decisions.options import expected_costs
from homeostat.decisions.pending import decision_that_waits
from homeostat.decisions.recalibrate import Recalibration, recalibrated
from homeostat.decisions.session import Session
from homeostat.decisions.waiting import declined
from homeostat.decisions.weighed import Weighed
from homeostat.monitoring import champion
from homeostat.monitoring.champion import Check
from homeostat.monitoring.labels import check_labels
from homeostat.releases.feature_rows import FeatureRows


def decide(session: Session, now: datetime, due: Due | None = None) -> Decision:
    """Check the champion; where its findings or the rhythm call for it gather evidence; then act, and keep the record.

    ``due`` is why a fresh candidate is wanted in any case; otherwise the rhythm says when one is. What is decided is
    written down before it is done: a run that was interrupted in between does what was decided, not something else.

    Raises:
        HomeostatError: the DAG or the deployment was stopped; the champion stays, and the next run carries on.
    """
    act.settle(session, now)
    plan = act.plan_of(session, now)
    if not plan.is_file():
        weighed = _weighed(session, now, due)
        decision = act.named(weighed.decision, weighed.bundle, session.registry.ledger)
        act.write_plan(replace(weighed, decision=decision).to_dict(now), plan)
    return act.carry_out(session, plan, now)


def weigh(session: Session, now: datetime, check: Check, features: FeatureRows, due: Due | None = None) -> Weighed:
    """What to do about the findings on the champion, by the evidence they call for; nothing is done or recorded."""
    ledger, watch = session.registry.ledger, session.tree.scope.monitoring
    assert ledger.champion is not None, "nothing serves"
    version = ledger.champion.version
    tried, waits = ledger.rollout, decision_that_waits(session.project, session.decisions) is not None
    case = Evidence(version, session.tree.scope.evaluation.confidence, check.paths, waits=waits)
    if tried is not None or waits:
        case = replace(case, tried=tried.version if tried else "")
        return Weighed(decide_action(check.findings, case, watch.roll_back), None, version, "", check.quality)
    case = replace(case, previous_version=evidence.previous_version(session.registry))
    due, findings = due or retrain_is_due(session, now), noted(check.findings)
    signs = starts_decision(findings, now, last_drift_start(session), watch.cool_down)
    gathered = _gathered(session, now, case, findings, signs, due, features)
    candidate, new_level = gathered.candidate, gathered.new_level
    proposed = decide_action(findings, gathered.case, watch.roll_back)
    made = new_level.made if new_level is not None and proposed.action == "recalibrate" else None
    decision = put_off(proposed, session.tree.scope.approval, now, declined(session, now))
    of_loop = (*_unjudged(session, decision, candidate), *fallback_findings(session, decision))
    of_gate = candidate.gate.facts if candidate else {}
    decision = replace(decision, findings=(*decision.findings, *of_loop), facts={**decision.facts, **of_gate})
    if decision.action == "fall back":
        candidate, _ = evidence.fresh_candidate(session, now, baseline=True)
    started = "" if not signs else "drift" if only_drift(signs) else "quality"
    return Weighed(decision, candidate, version, case.previous_version, check.quality, started, made)


@dataclass(frozen=True)
class _Gathered:
    """The evidence, with the candidate or the calibrators that were made for it, if any were."""

    case: Evidence
    candidate: Candidate | None = None
    new_level: Recalibration | None = None


def _gathered(
    session: Session, now: datetime, case: Evidence, findings: tuple[Finding, ...], signs: tuple[Finding, ...],
    due: Due | None, features: FeatureRows,
) -> _Gathered:  # fmt: skip
    """The evidence that is called for: none while labels are in doubt, unless a person asked for a candidate; new
    calibrators where they will do; else the previous version, and a candidate where one is wanted.
    """
    if distrusts_labels(findings) and not (due and due.kind == "request"):
        return _Gathered(replace(case, due=due))
    if not (due or signs):
        return _Gathered(case)
    new_level = None if due else _new_level(session, now, findings, features)
    if new_level is not None:
        return _Gathered(replace(case, recalibrated=new_level.gate), new_level=new_level)
    spent, last, cool_down = spent_budget(session), last_candidate(session), session.tree.scope.monitoring.cool_down
    wanted = wants_candidate(signs, due, last, now, cool_down, spent > 0)
    wanted = wanted and (due is not None or learns(session, last, now))
    kept = not_due(session, now, due, signs)
    candidate, judge = _candidate(session, now, case.previous_version, features, wanted, kept)
    rests_until = last + cool_down if candidate is None and last is not None and last > now - cool_down else None
    case = replace(case, due=due, spent=spent, rests_until=rests_until)
    case = _evidence(session, now, case, candidate, judge)
    if due is not None and due.kind != "request" and case.gate is not None and case.gate.action != "release":
        new_level = _new_level(session, now, findings, features)  # which its judged model may be too old to know
    if new_level is not None:
        case = replace(case, recalibrated=new_level.gate)
    return _Gathered(case, candidate, new_level)


def _new_level(
    session: Session, now: datetime, findings: tuple[Finding, ...], features: FeatureRows
) -> Recalibration | None:
    """The champion's models with new calibrators, where only the level of its scores is off and these pass."""
    serving = session.registry.load_champion()
    if serving is None or not only_level(findings):
        return None
    return recalibrated(session, serving, features, findings, now)


def _unjudged(session: Session, decision: Decision, candidate: Candidate | None) -> list[Finding]:
    """Whether candidate after candidate cannot be judged, since a release was last put in service; if one was so."""
    since = last_change(session)
    judged = [d.decision for d in session.decisions if d.candidate and d.at > since] + ([decision] if candidate else [])
    finding = unjudged(judged, session.tree.scope.release.ask_after)
    was_open = any(i.finding.rule == Rule.UNJUDGED and i.closed is None for i in session.incidents.values())
    return [finding] if finding.value or was_open else []


def _weighed(session: Session, now: datetime, due: Due | None) -> Weighed:
    serving = session.registry.load_champion()
    if serving is None:
        return first_release(session, now)
    features = FeatureRows(session.tree)
    champion.record_drift(session.tree, serving, features, now)
    at_once = (*session.switch.findings(session.registry, now), *check_labels(session.tree, session.labels, now))
    check = champion.check_champion(session.tree, session.registry, serving, at_once, now)
    return weigh(session, now, check, features, due)


def _candidate(
    session: Session, now: datetime, previous: str, features: FeatureRows, wanted: bool, kept: Collection[str]
) -> tuple[Candidate | None, Judge]:
    """A fresh candidate where one is wanted, ``kept`` objectives as they are; and who judges."""
    if wanted:
        return next_candidate(session, now, previous, kept)
    return None, Judge(session.tree, now - session.tree.scope.monitoring.window, now, features)


def _evidence(session: Session, now: datetime, case: Evidence, candidate: Candidate | None, judge: Judge) -> Evidence:
    case = replace(
        case, previous=evidence.beside_champion(session, judge, case.previous_version, now),
        options=expected_costs(session, judge, case.previous_version, candidate, now),
        cooling=is_cooling(session.registry.ledger, now, session.tree.scope.monitoring.cool_down),
    )  # fmt: skip
    if candidate is None:
        return case
    cool_down = session.tree.scope.monitoring.cool_down
    return replace(
        case, gate=candidate.gate, candidate_previous=candidate.previous,
        barred=evidence.barred(session.registry, candidate, cool_down, now),
    )  # fmt: skip
