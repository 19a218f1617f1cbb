"""Carrying out what a person has approved, and noting what a person answered to a decision that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeostat.core.answers import Answer
from homeostat.core.approval import PendingApproval
from homeostat.core.authorship import Authorship
from homeostat.core.errors import UsageError
from homeostat.data import amendments
from homeostat.decisions.candidate import release_candidate
from homeostat.decisions.pending import decision_that_waits
from homeostat.decisions.session import Session
from homeostat.monitoring.answers import note_answer

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal

    from homeostat.decisions.proposals import Proposal
    from homeostat.project.layout import Project


def approve(project: Project, tree: Project, proposal: Proposal, by: Authorship) -> str:
    """Carry out what was proposed, or have the next tick do it, and put the approval on record; a line on it.

    Raises:
        UsageError: another candidate was evaluated since, the batch has nothing to release, or as ``answer_waiting``.
        HomeostatError: the release cannot be made.
    """
    if proposal.waits is not None:
        return answer_waiting(project, proposal.about, proposal.waits, "approve", by)
    if proposal.candidate is not None:
        session = Session.open(project)
        done = release_candidate(session, by, of=proposal.candidate).sentence
    else:
        for batch in proposal.batches:
            kept = amendments.release_rows(tree, proposal.source, batch, None, by.who, by.why, by.at)
        done = f"kept as {kept}; the next tick applies it: homeostat -C {project.home} run data"
    note_answer(project, Answer(proposal.about, "approve", by.who, by.why, by.at))
    return done


def answer_decision(session: Session, now: datetime, kind: Literal["approve", "decline"], who: str, why: str) -> str:
    """Put on record what a person answers to the decision that waits for one; a line on it.

    Raises:
        UsageError: none waits, it is not said who answers and why, or as ``answer_waiting``.
    """
    project, decided = session.project, decision_that_waits(session.project, session.decisions)
    if decided is None:
        raise UsageError("no decision waits for approval; `homeostat status` says what is open")
    if not (who.strip() and why.strip()):
        raise UsageError("say who answers, and why: both are kept for good")
    by = Authorship(who.strip(), why.strip(), now)
    return answer_waiting(project, project.cited(decided.path), PendingApproval.of(decided.decision), kind, by)


def answer_waiting(
    project: Project, about: str, waits: PendingApproval, kind: Literal["approve", "decline"], by: Authorship
) -> str:
    """Put on record what a person answers to a decision that waits, for the next tick; a line on it.

    Until that tick the last answer counts.

    Raises:
        UsageError: the deadline is over, or the scope names others who may answer.
    """
    if waits.by and by.who not in waits.by:
        raise UsageError(f"{by.who}: may not answer this; approval.by in params.yaml names {', '.join(waits.by)}")
    if by.at > waits.until:
        default = "keeps the champion" if waits.default == "keep" else f"does it: {waits.action}"
        raise UsageError(f"{about}: waited until {waits.until:%Y-%m-%d %H:%M}; the next tick {default}")
    note_answer(project, Answer(about, kind, by.who, by.why, by.at))
    return f"noted; the next tick acts on it: homeostat -C {project.home} run lifecycle"
