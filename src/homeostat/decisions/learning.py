"""Learning between full retrains: the champion's models continued on what has matured since, and released if they pass.

A continuation is a candidate of the same DAG and passes the same gate. It is no decision about the champion: of that
nothing is checked, so that learning often costs no false alarm. What the guard rail stops alerts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from homeostat import models
from homeostat.core.authorship import Authorship
from homeostat.core.findings import Decision, Finding, objections
from homeostat.core.headlines import headline
from homeostat.core.ledger import first_of_line
from homeostat.core.policy import distrusts_labels, is_cooling
from homeostat.core.rules import Reason, Rule
from homeostat.core.score_move import score_move
from homeostat.decisions import act, evidence, pending, rollout
from homeostat.decisions.evidence import Candidate, Judge
from homeostat.decisions.pairing import is_made_alike
from homeostat.decisions.session import WHO, Session
from homeostat.features.sql import read_features_sql
from homeostat.monitoring.prequential import prequential
from homeostat.project.records import read_body
from homeostat.project.whole_files import write_text
from homeostat.releases.registry import Serving
from homeostat.training import bundle as bundles
from homeostat.training import evaluate


def learn_on(session: Session, now: datetime, findings: Sequence[Finding]) -> Decision | None:
    """Continue the champion's models where ``learn`` says so, and release them if nothing objects; None: not now.

    ``findings``: those on labels, for nothing learns from labels in doubt. A run that was interrupted does what was
    decided, not something else.

    Raises:
        HomeostatError: the DAG or the deployment was stopped; the champion stays, and the next run carries on.
    """
    folder, ledger = session.project.learning, session.registry.ledger
    pending.settle(session.project, folder, ledger, now)
    plan = pending.of(folder, now)
    if not plan.is_file():
        serving = session.registry.load_champion()
        if serving is None or distrusts_labels(findings) or not _may_continue(session, serving, now):
            return None
        if not _is_due(session, serving, now):
            return None
        write_text(json.dumps(_decided(session, serving, now), indent=1) + "\n", plan)
    return _carry_out(session, plan, now)


def guard_rail(learned: Decision | None) -> list[Finding]:
    """What alerts of a continuation: how far it would have moved the scores in service."""
    return [finding for finding in learned.gate if finding.rule == Rule.MOVE] if learned else []


def _may_continue(session: Session, serving: Serving, now: datetime) -> bool:
    """Whether the champion's models are of today's recipe and can be continued, and nothing else concerns it just now.

    A calibrator fits the very models that it was fitted to, so calibrated ones wait for the next full retrain.
    """
    scope, registry, bundle = session.tree.scope, session.registry, serving.bundle
    if scope.learn is None or registry.ledger.rollout is not None or bundle.calibrators:
        return False
    if pending.decision_that_waits(session.project, session.decisions) is not None:
        return False
    if is_cooling(registry.ledger, now, scope.monitoring.cool_down):
        return False
    kinds = {one["kind"] for one in bundle.training["objectives"].values()}
    return kinds in ({"lightgbm"}, {"online"}) and is_made_alike(bundle, scope, read_features_sql(session.tree))


def _is_due(session: Session, serving: Serving, now: datetime) -> bool:
    """Whether it is time, and labels have matured since the last."""
    learn, last = session.tree.scope.learn, _last(session, serving)
    assert learn is not None, "it may continue"
    if learn.every is not None and now - last < learn.every:
        return False
    return max(session.labels.matured(last, now).values()) >= (learn.batch or 1)


def _last(session: Session, serving: Serving) -> datetime:
    """When models last learned: the last continuation, released or not, or what the champion was made as of."""
    records = sorted(session.project.learning.glob("*.json"))
    times = [serving.bundle.training["as_of"], *([read_body(records[-1])["at"]] if records else [])]
    return max(map(datetime.fromisoformat, times))


def _decided(session: Session, serving: Serving, now: datetime) -> dict[str, Any]:
    """The record: the continuation made, judged as any candidate of the champion's recipe, and by how far it moves."""
    since, champion = _last(session, serving), serving.event.version
    parent = serving.bundle
    candidate, judge = evidence.fresh_candidate(session, now, rung=parent.rung, parent=parent.hash)
    gate = (*candidate.gate.findings, *_moves(session, serving, candidate, judge))
    decision = Decision(
        "keep" if objections(gate) else "release", Reason.CONTINUED, candidate.gate.versions, gate=gate,
        facts=candidate.gate.facts,
    )  # fmt: skip
    ledger = session.registry.ledger
    if decision.action == "release":
        version = ledger.version_of(candidate.bundle) or ledger.next_version(champion)
        decision = decision.with_candidate(version)
    first = session.registry.load(first_of_line(ledger, champion))
    served = prequential(session.tree, judge.rows, first, champion, since, now)
    body = {"at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    return body | {"release": champion, "candidate": {"bundle": candidate.bundle}, "served": served}


def _moves(session: Session, serving: Serving, candidate: Candidate, judge: Judge) -> list[Finding]:
    """How far the scores in service would move on the candidate's held-out events, by objective."""
    scope, rows = session.tree.scope, evaluate.held_out(candidate.training, judge.rows)
    made = bundles.load(session.tree.bundle, candidate.bundle)
    new, old = (models.predict_each(bundle.models, rows) for bundle in (made, serving.bundle))
    assert scope.learn is not None, "it is continued"
    limit = scope.learn.max_move
    return [score_move(name, scope.objectives[name].task, new[name], old[name], limit) for name in new]


def _carry_out(session: Session, plan: Path, now: datetime) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it."""
    body = read_body(plan)
    decision = Decision.from_dict(body)
    if decision.action == "release":
        by = Authorship(WHO, headline(decision), now, (session.project.cited(pending.record(plan)),))
        commit, champion = act.commit_of(session, now), decision.versions.champion
        beside, share = rollout.first_step(session.tree.scope)
        session.registry.release(commit, body["candidate"]["bundle"], by, beside, share, continues=champion)
    pending.done(plan)
    return decision
