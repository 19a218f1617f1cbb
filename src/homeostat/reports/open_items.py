"""What is open, a line each, with the command to run first: for the status and the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident
from homeostat.core.rules import FIRST_COMMAND, Rule
from homeostat.core.sentences import sentence
from homeostat.data.batch import Batch


@dataclass(frozen=True)
class OpenItem:
    """``progress`` says when it was last seen and what closes it, where that is on record; ``alerts``: it is urgent."""

    text: str
    command: str
    progress: str = ""
    alerts: bool = True

    @property
    def note(self) -> str:
        return f"{self.progress}; first: {self.command}" if self.progress else f"first: {self.command}"


def open_items(loop: Iterable[Finding], incidents: Iterable[Incident], batches: Iterable[Batch]) -> list[OpenItem]:
    """What keeps the loop from running, the incidents that are open, and the batches that none of these is about.

    The batches are those that were not accepted whole, in order of time; the newest comes first.
    """
    incidents = sorted(incidents, key=lambda i: (i.noted, i.passes > 0))  # what pages and still fails comes first
    sources = {i.finding.subject for i in incidents if i.finding.rule == Rule.BATCH}
    sources |= {i.finding.facts["source"] for i in incidents if i.finding.rule == Rule.HISTORY}
    alone = [batch for batch in batches if batch.source not in sources]
    return [
        *(OpenItem(f"{finding.name}: {sentence(finding)}", _command(finding)) for finding in loop),
        *(
            OpenItem(
                f"{i.problem}, since {i.opened:%Y-%m-%d}: {sentence(i.finding)}", _command(i.finding), i.progress,
                alerts=not i.noted,
            )
            for i in incidents
        ),
        *(OpenItem(batch.sentence, FIRST_COMMAND[Rule.BATCH], alerts=False) for batch in reversed(alone)),
    ]  # fmt: skip


def _command(finding: Finding) -> str:
    """A run that hangs is ended by the command in its own sentence."""
    process = finding.facts.get("process")
    return f"kill {process}" if process else FIRST_COMMAND[finding.rule]
