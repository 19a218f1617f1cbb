"""New weights or costs in the scope: a release of the champion's own models, for which nothing is trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from homeostat.core.authorship import Authorship
from homeostat.core.errors import EnvironmentFault
from homeostat.core.findings import Decision, Finding, Versions
from homeostat.core.headlines import headline
from homeostat.core.release_gate import pays
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import pending, rollout
from homeostat.decisions.evidence import alert_findings
from homeostat.decisions.history import decision_of
from homeostat.decisions.session import WHO, Session
from homeostat.project.layout import stamp
from homeostat.project.records import read_body
from homeostat.project.scope_values import Value, changes, with_prices
from homeostat.project.whole_files import write_text
from homeostat.releases.derived import derive
from homeostat.releases.registry import Serving
from homeostat.training.evaluate import Report

log = logging.getLogger("homeostat.weights")
PARAMS = "params.yaml"
OF_ALERTS = (Rule.PAYS, Rule.COVERAGE, Rule.PARITY, Rule.ODDS)  # what weights and costs bear on
Changed = Mapping[str, tuple[Value, Value]]  # by name, each weight and cost before and now


def release_weights(session: Session, now: datetime, by: Authorship | None = None) -> Decision | None:
    """Release the champion's models with the weights and costs of the scope; None where it has no others.

    Weights that were taken out of service with their release stay out until a person promotes it, or the scope has
    others. While a release is tried beside the champion, its steps decide first. ``by``: a person asks for it, and
    overrules both what was taken back and the gate.

    Raises:
        HomeostatError: the deployment was stopped; the champion serves on, and the next run carries on.
    """
    folder, registry = session.project.weights, session.registry
    pending.settle(session.project, folder, registry.ledger, now)
    plan = _plan(folder, now)
    if not plan.is_file():
        serving = registry.load_champion()
        if serving is None or registry.ledger.rollout is not None:
            return None
        changed = changes(serving.bundle.scope, session.tree.scope)
        if not changed or (by is None and (_waits(session, serving) or _kept_before(folder, serving, changed))):
            return None
        try:
            body = _decided(session, serving, changed, now, by)
        except EnvironmentFault as error:
            if by is not None:
                raise
            log.warning("the weights of params.yaml wait: %s", error)  # and the loop goes on
            return None
        write_text(json.dumps(body, indent=1) + "\n", plan)
    return _carry_out(session, plan, now, by)


def _plan(folder: Path, now: datetime) -> Path:
    """The plan of ``now``, or of the next of that time: the clock of a project may stand still."""
    names = (stamp(now), *(f"{stamp(now)}.{number}" for number in range(2, 100)))
    return next(folder / f"{name}{pending.PLAN}" for name in names if not (folder / f"{name}.json").exists())


def _waits(session: Session, serving: Serving) -> bool:
    """Whether the weights of the scope were taken out of service; with a line that says so."""
    version = _taken_back(session, serving)
    if version:
        log.warning("the weights of params.yaml wait: %s, which has them, was taken out of service; change them, or "
                    "promote it", version)  # fmt: skip
    return bool(version)


def _kept_before(folder: Path, serving: Serving, changed: Changed) -> bool:
    """Whether these very weights have failed their gate with this champion: once is enough."""
    records = sorted(folder.glob("*.json"))
    body = read_body(records[-1]) if records else {}
    wanted = {name: list(pair) for name, pair in changed.items()}
    kept = (body.get("action"), body.get("release")) == ("keep", serving.event.version)
    return kept and body["facts"]["weights"] == wanted


def _taken_back(session: Session, serving: Serving) -> str:
    """The newer release in whose place the champion was put back, if that has the weights of the scope."""
    ledger, event = session.registry.ledger, serving.event
    left = next((e.version for e in reversed(ledger.events) if e.number < event.number), "")
    order = [release.version for release in ledger.releases]
    if not left or order.index(left) < order.index(event.version):
        return ""
    put_back = event.action == "rollback" or event.who != WHO
    return left if put_back and not changes(session.registry.load(left).scope, session.tree.scope) else ""


def _decided(
    session: Session, serving: Serving, changed: Changed, now: datetime, by: Authorship | None
) -> dict[str, Any]:
    """The record: made of the champion's models, judged by what weights bear on, the rest of its gate carried over."""
    edit = partial(with_prices, other=(session.tree.root / PARAMS).read_text(encoding="utf-8"))
    made = derive(session.project, serving.event, {PARAMS: edit}, now)
    report, scope = Report.from_dict(made.bundle.evaluation), session.tree.scope
    judged = [pays(report.money["candidate"], report.money["baseline"], scope.evaluation.confidence)]
    judged += alert_findings(scope, report)
    failed = any(finding.failed for finding in judged)
    ledger = session.registry.ledger
    version = ledger.version_of(made.bundle.hash) or ledger.next_version()
    decision = Decision(
        "keep" if failed and by is None else "release", Reason.WEIGHTS,
        Versions(serving.event.version, "", version), gate=(*judged, *_carried(session, serving.event.version)),
        facts={"weights": {name: list(pair) for name, pair in changed.items()}},
    )  # fmt: skip
    body = {"at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    return body | {"release": serving.event.version, "made": {"commit": made.commit, "bundle": made.bundle.hash}}


def _carried(session: Session, version: str) -> tuple[Finding, ...]:
    """What the gate of a release has measured of its models, which are not judged again."""
    release = session.registry.ledger.release(version)
    decided = decision_of(session.project, release) if release else None
    gate = decided.decision.gate or decided.decision.findings if decided else ()  # the latter of one on request
    return tuple(
        replace(f, facts={"carried": version, **f.facts}) for f in gate if f.rule not in OF_ALERTS
    )  # fmt: skip


def _carry_out(session: Session, plan: Path, now: datetime, by: Authorship | None) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it."""
    body = read_body(plan)
    decision = Decision.from_dict(body)
    if decision.action == "release":
        record = session.project.cited(pending.record(plan))
        by = by or Authorship(WHO, headline(decision), now)
        evidence = tuple(dict.fromkeys([*by.evidence, record]))
        step = (None, None) if by.who != WHO else rollout.first_step(session.tree.scope)
        session.registry.release(body["made"]["commit"], body["made"]["bundle"], replace(by, evidence=evidence), *step)
    pending.done(plan)
    return decision
