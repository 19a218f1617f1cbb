"""The lifecycle: everything that is due, once. This is the flow that is scheduled."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flows.data import take_in
from homeostat.api import Tick, project_flow, publish, run_context, tick


@project_flow(name="lifecycle")
def lifecycle(project: Path = Path(), now: datetime | None = None) -> Tick:
    """One tick: take in due data, predict the events ahead, and decide when the rhythm says so."""
    with run_context(project, now) as (session, at):
        return publish(session, tick(session, at, live=True, take_in=take_in), at)
