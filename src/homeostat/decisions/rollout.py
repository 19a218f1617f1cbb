"""A release that is tried beside the champion: deciding on each step, and carrying it out."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from homeostat.core.authorship import Authorship
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.ledger import Beside
from homeostat.core.rollout import decide_step
from homeostat.decisions import pending
from homeostat.decisions.rollout_evidence import measure
from homeostat.decisions.session import WHO, Session
from homeostat.project.layout import stamp
from homeostat.project.records import read_body
from homeostat.project.scope import Scope
from homeostat.project.whole_files import write_text


def first_step(scope: Scope) -> tuple[Beside | None, float | None]:
    """How a release that passed its gate begins, by the scope: canary or shadow, and its share of the keys."""
    rollout = scope.rollout
    if rollout is None or rollout.strategy == "at once":
        return None, None
    return ("shadow", None) if rollout.strategy == "shadow" else ("canary", rollout.steps[0])


def advance_rollout(session: Session, now: datetime) -> Decision | None:
    """Decide on the step of the release that is being tried, and do it; None: none is, or the scope does not say how.

    A run that was interrupted does what was decided, not something else.

    Raises:
        HomeostatError: the deployment was stopped; the release in service is whole, and the next run carries on.
    """
    ledger, folder = session.registry.ledger, session.project.rollouts
    pending.settle(session.project, folder, ledger, now)
    plan = pending.of(folder, now)
    if not plan.is_file():
        if ledger.rollout is None or ledger.champion is None or session.tree.scope.rollout is None:
            return None
        write_text(json.dumps(_decided(session, now), indent=1) + "\n", plan)
    return _carry_out(session, plan, now)


def _decided(session: Session, now: datetime) -> dict[str, Any]:
    """The record of a step: the decision, and what it is about."""
    tree, ledger = session.tree, session.registry.ledger
    scope, tried, champion = tree.scope, ledger.rollout, ledger.champion
    limits = scope.rollout
    assert tried is not None and champion is not None and limits is not None, "no release is being tried"
    measured = measure(tree, session.registry, ledger, now)
    path = tree.cited(tree.rollouts / f"{stamp(now)}.json")
    decision = decide_step(measured, limits, scope.release.not_worse, scope.evaluation.confidence, path)
    body = {"at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    return body | {"event": tried.number, "share": decision.facts["next"]}


def _carry_out(session: Session, plan: Path, now: datetime) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it."""
    body = read_body(plan)
    decision = Decision.from_dict(body)
    on, registry = session.registry.ledger.rollout, session.registry
    if on is not None and on.number == body["event"]:  # else it is done, or a person has been faster
        by = Authorship(WHO, headline(decision), now, decision.evidence)
        if decision.action == "roll back":
            registry.rollback(by)
        elif decision.action == "advance" and body["share"] is None:
            registry.promote(on.version, by)
        elif decision.action == "advance":
            registry.try_beside(on.version, "canary", body["share"], by)
    pending.done(plan)
    return decision
