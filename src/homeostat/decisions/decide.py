"""Deciding: check the champion, gather the evidence that its findings call for, and choose the action."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from homeostat.core.findings import Decision, Due, Finding
from homeostat.core.headlines import headline, summary
from homeostat.core.periods import floor, period_of
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
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import act, evidence
from homeostat.decisions.evidence import Candidate, Judge
from homeostat.decisions.options import expected_costs
from homeostat.decisions.recalibrate import Recalibration, recalibrated
from homeostat.decisions.session import WHO, Session
from homeostat.features.tables import mature, read_features
from homeostat.monitoring import champion
from homeostat.monitoring.champion import Check
from homeostat.monitoring.labels import check_labels, labels_matured
from homeostat.releases.derived import Derived
from homeostat.releases.feature_rows import FeatureRows
from homeostat.training import bundle as bundles


@dataclass(frozen=True)
class Weighed:
    """What was decided, and on what, before anything is done about it.

    ``previous`` is the version to go back to from ``release``; ``started`` the kind of findings that started it: drift,
    quality, or none; ``made`` what was made of the champion's models with new calibrators, if that is done.
    """

    decision: Decision
    candidate: Candidate | None = None
    release: str = ""
    previous: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    made: Derived | None = None

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """The record that is kept of it."""
        decision = {"headline": headline(self.decision), **self.decision.to_dict()}
        body = {"at": now.isoformat(), **decision, "release": self.release, "quality": self.quality}
        candidate = {"bundle": self.candidate.bundle} if self.candidate else None
        made = {"made": {"commit": self.made.commit, "bundle": self.made.bundle.hash}} if self.made else {}
        return body | {"previous": self.previous, "started": self.started, "candidate": candidate} | made


def decision_is_due(session: Session, now: datetime) -> bool:
    """Whether the rhythm asks for a decision at ``now``."""
    rhythm = session.tree.scope.rhythm
    last = session.decisions[-1].at if session.decisions else session.start
    return floor(now, rhythm.decide, rhythm.offset) > last


def next_decision(session: Session, now: datetime) -> datetime:
    """When the rhythm next asks for a decision: ``now``, or later."""
    rhythm = session.tree.scope.rhythm
    return now if decision_is_due(session, now) else floor(now, rhythm.decide, rhythm.offset) + rhythm.decide


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
        act.write_plan(_named(session, _weighed(session, now, due)).to_dict(now), plan)
    return act.carry_out(session, plan, now)


def weigh(session: Session, now: datetime, check: Check, features: FeatureRows, due: Due | None = None) -> Weighed:
    """What to do about the findings on the champion, by the evidence they call for; nothing is done or recorded."""
    ledger, watch = session.registry.ledger, session.tree.scope.monitoring
    assert ledger.champion is not None, "nothing serves"
    version, previous = ledger.champion.version, evidence.previous_version(session.registry)
    confidence = session.tree.scope.evaluation.confidence
    if ledger.rollout is not None:
        case = Evidence(version, confidence, check.paths, tried=ledger.rollout.version)
        return Weighed(decide_action(check.findings, case, watch.roll_back), None, version, "", check.quality)
    due, findings = due or retrain_is_due(session, now), noted(check.findings)
    signs = starts_decision(findings, now, _last_start(session), watch.cool_down)
    case, candidate, judge = Evidence(version, confidence, check.paths, previous), None, None
    doubtful = distrusts_labels(findings) and not (due and due.kind == "request")
    new_level = None if doubtful or due or not signs else _new_level(session, now, check, features)
    if doubtful:
        case = replace(case, due=due)
    elif new_level is not None:
        case = replace(case, recalibrated=new_level.gate)
    elif due or signs:
        spent, last = _spent(session), _last_candidate(session)
        wanted = wants_candidate(signs, due, last, now, watch.cool_down, spent > 0)
        wanted = wanted and (due is not None or _learns(session, last, now))
        candidate, judge = _candidate(session, now, previous, features, wanted)
        case = _evidence(session, now, replace(case, due=due, spent=spent), candidate, judge)
    decision = decide_action(findings, case, watch.roll_back)
    standing = (*_unjudged(session, decision, candidate), *_fallback(session, decision))
    decision = replace(decision, findings=(*decision.findings, *standing))
    if decision.action == "fall back":
        candidate, _ = evidence.fresh_candidate(session, now, baseline=True)
    started = "" if not signs else "drift" if only_drift(signs) else "quality"
    made = new_level.made if new_level is not None and decision.action == "recalibrate" else None
    return Weighed(decision, candidate, version, previous, check.quality, started, made)


def _new_level(session: Session, now: datetime, check: Check, features: FeatureRows) -> Recalibration | None:
    """The champion's models with new calibrators, where only the level of its scores is off and these pass."""
    serving = session.registry.load_champion()
    if serving is None or not only_level(check.findings):
        return None
    return recalibrated(session, serving, features, check.findings, now)


def _unjudged(session: Session, decision: Decision, candidate: Candidate | None) -> list[Finding]:
    """Whether candidate after candidate cannot be judged, since a release was last put in service; if one was so."""
    since = session.registry.ledger.events[-1].at
    judged = [d.decision for d in session.decisions if d.candidate and d.at > since] + ([decision] if candidate else [])
    finding = unjudged(judged, session.tree.scope.release.ask_after)
    was_open = any(i.finding.rule == Rule.UNJUDGED and i.closed is None for i in session.incidents.values())
    return [finding] if finding.value or was_open else []


def _fallback(session: Session, decision: Decision) -> list[Finding]:
    """Whether the baseline serves in the place of a model that lost to it; if it did so just now or before."""
    since = fell_back(session)
    fails = decision.action == "fall back" or (since is not None and decision.action not in ("retrain", "roll back"))
    facts = {"version": decision.versions.champion, "since": since.isoformat() if since else None}
    was_open = any(i.finding.rule == Rule.FALLBACK and i.closed is None for i in session.incidents.values())
    return [Finding(Rule.FALLBACK, "", "fail" if fails else "pass", facts=facts)] if fails or was_open else []


def fell_back(session: Session) -> datetime | None:
    """Since when the baseline serves in the place of a model, if the loop fell back to it."""
    serving = session.registry.load_champion()
    if serving is None or session.tree.scope.training.model == "heuristic":
        return None
    event, training = serving.event, serving.bundle.training
    return event.at if (event.action, event.who) == ("rollback", WHO) and bundles.is_baseline(training) else None


def _weighed(session: Session, now: datetime, due: Due | None) -> Weighed:
    serving = session.registry.load_champion()
    if serving is None:
        return _first(session, now)
    features = FeatureRows(session.tree)
    champion.record_drift(session.tree, serving, features, now)
    return weigh(session, now, champion.check_champion(session.tree, session.registry, serving, now), features, due)


def _named(session: Session, weighed: Weighed) -> Weighed:
    """With the version that the candidate is released as, if it is."""
    decision, candidate, ledger = weighed.decision, weighed.candidate, session.registry.ledger
    bundle = weighed.made.bundle.hash if weighed.made else candidate.bundle if candidate else ""
    if not bundle or decision.action not in ("retrain", "release", "recalibrate", "fall back"):
        return weighed
    version = ledger.version_of(bundle) or ledger.next_version()
    if decision.action == "fall back":
        return replace(weighed, decision=replace(decision, facts={**decision.facts, "baseline": version}))
    return replace(weighed, decision=decision.with_candidate(version))


def _candidate(
    session: Session, now: datetime, previous: str, features: FeatureRows, wanted: bool
) -> tuple[Candidate | None, Judge]:
    """A fresh candidate where one is wanted, and who judges."""
    if wanted:
        return evidence.fresh_candidate(session, now, previous)
    return None, Judge(session.tree, now - session.tree.scope.monitoring.window, now, features)


def _spent(session: Session) -> int:
    """How many candidates findings have asked for since the last change in service, where they may ask for no more."""
    since = session.registry.ledger.events[-1].at
    mine = [d for d in session.decisions if d.candidate and d.at > since and d.decision.trigger.due is None]
    return len(mine) if len(mine) >= session.tree.scope.monitoring.retrain_budget else 0


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


def retrain_is_due(session: Session, now: datetime) -> Due | None:
    """Why the rhythm asks for a fresh candidate at ``now``, if it does."""
    scope, serving, last = session.tree.scope, session.registry.load_champion(), _last_candidate(session)
    assert serving is not None, "nothing serves"
    if scope.training.model != "heuristic" and bundles.is_baseline(serving.bundle.training):
        due = session.start + scope.windows.warm_up
        tried = last is not None and due <= last > now - scope.monitoring.cool_down
        since = fell_back(session)
        because = Due("fallback", since) if since else Due("warm-up", due)
        return because if now >= due and not tried and _learns(session, last, now) else None
    if last is None:
        return Due("first")
    return Due("interval", last) if now - last >= scope.rhythm.retrain and _learns(session, last, now) else None


def _learns(session: Session, last: datetime | None, now: datetime) -> bool:
    """Whether a candidate made now could differ from that of ``last`` in what it learns, and in what judges it.

    In a season's gap it could not: no label is new. As the next season begins, all that is new judges.
    """
    if last is None:
        return True
    scope = session.tree.scope
    before = scope.windows.holdout + scope.events.label_horizon
    spans = ((last, now), (last - before, now - before))
    return all(labels_matured(session.tree, since, until) for since, until in spans)


def _first(session: Session, now: datetime) -> Weighed:
    """What to do where nothing serves: release the first candidate, as soon as there are mature events.

    Late in a history that is a model; the baseline serves where none is fit to.
    """
    tree = session.tree
    if not any(tree.features.glob("*.parquet")):
        return Weighed(Decision("nothing", Reason.NO_BATCH))
    table = read_features(tree)
    for name in tree.scope.objectives:
        if mature(table, name, tree.scope, now).is_empty():
            return Weighed(Decision("nothing", Reason.NOT_MATURE, facts={"objective": name}))
    labels = check_labels(tree, now)
    if distrusts_labels(labels):
        return _before_the_doubt(session, now, Decision("nothing", Reason.LABELS, findings=tuple(labels)))
    first = _gated(session, now, evidence.fresh_candidate(session, now)[0])
    if first.decision.action == "release" or tree.scope.training.model == "heuristic":
        return first
    return _baseline_instead(session, now, first.decision)


def _gated(session: Session, now: datetime, candidate: Candidate) -> Weighed:
    """A first candidate as its gate has it, unless it is barred."""
    barred = evidence.barred(session.registry, candidate, session.tree.scope.monitoring.cool_down, now)
    if barred and candidate.gate.action == "release":
        facts = {"barred": barred.to_dict()}
        return Weighed(replace(candidate.gate, action="keep", reason=Reason.BARRED, facts=facts), candidate)
    return Weighed(candidate.gate, candidate)


def _before_the_doubt(session: Session, now: datetime, refusal: Decision) -> Weighed:
    """The baseline of the events before labels fell in doubt; nothing where there were none."""
    scope = session.tree.scope
    since = min(f.since for f in refusal.findings if f.failed and f.rule == Rule.LABELS)
    until = period_of(since, scope.events_period, scope.rhythm.offset).start
    table = read_features(session.tree)
    if any(mature(table, name, scope, until + scope.events.label_horizon).is_empty() for name in scope.objectives):
        return Weighed(refusal)
    return _baseline_instead(session, now, refusal, until)


def _baseline_instead(session: Session, now: datetime, refusal: Decision, until: datetime | None = None) -> Weighed:
    """The baseline, so that something serves, with why it is no model; ``until``: of the events up to then."""
    candidate, _ = evidence.fresh_candidate(session, now, baseline=True, labels_until=until)
    first = _gated(session, now, candidate)
    decision = replace(first.decision, gate=refusal.findings, facts={**first.decision.facts, "why": summary(refusal)})
    return replace(first, decision=decision)


def _last_candidate(session: Session) -> datetime | None:
    return max((decision.at for decision in session.decisions if decision.candidate), default=None)


def _last_start(session: Session) -> datetime | None:
    """When drift alone last started a decision, or a rollback was done."""
    times = [decision.at for decision in session.decisions if decision.started == "drift"]
    times += [event.at for event in session.registry.ledger.events if event.action == "rollback"]
    return max(times, default=None)
