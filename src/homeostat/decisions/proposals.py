"""What waits for a person's approval: a batch in doubt, or a candidate that was judged and not released."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from homeostat.core.findings import QUIET
from homeostat.core.rules import OF_DATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.core.incidents import Incident
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project


class Proposal(NamedTuple):
    """What approving does: the rows of a ``batch`` of a ``source`` are released, or the ``candidate`` of a time is."""

    about: str  # the record that is approved, as a path from the project's folder
    source: str = ""
    batch: str = ""
    candidate: datetime | None = None

    @property
    def sentence(self) -> str:
        if self.candidate is not None:
            return f"release the candidate of {self.candidate:%Y-%m-%d %H:%M}"
        return f"{self.source} {self.batch} is right as it is: its rows train"


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
        return Proposal(about, finding.facts.get("source") or finding.subject, batch)
    during = [d for d in decisions if d.at >= incident.opened]
    last = next((d for d in reversed(during) if _waits(d)), None)
    return Proposal(about, candidate=last.at) if last and last is during[-1] else None


def of_decision(project: Project, decided: Decided) -> Proposal | None:
    """The candidate that a decision judged and did not release; None where it has none."""
    return Proposal(project.cited(decided.path), candidate=decided.at) if _waits(decided) else None


def _waits(decided: Decided) -> bool:
    return decided.candidate and decided.decision.action in (*QUIET, "keep")
