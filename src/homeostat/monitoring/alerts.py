"""Alerts: findings folded into the incidents on record, each of which alerts once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident, update_incidents
from homeostat.project.layout import Project
from homeostat.project.records import read_record
from homeostat.project.whole_files import write_text

Numbered = dict[str, Incident]  # by number, the name of the incident's file


def read_incidents(project: Project) -> Numbered:
    """The incidents on record, in order of number."""
    paths = sorted(project.incidents.glob("*.json"))
    return {path.stem: read_record(path, Incident.from_dict) for path in paths}


def raise_alerts(
    project: Project, on_record: Numbered, findings: Iterable[Finding], now: datetime, release: str = "",
    budget: float | None = None,
) -> tuple[Incident, ...]:
    """Fold findings into the incidents ``on_record``, there and in their files; those that page somebody now.

    ``release`` is the version that the findings are about, if they are about one; ``budget`` as in
    ``update_incidents``, where the scope has an alarm budget.
    """
    before = {number: incident for number, incident in on_record.items() if incident.closed is None}
    numbers = {incident.problem: number for number, incident in before.items()}
    changes = update_incidents(before.values(), findings, now, release, budget)
    for incident in (*changes.closed, *changes.open):
        number = numbers.get(incident.problem, f"{max(map(int, on_record), default=0) + 1:04d}")
        note_incident(project, on_record, number, incident)
    return changes.opened


def note_incident(project: Project, on_record: Numbered, number: str, incident: Incident) -> None:
    """Put what became of an incident on record, there and in its file."""
    if on_record.get(number) != incident:
        write_text(json.dumps(incident.to_dict(), indent=1) + "\n", project.incidents / f"{number}.json")
        on_record[number] = incident
