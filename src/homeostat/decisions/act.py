"""Acting on a decision: what is decided is written down first, then done once, then on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from homeostat.adapters import worktree
from homeostat.core.authorship import Authorship
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.ledger import Ledger
from homeostat.decisions import pending, rollout
from homeostat.decisions.session import WHO, Session
from homeostat.project.records import read_body
from homeostat.project.whole_files import write_text

RELEASES = ("retrain", "release", "recalibrate", "fall back")  # actions that put another bundle in service

def settle(session: Session, now: datetime) -> None:
    """What earlier runs had decided when they were interrupted: on record if it was done, forgotten if not."""
    for record in pending.settle(session.project, session.project.decisions, session.registry.ledger, now):
        session.note_decision(record)


def plan_of(session: Session, now: datetime) -> Path:
    """Where the plan of ``now`` stands, if one was written and not carried out."""
    return pending.of(session.project.decisions, now)


def write_plan(body: Mapping[str, Any], plan: Path) -> None:
    write_text(json.dumps(body, indent=1) + "\n", plan)


def carry_out(session: Session, plan: Path, now: datetime) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it.

    Raises:
        HomeostatError: as ``do``.
    """
    decision = do(session, plan, now)
    session.note_decision(pending.done(plan))
    return decision


def do(session: Session, plan: Path, now: datetime) -> Decision:
    """Do what a plan says, once however often this is called.

    Raises:
        HomeostatError: the deployment was stopped; the release in service is whole, and the next run carries on.
    """
    body = read_body(plan)
    decision = Decision.from_dict(body)
    record = session.project.cited(pending.record(plan))
    by = Authorship(WHO, headline(decision), now, tuple(dict.fromkeys([*decision.evidence, record])))
    if decision.action == "roll back":
        session.registry.rollback(by, to=body["previous"])
    elif decision.action in RELEASES:
        made = body.get("made") or {"commit": commit_of(session, now), "bundle": body["candidate"]["bundle"]}
        if decision.action == "fall back":
            session.registry.fall_back(made["commit"], made["bundle"], by)
        else:
            session.registry.release(made["commit"], made["bundle"], by, *rollout.first_step(session.tree.scope))
    return decision


def commit_of(session: Session, now: datetime) -> str:
    """The commit that makes the candidate which the tree has just made, as of ``now``."""
    commit = worktree.commit_kept(session.tree.root, f"candidate of {now:%Y-%m-%d %H:%M}", now)
    session.note_commit(commit)
    return commit


def named(decision: Decision, bundle: str, ledger: Ledger) -> Decision:
    """With the version that the bundle is released as, where it is."""
    if not bundle or decision.action not in RELEASES:
        return decision
    version = ledger.version_of(bundle) or ledger.next_version()
    if decision.action == "fall back":
        return replace(decision, facts={**decision.facts, "baseline": version})
    return decision.with_candidate(version)
