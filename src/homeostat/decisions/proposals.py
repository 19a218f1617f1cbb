"""What a person may approve: a decision that waits for it, a batch in doubt, a candidate that was not released."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from homeostat.core.approval import PendingApproval
from homeostat.core.findings import QUIET
from homeostat.core.rules import OF_DATA, Rule
from homeostat.core.text import count
from homeostat.decisions import history
from homeostat.decisions.pending import decision_that_waits
from homeostat.project.layout import working_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.core.findings import Finding
    from homeostat.core.incidents import Incident
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project


class Proposal(NamedTuple):
    """What approving does: what a decision that ``waits`` proposes is done by the next tick, the rows of ``batches`` of
    a ``source`` are released, or the ``candidate`` of a time is.
    """

    about: str  # the record that is approved, as a path from the project's folder
    source: str = ""
    batches: tuple[str, ...] = ()
    candidate: datetime | None = None
    waits: PendingApproval | None = None

    @property
    def sentence(self) -> str:
        if self.waits is not None:
            return f"{self.waits.action}, by the next tick; it waits until {self.waits.until:%Y-%m-%d %H:%M}"
        if self.candidate is not None:
            return f"release the candidate of {self.candidate:%Y-%m-%d %H:%M}"
        if len(self.batches) == 1:
            return f"{self.source} {self.batches[0]} is right as it is: its rows train"
        many = f"{self.batches[0]} to {self.batches[-1]} ({count(len(self.batches), 'batch')})"
        return f"{self.source} {many} are right as they are: their rows train"


def of_incident(
    project: Project, number: str, incident: Incident, decisions: Sequence[Decided]
) -> Proposal | None:  # fmt: skip
    """What waits for approval in an open incident; None where nothing does. ``decisions``: all on record, in order."""
    about, finding = project.cited(project.incidents / f"{number}.json"), incident.finding
    if incident.closed is not None:
        return None
    batch = finding.facts.get("batch")
    if finding.rule in OF_DATA:
        if not batch or finding.facts.get("status") == "missing":
            return None
        source = finding.facts.get("source") or finding.subject
        return Proposal(about, source, _alike(project, source, finding) or (batch,))
    if finding.rule == Rule.APPROVAL:
        return _that_waits(project, decisions)
    during = [d for d in decisions if d.at >= incident.opened]
    last = next((d for d in reversed(during) if _has_candidate(d)), None)
    if last is None or last is not during[-1]:
        return None
    return _that_waits(project, [last]) or Proposal(about, candidate=last.at)


def _alike(project: Project, source: str, finding: Finding) -> tuple[str, ...]:
    """The batches not accepted since the finding's first, up to its own, in which just that failed: one cause."""
    if finding.rule != Rule.HISTORY or not finding.since:
        return ()
    wanted = _cause(finding)
    return tuple(
        b.label
        for b in history.not_accepted(working_tree(project))
        if b.source == source
        and finding.since <= b.label <= finding.facts["batch"]
        and b.verdict.failed
        and all(_cause(f) == wanted for f in b.verdict.failed)
    )


def _cause(finding: Finding) -> tuple[str, frozenset[str]]:
    return str(finding.facts.get("kind", finding.rule)), frozenset(finding.facts.get("columns", ()))


def of_decision(project: Project, decided: Decided) -> Proposal | None:
    """What a decision that waits proposes, or the candidate that it judged and did not release; None without either."""
    candidate = Proposal(project.cited(decided.path), candidate=decided.at) if _has_candidate(decided) else None
    return _that_waits(project, [decided]) or candidate


def _that_waits(project: Project, decisions: Sequence[Decided]) -> Proposal | None:
    decided = decision_that_waits(project, decisions)
    if decided is None:
        return None
    return Proposal(project.cited(decided.path), waits=PendingApproval.of(decided.decision))


def _has_candidate(decided: Decided) -> bool:
    return decided.candidate and decided.decision.action in (*QUIET, "keep")
