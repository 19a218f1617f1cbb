"""The ladder: its rungs made and judged on the same held-out events, and the candidate of the one that is chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.adapters import dvc
from homeostat.adapters.parquet import digest
from homeostat.core.findings import Due, objections
from homeostat.core.ladder import Standing, best_rung, rung_findings, rungs_of, simplest
from homeostat.core.release_gate import MONEY, WEIGHTED_LOSS
from homeostat.data.contamination import left_out
from homeostat.decisions import evidence
from homeostat.decisions.carried import carried_over
from homeostat.decisions.evidence import Candidate, Judge
from homeostat.decisions.pairing import Pairing, Scores
from homeostat.decisions.session import Session
from homeostat.project.window import write_window
from homeostat.training import evaluate

if TYPE_CHECKING:
    from homeostat.decisions.history import Decided
    from homeostat.project.training_scope import Ladder

FACT = "ladder"  # of a decision that judged it: a hash of its entries


@dataclass(frozen=True)
class _Tried:
    """A rung's judged models: what they were trained on, and their scores (n,) of the held-out events."""

    rung: str
    training: dict[str, Any]
    scores: Scores


def ladder_is_due(session: Session, now: datetime) -> Due | None:
    """Why all rungs are judged at ``now``, if they are: after the warm-up, at intervals, and once after an edit."""
    scope = session.tree.scope
    ladder, last = scope.training.ladder, _last_judged(session)
    if ladder is None or now < session.start + scope.windows.warm_up:
        return None
    if last is None or last.decision.facts[FACT] != _identity(ladder):
        return Due("ladder", last.at if last else None)
    return Due("ladder", last.at) if now - last.at >= ladder.every else None


def next_candidate(
    session: Session, now: datetime, previous: str = "", not_due: Collection[str] = ()
) -> tuple[Candidate, Judge]:
    """A fresh candidate; where the scope has a ladder, of the champion's rung, or of the one that judging all chooses.

    A rung that is chosen and does not pass its gate leaves the candidate to the champion's rung. Objectives that are
    ``not_due`` keep the champion's models, unless all rungs are judged.

    Raises:
        HomeostatError: what stops the DAG; the champion goes on serving.
    """
    rung = current_rung(session)
    if ladder_is_due(session, now) is None:
        carried = carried_over(session, not_due, rung)
        return evidence.fresh_candidate(session, now, previous, rung=rung, carried=carried)
    ladder, scope = session.tree.scope.training.ladder, session.tree.scope
    assert ladder is not None, "it is due"
    standings = _standings(session, [_tried(session, now, name) for name in ladder.rungs])
    used = chosen = simplest(standings, scope.ladder_margin) if standings else rung
    candidate, judge = evidence.fresh_candidate(session, now, previous, rung=chosen)
    refused = [finding.name for finding in objections(candidate.gate.findings)]
    if refused and chosen != rung:
        candidate, judge = evidence.fresh_candidate(session, now, previous, rung=rung)
        used = rung
    findings = rung_findings(standings, scope.ladder_margin, scope.evaluation.confidence, used, refused)
    gate = candidate.gate
    gate = replace(gate, findings=(*gate.findings, *findings), facts={**gate.facts, FACT: _identity(ladder)})
    return replace(candidate, gate=gate), judge


def current_rung(session: Session) -> str:
    """The rung of the champion, else the one that was last used, else the most complex; empty without a ladder."""
    ladder, serving = session.tree.scope.training.ladder, session.registry.load_champion()
    if ladder is None:
        return ""
    of_champion = serving.bundle.rung if serving else ""
    last = _last_judged(session)
    used = [f.subject for f in rungs_of(last.decision) if f.facts["used"]] if last else []
    return next((name for name in (of_champion, *used) if name in ladder.rungs), list(ladder.rungs)[-1])


def _last_judged(session: Session) -> Decided | None:
    return next((decided for decided in reversed(session.decisions) if FACT in decided.decision.facts), None)


def _identity(ladder: Ladder) -> str:
    return digest(ladder.model_dump_json().encode())[:12]


def _tried(session: Session, now: datetime, rung: str) -> _Tried:
    """Make and judge the models of a rung as of ``now``; nothing is sealed."""
    tree = session.tree
    write_window(tree, session.start, now, left_out=left_out(tree), rung=rung)
    dvc.reproduce(tree.root, ["evaluate"])
    scores = evaluate.read_holdout_scores(tree)
    own = {name: scores[f"score__{name}"].to_numpy() for name in tree.scope.objectives}
    return _Tried(rung, evaluate.read_training(tree), own)


def _standings(session: Session, tried: Sequence[_Tried]) -> list[Standing]:
    """Each rung beside the best, and in money beside the one below; none where there are too few events to say."""
    tree, training = session.tree, tried[0].training
    rows, until = evaluate.judged_rows(tree, training), datetime.fromisoformat(training["as_of"])

    def pair(one: _Tried, other: _Tried) -> Pairing:
        return Pairing(tree.scope, rows, one.scores, other.scores, until)

    best = best_rung([pair(one, tried[0]).endpoint(WEIGHTED_LOSS) for one in tried])
    if best is None:
        return []
    return [
        Standing(
            one.rung, next(iter(one.training["objectives"].values()))["kind"], tried[best].rung,
            pair(one, tried[best]).endpoint(WEIGHTED_LOSS), below.rung, pair(one, below).endpoint(MONEY),
        )
        for one, below in zip(tried, (tried[0], *tried), strict=False)
    ]  # fmt: skip
