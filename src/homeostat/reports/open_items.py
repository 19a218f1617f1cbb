"""What is open, a line each, with the command to run first: for the status and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from homeostat.core.answers import Answer
from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident
from homeostat.core.rules import FIRST_COMMAND, Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import typed_time
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


def open_items(
    loop: Iterable[Finding], incidents: Iterable[Incident], batches: Iterable[Batch],
    rests: Mapping[str, Answer] = MappingProxyType({}), owners: Mapping[str, str] = MappingProxyType({}),
) -> list[OpenItem]:  # fmt: skip
    """What keeps the loop from running, the incidents that are open, and the batches that none of these is about.

    The batches are those that were not accepted whole, in order of time; the newest comes first. ``rests`` are the
    snoozes and answers that hold and ``owners`` the owners, both by the incident's problem: with one it is not urgent.
    """
    incidents = sorted(incidents, key=lambda i: _order(i, rests))
    sources = {i.finding.subject for i in incidents if i.finding.rule == Rule.BATCH}
    sources |= {i.finding.facts["source"] for i in incidents if i.finding.rule == Rule.HISTORY}
    alone = [batch for batch in batches if batch.source not in sources]
    return [
        *(OpenItem(f"{finding.name}: {sentence(finding)}", _command(finding)) for finding in loop),
        *(
            OpenItem(
                f"{i.problem}, since {i.opened:%Y-%m-%d}: {sentence(i.finding)}", _command(i.finding),
                _progress(i, rests.get(i.problem), owners.get(i.problem, "")),
                alerts=not i.noted and i.problem not in rests,
            )
            for i in incidents
        ),
        *(OpenItem(batch.sentence, FIRST_COMMAND[Rule.BATCH], alerts=False) for batch in reversed(alone)),
    ]  # fmt: skip


def _order(incident: Incident, rests: Mapping[str, Answer]) -> tuple[bool, ...]:
    """What pages comes first, and of that what has a deadline."""
    has_deadline = incident.finding.rule == Rule.APPROVAL
    return incident.noted, incident.problem in rests, not has_deadline, incident.passes > 0


def _progress(incident: Incident, rest: Answer | None, owner: str) -> str:
    """What is known of it: when it was last seen, who has it, and whether anybody has answered."""
    answer = "" if rest is None or rest.kind == "snooze" else f"{rest.sentence}; the next tick acts on it"
    parts = [
        answer,
        f"snoozed until {rest.until:%Y-%m-%d %H:%M} by {rest.who}" if rest is not None and rest.until else "",
        f"owner {owner}" if owner else "",
        f"escalated {incident.escalated:%Y-%m-%d %H:%M}" if incident.escalated and rest is None else "",
        incident.progress,
    ]
    return "; ".join(part for part in parts if part)


def _command(finding: Finding) -> str:
    """A run that hangs is ended by its process, and a decision that waits is approved by its time."""
    process = finding.facts.get("process")
    if finding.rule == Rule.APPROVAL:
        return f"homeostat approve {typed_time(datetime.fromisoformat(finding.facts['asked']))} --why TEXT"
    return f"kill {process}" if process else FIRST_COMMAND[finding.rule]
