"""Carrying out what a person has approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeostat.core.answers import Answer
from homeostat.data import amendments
from homeostat.decisions.candidate import release_candidate
from homeostat.decisions.session import Session
from homeostat.monitoring.answers import note_answer

if TYPE_CHECKING:
    from homeostat.core.authorship import Authorship
    from homeostat.decisions.proposals import Proposal
    from homeostat.project.layout import Project


def approve(project: Project, tree: Project, proposal: Proposal, by: Authorship) -> str:
    """Carry out what was proposed, and put the approval on record; what was done, in a line.

    Raises:
        UsageError: another candidate was evaluated since, or the batch has nothing to release.
        HomeostatError: the release cannot be made.
    """
    if proposal.candidate is not None:
        session = Session.open(project)
        done = release_candidate(session, by, of=proposal.candidate).sentence
    else:
        kept = amendments.release_rows(tree, proposal.source, proposal.batch, None, by.who, by.why, by.at)
        done = f"kept as {kept}; the next tick applies it: homeostat -C {project.home} run data"
    note_answer(project, Answer(proposal.about, "approve", by.who, by.why, by.at))
    return done
