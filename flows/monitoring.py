"""Monitoring: the champion's quality on observed outcomes and its drift, and the decision that follows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flows.data import take_in
from homeostat.api import Decision, decide, predict, project_flow, publish, run_context


@project_flow(name="monitoring")
def monitoring(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Measure quality and drift; where a finding calls for it, gather evidence, decide and act."""
    with run_context(project, now) as (session, at):
        take_in(session, at)
        predict(session, at, live=True)
        return publish(session, decide(session, at), at)
