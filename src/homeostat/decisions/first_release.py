"""The first release: what is put in service where nothing serves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from homeostat.core.findings import Decision
from homeostat.core.headlines import summary
from homeostat.core.periods import period_of
from homeostat.core.policy import distrusts_labels
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import evidence
from homeostat.decisions.evidence import Candidate
from homeostat.decisions.ladder import next_candidate
from homeostat.decisions.session import Session
from homeostat.decisions.weighed import Weighed
from homeostat.features.tables import mature, read_features
from homeostat.monitoring.labels import check_labels


def first_release(session: Session, now: datetime) -> Weighed:
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
    labels = check_labels(tree, session.labels, now)
    if distrusts_labels(labels):
        return _before_the_doubt(session, now, Decision("nothing", Reason.LABELS, findings=tuple(labels)))
    first = _gated(session, now, next_candidate(session, now)[0])
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
