"""A candidate that a person asks for: evaluated and kept on record without a release, or released by that person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from homeostat.adapters import dvc, worktree
from homeostat.adapters.parquet import digest
from homeostat.core.authorship import Authorship
from homeostat.core.errors import UsageError
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.ledger import Beside
from homeostat.core.rules import Reason
from homeostat.data.contamination import left_out
from homeostat.decisions.history import CARRIED
from homeostat.decisions.ladder import next_candidate
from homeostat.decisions.session import Session
from homeostat.project.layout import MANIFEST, stamp
from homeostat.project.records import read_body
from homeostat.project.whole_files import write_text
from homeostat.project.window import read_window, write_window
from homeostat.releases.registry import Switch
from homeostat.training.evaluate import read_training

FRESH = "`homeostat run evaluation` makes and judges a fresh one"


class Evaluated(NamedTuple):
    """A candidate on record: the time whose data made it, its bundle's hash, and the record that has its gate."""

    at: datetime
    bundle: str
    record: Path
    carried: Mapping[str, str]  # by objective whose models it took over, the candidate that they are of


def judge_candidate(session: Session, now: datetime) -> Decision:
    """What the gate says of a fresh candidate; it is kept on record, and nothing is released."""
    candidate, _ = next_candidate(session, now)
    decision = candidate.gate
    if decision.action == "release":
        decision = replace(decision, action="keep", reason=Reason.WOULD_PASS)
    body = {"at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    record = session.project.candidates / f"{stamp(now)}.json"
    write_text(json.dumps(body | {"candidate": {"bundle": candidate.bundle}}, indent=1) + "\n", record)
    return decision


def release_candidate(
    session: Session, by: Authorship, beside: Beside | None = None, share: float | None = None,
    of: datetime | None = None,
) -> Switch:  # fmt: skip
    """Register the candidate that was evaluated last, and put it in service, or ``beside`` the champion.

    ``of`` is the time of the one that is meant, if it is known. It is committed with the window and the inputs that it
    was made from, as one that the loop releases, and rehearsed.

    Raises:
        UsageError: no candidate was evaluated, or the last one or its inputs are not there any more.
        HomeostatError: as ``Registry.release``.
    """
    candidate, commit = commit_candidate(session, of, by.at)
    cited = tuple(dict.fromkeys([*by.evidence, session.project.cited(candidate.record)]))
    return session.registry.release(commit, candidate.bundle, replace(by, evidence=cited), beside, share)


def commit_candidate(session: Session, of: datetime | None, now: datetime) -> tuple[Evaluated, str]:
    """The candidate that was evaluated last, that ``of`` a time if it is given, and a commit that makes it.

    Raises:
        UsageError: no candidate was evaluated, or the last one or its inputs are not there any more.
    """
    candidate, tree = _evaluated(session), session.tree
    if of is not None and of != candidate.at:
        raise UsageError(f"the candidate of {of} is gone: another was made at {candidate.at}; look at that one")
    manifest = tree.bundle / MANIFEST
    if not manifest.is_file() or digest(manifest.read_bytes()) != candidate.bundle:
        raise UsageError(f"{tree.bundle}: is not the candidate of {candidate.at} any more; {FRESH}")
    window = read_window(tree)
    rung = read_training(tree).get("rung", "")
    made = window._replace(as_of=candidate.at, left_out=left_out(tree), rung=rung, carried=candidate.carried)
    write_window(tree, *made)
    try:
        if changed := dvc.changed_inputs(tree.root):
            raise UsageError(f"{', '.join(changed)} changed since the candidate of {candidate.at}; {FRESH}")
        commit = worktree.commit_kept(tree.root, f"candidate of {candidate.at:%Y-%m-%d %H:%M}", now)
    finally:
        write_window(tree, *window)  # the ticks since then have moved it on
    session.note_commit(commit)
    return candidate, commit


def _evaluated(session: Session) -> Evaluated:
    """The last candidate on record, of an evaluation or of a decision."""
    records = [*session.project.candidates.glob("*.json"), *session.project.decisions.glob("*.json")]
    for record in sorted(records, key=lambda path: path.stem, reverse=True):
        body: dict[str, Any] = read_body(record)
        if body.get("candidate"):
            at, carried = datetime.fromisoformat(body["at"]), body.get("facts", {}).get(CARRIED, {})
            return Evaluated(at, body["candidate"]["bundle"], record, carried)
    raise UsageError(f"no candidate has been evaluated yet; {FRESH}")
