"""Escalation: an incident that fails and that nobody has answered is urgent for somebody else, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.monitoring.alerts import Numbered, note_incident
from homeostat.monitoring.answers import answered_incidents

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def escalate(project: Project, on_record: Numbered, now: datetime) -> None:
    """Escalate the incidents that nobody has answered for as long as the scope allows, ``on_record`` and in files."""
    if all(incident.closed or incident.escalated or incident.noted for incident in on_record.values()):
        return
    for one in answered_incidents(project, on_record):
        if one.is_escalated(now, project.scope.alerts.escalate_after):
            note_incident(project, on_record, one.number, replace(one.incident, escalated=now))
